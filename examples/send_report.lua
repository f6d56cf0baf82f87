-- SPDX-License-Identifier: MIT
-- Sends a report: text and HTML with a picture in it, and the figures as a CSV.
local smtp = require "smtp"

local USAGE = [[
usage: lua send_report.lua [--ca FILE] [--clear] TARGET FROM TO < figures.csv

  TARGET     as smtps://user:password@mail.example.org, or localhost:2525
  --ca FILE  trust this authority, and not the system's
  --clear    send in clear text to another machine

The figures are lines of "name,number".

  printf 'apples,3\npears,5\n' |
    lua send_report.lua localhost:2525 ada@code.energy charles@example.com
]]

local target, words = {}, {}
local i = 1
while arg[i] do
  if arg[i] == "--help" then
    io.write(USAGE)
    os.exit(0)
  elseif arg[i] == "--clear" then
    target.tls = "none"
  elseif arg[i] == "--ca" then
    i = i + 1
    target.ca = arg[i]
  else
    words[#words + 1] = arg[i]
  end
  i = i + 1
end
if #words ~= 3 then
  io.stderr:write("a target, a sender and a recipient are needed\n\n", USAGE)
  os.exit(2)
end
target.url = words[1]

local rows, csv = {}, {}
for input in io.lines() do
  local line = input:gsub("\r$", "") -- of Windows
  local name, number = line:match("^([^,]+),%s*([^,]+)$")
  if tonumber(number) then
    rows[#rows + 1] = { name = name, number = tonumber(number) }
    csv[#csv + 1] = line .. "\r\n"
  elseif line ~= "" then
    io.stderr:write(("no row of a name and a number: %s\n"):format(line))
    os.exit(2)
  end
end

local function escaped(text)
  return (text:gsub("[&<>]", { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;" }))
end

-- A bar chart; mail readers show SVG as an attachment at least.
local function chart()
  local most = 1
  for _, row in ipairs(rows) do most = math.max(most, row.number) end
  local out = { ('<svg xmlns="http://www.w3.org/2000/svg" width="300" height="%d">')
    :format(20 * #rows) }
  for n, row in ipairs(rows) do
    out[#out + 1] = ('<rect y="%d" width="%d" height="16" fill="teal"/><text y="%d">%s</text>')
      :format(20 * n - 20, 300 * math.max(row.number, 0) // most, 20 * n - 8, escaped(row.name))
  end
  return table.concat(out) .. "</svg>"
end

local text, html = { "The figures:", "" }, {}
for _, row in ipairs(rows) do
  text[#text + 1] = ("  %-20s %s"):format(row.name, row.number)
  html[#html + 1] = ("<tr><td>%s</td><td>%s</td></tr>"):format(escaped(row.name), row.number)
end

local receipt, err = smtp.send(target, {
  from = words[2], to = words[3], subject = "Report of " .. os.date("!%Y-%m-%d"),
  text = table.concat(text, "\n") .. "\n",
  html = ('<h1>The figures</h1><img src="cid:chart" alt=""><table>%s</table>\n')
    :format(table.concat(html)),
  attachments = {
    { content = chart(), name = "chart.svg", cid = "chart" },
    { content = table.concat(csv), name = "figures.csv" },
  },
}, { progress = function(sent, size)
  io.stderr:write(("\r%d of %d bytes"):format(sent, size))
end })
io.stderr:write("\n")
if not receipt then
  io.stderr:write("send_report: ", tostring(err), "\n")
  os.exit(1)
end
print(("%d rows sent: %d %s"):format(#rows, receipt.code, receipt.text))
