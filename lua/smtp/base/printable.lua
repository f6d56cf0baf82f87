-- SPDX-License-Identifier: MIT
--- Makes text from the wire printable: controls, C1 controls, marks of text direction, and bytes
-- outside of UTF-8 become escapes like \x1b. So a peer cannot control the user's terminal.
local function hex(bytes)
  return (bytes:gsub(".", function(c) return ("\\x%02x"):format(c:byte()) end))
end

return function(text)
  text = text:gsub("%c", hex)
  if not text:find("[\x80-\xff]") then return text end
  if not utf8.len(text) then return (text:gsub("[\x80-\xff]", hex)) end
  text = text:gsub("\xc2[\x80-\x9f]", hex) -- U+0080 to U+009F
  text = text:gsub("\xd8\x9c", hex) -- U+061C
  text = text:gsub("\xe2\x80[\x8e\x8f\xa8-\xae]", hex) -- U+200E, 200F, 2028 to 202E
  return (text:gsub("\xe2\x81[\xa6-\xa9]", hex)) -- U+2066 to U+2069
end
