local probe = require "probe"

-- The situations in their order, each with what status.h says of it.
local function situations()
  local list, by_name = {}, {}
  for line in io.lines("csrc/core/status.h") do
    local name, comment = line:match("^  SMTP_S_([A-Z0-9_]+),?%s*(.*)")
    if name and name ~= "COUNT" then
      local code, status = comment:match("^/%* (%d%d%d) ?([%d.]*)")
      list[#list + 1] = { name = name, at = #list, code = tonumber(code), status = status }
      by_name[name] = #list - 1
    end
  end
  return list, by_name
end

local function of(at)
  local code, text, class, subject, detail = probe.status_of(at)
  return { code = code, text = text, class = class,
           status = class == 0 and "" or ("%d.%d.%d"):format(class, subject, detail) }
end

-- Subject and detail of the codes in IANA's registry that suit a server
-- (RFC 3463, 3886, 4468, 4865, 4954, 5248, 6531, 6710, 7293, 7372, 7505).
local registry = {}
for code in ([[0.0 1.0 1.1 1.2 1.3 1.4 1.5 1.6 1.7 1.8 1.9 1.10 2.0 2.1 2.2 2.3 2.4 3.0 3.1 3.2 3.3
  3.4 3.5 3.6 4.0 4.1 4.2 4.3 4.4 4.5 4.6 4.7 5.0 5.1 5.2 5.3 5.4 5.5 5.6 6.0 6.1 6.2 6.3 6.4 6.5
  6.6 6.7 6.8 6.9 6.10 7.0 7.1 7.2 7.3 7.4 7.5 7.6 7.7 7.8 7.9 7.10 7.11 7.12 7.13 7.14 7.15 7.16
  7.17 7.18 7.19 7.20 7.21 7.22 7.23 7.24 7.25 7.26 7.27 7.28 7.29 7.30]]):gmatch("%S+") do
  registry[code] = true
end

describe("status parse", function()
  local function parse(text) return { probe.status_parse(text) } end

  it("C144 reads class, subject and detail of 1 to 3 digits", function()
    assert.are.same({ 5, 7, 1, 6 }, parse("5.7.1 refused"))
    assert.are.same({ 2, 0, 0, 6 }, parse("2.0.0 "))
    assert.are.same({ 4, 999, 100, 9 }, parse("4.999.100"))
    assert.are.same({ 2, 1, 5, 8 }, parse("2.1.5   ok"))
  end)

  it("C053 reads a bare code", function()
    assert.are.same({ 5, 7, 2, 5 }, parse("5.7.2"))
  end)

  it("C053 C144 takes odd forms for text", function()
    for _, text in ipairs {
      "", "5", "5.", "5.7", "5.7.", "5.7.2.1", "5.7.2.", "5.1000.1", "5.1.1000", "05.1.1", "55.1.1",
      "3.0.0", "1.0.0", "0.0.0", "6.0.0", "9.9.9", "5.01.1", "5.1.01", "5.00.0", "5..1", ".5.1.1",
      " 5.1.1", "5 .1.1", "5.1.1x", "5.1.1\tx", "5.1.1\0", "5.1.1-x", "-5.1.1", "5.-1.1", "5,1,1",
      "x", "250 ok", "5.1.\xd9\xa1",
    } do
      assert.are.same({}, parse(text), text)
    end
  end)

  it("C144 parses what it formats", function()
    for class = 0, 7 do
      for _, n in ipairs { 0, 1, 9, 10, 99, 100, 255, 999 } do
        local text = probe.status_format(class, n, 999 - n)
        if class == 0 then
          assert.are.equal("", text)
        elseif class == 2 or class == 4 or class == 5 then
          assert.are.same({ class, n, 999 - n, #text }, parse(text))
          assert.are.same({ class, n, 999 - n, #text + 1 }, parse(text .. " x"))
        else
          assert.are.same({}, parse(text))
        end
      end
    end
  end)

  it("leaves no half of a code behind an error", function()
    for cap = 0, #"5.7.10" - 1 do
      assert.are.same({ nil, "ETOOBIG", "" }, { probe.status_format(5, 7, 10, cap) })
    end
    assert.are.equal("5.7.10", (probe.status_format(5, 7, 10, 6)))
    probe.fail_at(1)
    local result = { probe.status_format(5, 7, 1) }
    probe.fail_at()
    assert.are.same({ nil, "ENOMEM", "" }, result)
  end)
end)

describe("status table", function()
  local list, at = situations()

  it("C145 says what status.h says, for every situation", function()
    assert.is_true(#list > 50)
    local texts = 0
    for _, s in ipairs(list) do
      local d = of(s.at)
      if s.name ~= "NONE" then
        assert.are.same({ s.code, s.status }, { d.code, d.status }, s.name)
        texts = texts + 1
      end
      assert.is_truthy(d.text:find("^[%w<]") and #d.text <= 60, s.name)
      assert.is_falsy(d.text:find("[^\32-\126]") or d.text:find("[.%s]$"), s.name)
    end
    assert.are.equal(#list - 1, texts)
    assert.are.same({ 451, "4.3.0" }, { of(0).code, of(0).status }) -- none is told as a failure
    assert.are.equal(of(0).text, of(#list).text) -- one too far is none
    assert.are.equal(of(0).text, of(-1).text)
  end)

  it("C051 gives a status of the code's class to all but greeting and HELO", function()
    local without = { GREETING = true, HELO = true, NO_CONNECT = true, NO_HELO = true,
                      BAD_HELO = true, DATA = true, EACH = true }
    for _, s in ipairs(list) do
      local d = of(s.at)
      assert.are.equal(without[s.name] and 0 or d.code // 100, d.class, s.name)
    end
  end)

  it("C052 gives none to 3xx", function()
    local data = of(at.DATA)
    assert.are.same({ 354, "" }, { data.code, data.status })
    local each = of(at.EACH)
    assert.are.same({ 353, "" }, { each.code, each.status })
  end)

  it("C054 takes codes from the registry", function()
    for _, s in ipairs(list) do
      local status = of(s.at).status
      assert.is_true(status == "" or registry[status:sub(3)] == true, s.name)
      for _, code in ipairs { 250, 450, 421, 500, 535, 550, 554 } do
        local class, subject, detail = probe.status_for(s.at, code)
        assert.is_true(class == 0 or registry[subject .. "." .. detail], s.name)
      end
    end
  end)
end)

describe("status for a code of the caller's own", function()
  local list, at = situations()

  local function status_for(name, code)
    local class, subject, detail = probe.status_for(at[name], code)
    return ("%d.%d.%d"):format(class, subject, detail)
  end

  it("C054 has the detail of RFC 4954 for a verdict on AUTH", function()
    for code, status in pairs { [432] = "4.7.0", [454] = "4.7.0", [534] = "5.7.9",
      [535] = "5.7.8", [538] = "5.7.11", [536] = "5.7.0", [500] = "5.7.0" } do
      assert.are.equal(status, status_for("AUTH", code))
    end
  end)

  it("C051 has the class of the code at every stage", function()
    for _, s in ipairs(list) do
      for code = 200, 599 do
        local none = s.name == "GREETING" or s.name == "HELO" or code // 100 == 3
        assert.are.equal(none and 0 or code // 100, (probe.status_for(s.at, code)), s.name)
      end
    end
  end)

  it("C052 is none for 3xx, and for what is no reply code", function()
    for _, code in ipairs { 354, 334, 300, 399, 0, -1, 100, 199, 600, 999, 65736 } do
      assert.are.equal("0.0.0", status_for("MAIL", code), tostring(code))
    end
  end)

  it("claims no more than the stage tells", function()
    assert.are.same({ "2.1.0", "4.3.0", "5.7.1" },
      { status_for("MAIL", 250), status_for("MAIL", 451), status_for("MAIL", 550) })
    assert.are.same({ "2.1.5", "4.2.0", "5.1.0" },
      { status_for("RCPT", 251), status_for("RCPT", 450), status_for("RCPT", 550) })
    assert.are.same({ "2.0.0", "4.3.0", "5.7.1" },
      { status_for("MESSAGE", 250), status_for("MESSAGE", 452), status_for("MESSAGE", 554) })
    assert.are.same({ "4.3.0", "5.7.1" }, { status_for("DATA", 451), status_for("DATA", 554) })
    assert.are.same({ "2.5.0", "4.2.0", "5.1.0" },
      { status_for("VRFY", 252), status_for("VRFY", 450), status_for("VRFY", 550) })
    assert.are.same({ "2.0.0", "4.0.0", "5.0.0" },
      { status_for("COMMAND", 250), status_for("COMMAND", 450), status_for("COMMAND", 550) })
  end)

  it("C054 tells syntax and authentication by the second digit", function()
    for _, name in ipairs { "MAIL", "RCPT", "DATA", "MESSAGE", "COMMAND", "VRFY" } do
      assert.are.same({ "5.5.0", "5.7.0", "5.7.0", "4.7.0" }, { status_for(name, 501),
        status_for(name, 530), status_for(name, 535), status_for(name, 432) }, name)
    end
  end)
end)
