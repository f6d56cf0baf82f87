-- Nothing at all, at the edge of memory that may not be read, for each reader and writer.
local core = require "smtp.core"
local probe = require "probe"

local function all(fn, ...)
  local out = table.pack(fn(...))
  out.n = nil
  return out
end

describe("an empty input", function()
  it("is nothing to each decoder, which keeps what was there", function()
    for _, name in ipairs { "decode_base64", "decode_qp", "decode_percent", "decode_words" } do
      assert.same({ "" }, all(probe[name], ""), name)
      assert.same({ "kept" }, all(probe[name], "", "kept"), name)
    end
    for _, name in ipairs { "base64_parse", "xtext_parse", "base64_format", "xtext_format" } do
      assert.equal("", (probe[name]("")), name)
    end
    for _, name in ipairs { "unbase64", "base64", "decode_words", "qp", "xtext" } do
      assert.equal("", (core[name]("")), name)
    end
    for _, encoding in ipairs { "", "7bit", "8bit", "binary", "base64", "quoted-printable",
      "x-uuencode", "uuencode" } do
      assert.equal("", core.decode_body("", encoding), encoding)
    end
    local encoder = core.base64_encoder()
    assert.same({ "", "", "" }, { encoder:feed(""), encoder:finish(""), encoder:finish() })
    assert.equal("7bit", core.encoding(""))
    assert.equal(0, core.base64_size(0))
  end)

  it("is nothing in each charset", function()
    for _, charset in ipairs { "", "us-ascii", "utf-8", "utf-7", "utf-16", "utf-16le", "utf-16be",
      "utf-32", "iso-8859-1", "iso-8859-15", "windows-1252", "koi8-r", "iso-2022-jp", "euc-jp",
      "shift_jis", "gb2312", "gb18030", "big5", "euc-kr", "iso-2022-kr", "hz-gb-2312", "x-none" } do
      assert.equal("", (probe.charset_utf8("", charset)), charset)
    end
  end)

  it("has no fields, parameters, parts or commands", function()
    assert.same({ {}, 0 }, all(probe.fields_next, ""))
    assert.same({ "", {} }, all(probe.value_parse, ""))
    assert.same({ {}, false }, all(core.mime_fields, ""))
    assert.is_nil((core.fields("")()))
    local main, params = core.mime_value("")
    assert.same({ "", {} }, { main, params })
    assert.same({ "L", 0, 1, 1, 0 }, { table.unpack(core.mime_entities(""), 1, 5) })
    assert.is_false((probe.param_next("")))
    assert.same({ nil, "ESYNTAX" }, all(probe.command_parse, ""))
    assert.same({ nil, "ESYNTAX" }, all(probe.ascii_number, ""))
    assert.same({}, all(probe.status_parse, ""))
    assert.is_true(probe.utf8_valid(""))
    assert.is_false(probe.ascii_eightbit(""))
    for _, name in ipairs { "is_address", "is_name", "is_domain", "eightbit" } do
      assert.is_false(core[name](""), name)
    end
    assert.same({ nil, "a label is empty or over 63 bytes, the name over 253, or it is not UTF-8" },
      { core.idna("") })
    for _, name in ipairs { "path_parse", "path_check_domain", "dns_name" } do
      assert.is_falsy((probe[name]("", 0)), name)
    end
  end)
end)
