local probe = require "probe"

local STRICT, NULL, POSTMASTER, BARE = 1, 2, 4, 8

-- { local part, domain } of what was read whole, or the name of the error.
local function read(text, flags)
  local path, err = probe.path_parse(text, flags)
  if not path then return err end
  assert.are.equal(#text, path.used, text)
  return { path.local_, path.domain }
end

local function assert_reads(expected, text, flags)
  assert.are.same(expected, read(text, flags), text)
end

local function assert_refused(text, flags)
  assert.are.equal("ESYNTAX", read(text, flags), text)
end

-- Read in strict mode, and the same in lenient mode.
local function assert_both(expected, text, flags)
  assert_reads(expected, text, (flags or 0) | STRICT)
  assert_reads(expected, text, flags or 0)
end

local function refuse_both(text, flags)
  assert_refused(text, (flags or 0) | STRICT)
  assert_refused(text, flags or 0)
end

describe("path", function()
  it("is a local part and a domain, case kept", function()
    assert_both({ "ada", "code.energy" }, "<ada@code.energy>")
    assert_both({ "Ada.Love+lace", "Code.ENERGY" }, "<Ada.Love+lace@Code.ENERGY>")
    assert_both({ "!#$%&'*+-/=?^_`{|}~", "x" }, "<!#$%&'*+-/=?^_`{|}~@x>")
    assert_both({ "1", "2.3-4" }, "<1@2.3-4>")
  end)

  it("ends at its >, and what follows is left", function()
    for _, tail in ipairs { "", " SIZE=1", ">", "x", "\0\r\n<a@b>" } do
      assert.are.equal(7, probe.path_parse("<a@b.c>" .. tail, STRICT).used)
      assert.are.equal(2, probe.path_parse("<>" .. tail, STRICT | NULL).used)
      assert.are.equal(12, probe.path_parse('<"> "@[a:>]>' .. tail, STRICT).used)
    end
  end)

  it("C005 needs its < in strict mode; a space before it is never read", function()
    assert_refused("ada@x", STRICT)
    refuse_both(" <ada@x>")
    refuse_both("<ada @x>")
    refuse_both("<ada@ x>")
    refuse_both("<ada@x")
    refuse_both("")
    refuse_both("<")
  end)

  it("C005 blanks within the <> are lenient's", function()
    for _, text in ipairs { "< ada@x>", "<ada@x >", "<\tada@x>", "<ada@x\t>", "< \t ada@x \t >",
      "< @y:ada@x >" } do
      assert_refused(text, STRICT)
      assert_reads({ "ada", "x" }, text)
    end
    assert_reads({ "a b", "[127.0.0.1]" }, '< "a b"@[127.0.0.1] >')
    assert_reads({ "Postmaster", "" }, "< Postmaster\t>", POSTMASTER)
    for _, text in ipairs { "< ada@x", "< ada@x \r>", "<\nada@x>", "<\vada@x>", "<@y: ada@x>",
      "<ada\t@x>", "<ada@\tx>", "< ", "< \t", "<ada@x> >" } do
      if text:find("> >$") then
        assert.are.equal(7, probe.path_parse(text).used)
      else
        refuse_both(text)
      end
    end
  end)

  it("without <> ends before the first unquoted blank", function()
    assert_reads({ "ada", "x" }, "ada@x")
    assert.are.equal(5, probe.path_parse("ada@x SIZE=1").used)
    assert.are.equal(5, probe.path_parse("ada@x\tSIZE=1").used)
    local path = probe.path_parse('"a b"@x >')
    assert.are.same({ "a b", "x", 7 }, { path.local_, path.domain, path.used })
    for _, text in ipairs { "ada@x>", "ada@x;", "ada@x,b@y", "@a:ada@x", " ada@x" } do
      assert_refused(text)
    end
  end)

  it("C006 <> is the null path where that is allowed", function()
    for _, flags in ipairs { NULL, NULL | STRICT } do
      local path = probe.path_parse("<>", flags)
      assert.are.same({ local_ = "", domain = "", null = true, eightbit = false, used = 2 }, path)
      assert.are.equal("<>", probe.path_format(path))
      assert.are.equal("", probe.path_format_mailbox(path))
      assert.is_false(probe.path_parse("<a@b>", flags).null)
    end
    refuse_both("<>")
    refuse_both("<>", POSTMASTER)
    refuse_both("", NULL)
    for _, text in ipairs { "< >", "<\t>" } do
      assert_refused(text, NULL | STRICT)
      assert.is_true(probe.path_parse(text, NULL).null)
      assert_refused(text, POSTMASTER)
    end
  end)

  it("C007 <Postmaster> in any case needs no domain where that is allowed", function()
    for _, name in ipairs { "Postmaster", "postmaster", "POSTMASTER", "pOstmasteR" } do
      assert_both({ name, "" }, "<" .. name .. ">", POSTMASTER)
      assert.are.equal("<" .. name .. ">", probe.path_format { local_ = name, domain = "" })
      refuse_both("<" .. name .. ">")
      assert_both({ name, "x" }, "<" .. name .. "@x>", POSTMASTER)
    end
    assert_reads({ "postmaster", "" }, "postmaster", POSTMASTER)
    for _, text in ipairs { "<postmaste>", "<postmasters>", "<root>", '<"postmaster">',
      "<@a:postmaster>", "<postmaster@>", "<postmaster.>", "<.postmaster>" } do
      refuse_both(text, POSTMASTER)
    end
  end)

  it("C008 a source route is read and dropped", function()
    assert_both({ "user", "c" }, "<@a,@b:user@c>")
    assert_both({ "user", "c" }, "<@a.b-c.d:user@c>")
    assert_both({ "a:b", "c" }, '<@a,@b:"a:b"@c>')
    assert.are.equal("<user@c>", probe.path_format(probe.path_parse("<@a,@b:user@c>")))
    for _, text in ipairs { "<@:u@c>", "<@a,:u@c>", "<@a,b:u@c>", "<@a @b:u@c>", "<@a;u@c>",
      "<@a>", "<@a:>", "<@a:@b:u@c>", "<@a,@b>", "<a,@b:u@c>", "<:u@c>", "<@a.:@u@c>", "<@-a:u@c>",
      "<@a, @b:u@c>", "<@[1.2.3.4]:u@c>" } do
      refuse_both(text)
    end
  end)

  it("C013 local part of 64, domain of 255 and path of 256 are read", function()
    local domain = function(n) return ("d"):rep(n) end
    assert_both({ ("a"):rep(64), "x" }, "<" .. ("a"):rep(64) .. "@x>")
    assert.are.equal("ETOOBIG", read("<" .. ("a"):rep(65) .. "@x>", STRICT))
    assert_reads({ ("a"):rep(65), "x" }, "<" .. ("a"):rep(65) .. "@x>")
    assert_reads({ ("a"):rep(255), "x" }, "<" .. ("a"):rep(255) .. "@x>")
    assert.are.equal("ETOOBIG", read("<" .. ("a"):rep(256) .. "@x>"))
    assert.are.equal("ETOOBIG", read('<"' .. (" "):rep(256) .. '"@x>'))
    assert_both({ "a", domain(252) }, "<a@" .. domain(252) .. ">")
    for _, flags in ipairs { 0, STRICT } do
      assert.are.equal("ETOOBIG", read("<a@" .. domain(253) .. ">", flags))
      assert.are.equal("ETOOBIG", read("<a@" .. domain(256) .. ">", flags))
      assert.are.equal("ETOOBIG", read("<@" .. domain(256) .. ":a@b>", flags))
      assert.are.equal("ETOOBIG", read("<a@[x:" .. domain(255) .. "]>", flags))
      assert.is_true(probe.path_check_domain(domain(255), flags))
      assert.is_nil(probe.path_check_domain(domain(256), flags))
    end
    assert_both({ ("a"):rep(64), domain(189) }, "<" .. ("a"):rep(64) .. "@" .. domain(189) .. ">")
    assert.are.equal("ETOOBIG", read("<" .. ("a"):rep(64) .. "@" .. domain(190) .. ">"))
    assert_reads({ ("a"):rep(99), domain(189) }, "<" .. ("a"):rep(99) .. "@" .. domain(189) .. ">")
    assert.are.equal("ETOOBIG", read("<" .. ("a"):rep(99) .. "@" .. domain(190) .. ">"))
  end)

  it("C013 measures a quoted local part as it would be written", function()
    assert_reads({ ("a"):rep(64), "x" }, '<"' .. ("\\a"):rep(64) .. '"@x>', STRICT)
    assert_reads({ (" "):rep(62), "x" }, '<"' .. (" "):rep(62) .. '"@x>', STRICT)
    assert.are.equal("ETOOBIG", read('<"' .. (" "):rep(63) .. '"@x>', STRICT))
    assert_reads({ ('"'):rep(31), "x" }, '<"' .. ('\\"'):rep(31) .. '"@x>', STRICT)
    assert.are.equal("ETOOBIG", read('<"' .. ('\\"'):rep(32) .. '"@x>', STRICT))
    assert_reads({ ('"'):rep(255), "x" }, '<"' .. ('\\"'):rep(255) .. '"@x>')
  end)

  it("C027 quoted local parts are read and written again", function()
    for text, meaning in pairs {
      ['<"a b"@x>'] = "a b", ['<""@x>'] = "", ['<"a@b"@x>'] = "a@b", ['<" "@x>'] = " ",
      ['<"a\\\\b"@x>'] = "a\\b", ['<"a\\"b"@x>'] = 'a"b', ['<">"@x>'] = ">", ['<"a."@x>'] = "a.",
      ['<"<@a:b@c>"@x>'] = "<@a:b@c>", ['<"(),:;[]"@x>'] = "(),:;[]", ['<".."@x>'] = "..",
    } do
      assert_both({ meaning, "x" }, text)
      assert.are.equal(text, probe.path_format(probe.path_parse(text)))
    end
  end)

  it("C027 the meaning has no quotes: they are written only where they must", function()
    for text, written in pairs {
      ['<"a\\@b"@x>'] = '<"a@b"@x>', ['<"ada"@x>'] = "<ada@x>", ['<"\\a\\d\\a"@x>'] = "<ada@x>",
      ['<"a.b"@x>'] = "<a.b@x>", ['<"a\\ b"@x>'] = '<"a b"@x>',
    } do
      assert.are.equal(written, probe.path_format(probe.path_parse(text, STRICT)))
    end
  end)

  it("C027 refuses quotes that are open or not the whole local part", function()
    for _, text in ipairs { '<">', '<"@x>', '<"a@x>', '<"a\\"@x>', '<"a\\', '<"', '<a"@x>',
      '<"a"b@x>', '<a"b"@x>', '<"a""b"@x>', '<"a".b@x>', '<"a">', '<"a" @x>', "<\\a@x>",
      '<"a"@b@c>', '<"a"@"b">' } do
      refuse_both(text)
    end
  end)

  it("an unquoted local part holds no @, so the domain is the same for every reader", function()
    assert_both({ "a@b", "c" }, '<"a@b"@c>')
    assert_both({ '"@b', "c" }, '<"\\"@b"@c>')
    assert_both({ "a@b@c", "d" }, '<"a@b@c"@d>')
    assert_both({ "a", "[x:b@c]" }, "<a@[x:b@c]>")
    for _, text in ipairs { "<a@b@c>", "<eve@evil.example@example.com>", "<a@@c>", "<a@b@@c>",
      "<a@b!d@c>", "<a@b@[1.2.3.4]>", "<a@[1.2.3.4]@b>", "<@r:a@b@c>", '<"a"@b@c>', "<a@b@>",
      "<@b@c>", "<@c>", "<a>", "a@b@c", "a@b@c SIZE=1", "a@[1.2.3.4]@b" } do
      refuse_both(text)
    end
    for _, flags in ipairs { BARE, BARE | NULL | POSTMASTER } do
      refuse_both("a@b@c", flags)
      assert_both({ "a@b", "c" }, '"a@b"@c', flags)
    end
  end)

  it("an unquoted local part holds no special character", function()
    for char in ('()<>[]:;\\,"@ '):gmatch(".") do
      refuse_both("<a" .. char .. "b@c>")
      assert_refused("<" .. char .. "b@c>", STRICT)
      if char ~= " " then refuse_both("<" .. char .. "b@c>") end -- before it: lenient's
      refuse_both("<a" .. char .. "@c>")
      local quoted = char:gsub('[\\"]', "\\%0")
      assert_both({ "a" .. char .. "b", "c" }, '<"a' .. quoted .. 'b"@c>')
    end
  end)

  it("odd dots of a local part are read in lenient mode and quoted", function()
    for _, odd in ipairs { ".a", "a.", "a..b", ".", "..." } do
      assert_refused("<" .. odd .. "@x>", STRICT)
      assert_reads({ odd, "x" }, "<" .. odd .. "@x>")
      local written = probe.path_format(probe.path_parse(odd .. "@x"))
      assert.are.equal('<"' .. odd .. '"@x>', written)
      assert_reads({ odd, "x" }, written, STRICT)
    end
  end)

  it("a domain is labels of letters, digits and inner hyphens", function()
    for _, domain in ipairs { "x", "a.b", "1.2.3.4", "a--b.c", "xn--bcher-kva.example", "9" } do
      assert_both({ "a", domain }, "<a@" .. domain .. ">")
    end
    for _, domain in ipairs { "", ".", "..", ".b", "b..c", "-b", "b-", "b.-c", "b-.c", "b,c", "b!c",
      "b c", "b:c", "(b)", "b/", "b\\c", '"b"', "..b", "b..", "-", "b+c" } do
      refuse_both("<a@" .. domain .. ">")
    end
  end)

  it("underscores and a trailing dot of the domain are read in lenient mode", function()
    for text, domain in pairs {
      ["<a@b_c>"] = "b_c", ["<a@_b.c_>"] = "_b.c_", ["<a@b.c.>"] = "b.c",
    } do
      assert_refused(text, STRICT)
      assert_reads({ "a", domain }, text)
    end
    assert.are.equal("<a@b.c>", probe.path_format(probe.path_parse("<a@b.c.>")))
  end)

  it("control characters and NUL are refused, quoted or not", function()
    for byte = 0, 127 do
      local char = string.char(byte)
      if char:find "%c" then
        for i, text in ipairs { "<%a@b>", "<a@b%>", "a@b%", "<a%b@x>", '<"a%b"@x>', '<"a\\%b"@x>',
          "<a@b%c>", "<a@[x:%]>", "<@%:a@b>" } do
          local filled = text:gsub("%%", { ["%"] = char })
          assert_refused(filled, NULL | POSTMASTER | STRICT)
          if char ~= "\t" or i > 3 then assert_refused(filled, NULL | POSTMASTER) end
        end
      end
    end
  end)

  it("UTF-8 is read and told (RFC 6531)", function()
    for _, text in ipairs { "<jürgen@x>", "<a@bücher.example>", "<用户@例え.jp>", '<"ü b"@x>' } do
      assert.is_true(probe.path_parse(text, STRICT).eightbit)
      assert.are.equal(text, probe.path_format(probe.path_parse(text)))
    end
    assert.is_false(probe.path_parse("<a@b>").eightbit)
    for _, text in ipairs { "<\xff@x>", "<a@\xff>", '<"\xc3"@x>', "<a\xc3@x>", "<a@b\xe2\x82>",
      '<"\\ü"@x>', "<@\xff:a@b>", "<a@[x:ü]>", "<\xed\xa0\x80@x>", "<a@-ü>" } do
      refuse_both(text)
    end
  end)

  it("the controls of Unicode and its ends of lines are refused, their neighbours read", function()
    for _, point in ipairs { 0x80, 0x85, 0x9f, 0x2028, 0x2029 } do
      for _, text in ipairs { "<a%s@b>", '<"%s"@b>', "<a@b%s>" } do
        refuse_both(text:format(utf8.char(point)))
      end
    end
    for _, point in ipairs { 0xa0, 0xa1, 0x2027, 0x202a, 0x10ffff } do
      for _, text in ipairs { "<a%s@b>", '<"%s"@b>' } do
        assert.is_true(probe.path_parse(text:format(utf8.char(point)), STRICT).eightbit)
      end
    end
  end)
end)

describe("path literal", function()
  local function literals(list, check)
    for _, literal in ipairs(list) do check(literal) end
  end

  it("C026 IPv4, IPv6 and General-address literals are read", function()
    literals({ "1.2.3.4", "0.0.0.0", "255.255.255.255", "001.02.3.4", "IPv6:::", "IPv6:::1",
      "IPv6:2001:db8::1", "ipv6:FE80::abcd", "IPv6:1:2:3:4:5:6:7:8", "IPv6:1:2:3:4:5:6::",
      "IPv6:::3:4:5:6:7:8", "IPv6:1::8", "IPv6:::ffff:1.2.3.4", "IPv6:1:2:3:4:5:6:1.2.3.4",
      "IPv6:1:2:3:4::1.2.3.4", "IPv6:::1.2.3.4", "IPv6:0001:02:003:4::", "X-tag:a!Z^~", "4:x",
      "tag:a:b" }, function(literal)
      assert_both({ "a", "[" .. literal .. "]" }, "<a@[" .. literal .. "]>")
      assert.is_true(probe.path_check_domain("[" .. literal .. "]", STRICT))
    end)
  end)

  it("C026 malformed literals are refused", function()
    literals({ "", "1", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.", ".1.2.3", "1..2.3", "1.2.3.4 ",
      " 1.2.3.4", "1.2.3.0004", "1.2.3.-4", "a.b.c.d", "1.2.3.0x1", "IPv6", "IPv6:", "IPv6:1", ":",
      "IPv6:1:2:3:4:5:6:7", "IPv6:1:2:3:4:5:6:7:8:9", "IPv6:1:2:3:4:5:6:7::",
      "IPv6:::2:3:4:5:6:7:8", "IPv6:1:2:3:4:5:6:7:8::", "IPv6:1::2::3", "IPv6::::",
      "IPv6::1", "IPv6:1:", "IPv6:1:::2",
      "IPv6:12345::", "IPv6:g::", "IPv6:1.2.3.4", "IPv6:1:2:3:4:5:6:7:1.2.3.4", "IPv6:::1.2.3.4:5",
      "IPv6:1:2:3:4:5::1.2.3.4", "IPv6:::1.2.3", "IPv6:::1.2.3.256", "IPv6:fe80::1%eth0",
      "IPv6:::1 ",
      "::1", ":x", "tag:", "-:x", "tag-:x", "t_g:x", "tag:a b", "tag:[", "tag:\\]", "tag:a\\b",
      "tag" }, function(literal)
      refuse_both("<a@[" .. literal .. "]>")
      local ok, err = probe.path_check_domain("[" .. literal .. "]", STRICT)
      assert.are.same({ nil, "ESYNTAX" }, { ok, err })
    end)
    for _, text in ipairs { "<a@[1.2.3.4>", "<a@1.2.3.4]>", "<a@[1.2.3.4]x>", "<a@x[1.2.3.4]>",
      "<a@[[1.2.3.4]]>", "<a@[1.2.3.4].>", "<a@[", "<a@[]", "a@[1.2.3.4" } do
      refuse_both(text)
    end
  end)
end)

describe("path bare", function()
  it("is a mailbox and all of the input", function()
    assert_both({ "ada", "x" }, "ada@x", BARE)
    assert_both({ "a b", "x" }, '"a b"@x', BARE)
    assert_both({ "postmaster", "" }, "postmaster", BARE | POSTMASTER)
    for _, text in ipairs { "<ada@x>", "ada@x ", "ada@x SIZE=1", " ada@x", "@a:ada@x", "ada", "<>",
      "ada@x\r\n", "ada@x>", "ada@x\0" } do
      refuse_both(text, BARE | NULL)
    end
  end)

  it("is the null path if it is empty and that is allowed", function()
    refuse_both("", BARE)
    assert.is_true(probe.path_parse("", BARE | NULL).null)
    assert.is_true(probe.path_parse("", BARE | NULL | STRICT).null)
  end)
end)

describe("path check_domain", function()
  it("is strict about names and literals", function()
    for _, name in ipairs { "x", "client.code.energy", "bücher.example" } do
      assert.is_true(probe.path_check_domain(name, STRICT))
    end
    for _, name in ipairs { "", "a b", "a_b", "a.", "-a", "[1.2.3.4]x", "a\0", "a@b", "\xff" } do
      assert.are.same({ nil, "ESYNTAX" }, { probe.path_check_domain(name, STRICT) }, name)
    end
  end)

  it("is lenient about anything printable", function()
    for _, name in ipairs { "x", "a_b", "a.", "-", "[oops", "my!host", "ü" } do
      assert.is_true(probe.path_check_domain(name))
    end
    for _, name in ipairs { "", "a b", " ", "a\t", "a\0", "a\127", "\xff" } do
      assert.are.same({ nil, "ESYNTAX" }, { probe.path_check_domain(name) }, name)
    end
  end)
end)

describe("path properties", function()
  local random = math.random

  local function pick(list) return list[random(#list)] end

  local function repeated(n, make)
    local parts = {}
    for i = 1, n do parts[i] = make() end
    return parts
  end

  local letters = {}
  for c in ("abcXYZ0189"):gmatch "." do letters[#letters + 1] = c end

  local function local_part()
    local kind = random(3)
    return table.concat(repeated(random(0, kind == 3 and 15 or 30), function()
      if kind == 1 then return pick(letters) end
      if kind == 2 then return string.char(random(32, 126)) end
      return random(4) == 1 and pick { "ü", "例", "𐍈" } or pick { ".", "@", '"', "\\", " ", "a" }
    end))
  end

  local function domain()
    if random(5) == 1 then
      return pick { "[1.2.3.4]", "[IPv6:2001:db8::1]", "[x-y:^!a]", "[IPv6:::ffff:1.2.3.4]" }
    end
    return table.concat(repeated(random(4), function()
      local label = repeated(random(10), function() return pick(letters) end)
      return table.concat(label, pick { "", "-" })
    end), ".")
  end

  it("parse(format(p)) is p for random paths", function()
    math.randomseed(1)
    for _ = 1, 4000 do
      local path = { local_ = local_part(), domain = domain(), null = false }
      local written = probe.path_format(path)
      for _, flags in ipairs { 0, STRICT } do
        assert_reads({ path.local_, path.domain }, written, flags)
        local mailbox = probe.path_format_mailbox(path)
        assert_reads({ path.local_, path.domain }, mailbox, flags | BARE)
      end
    end
  end)

  it("what is read from noise is written in a form that is read alike", function()
    local found, alphabet = 0, { "a", "B", "1", "c", "d", "é", ".", ".", "@", "@", '"', '"@', "\\",
      "<", ">", " ", "-", "_", ",", ":", "[", "[1.2.3.4]", "@[x:y]", "\xc3", "\0", "postmaster" }
    math.randomseed(2)
    for _ = 1, 8000 do
      local text = table.concat(repeated(random(0, 4), function() return pick(alphabet) end))
      text = pick { "<", "<a", '<"', "<@a:", "" } .. text .. pick { "@x>", '"@x>', "@x", "", ">" }
      local flags = random(0, 7) | (random(8) == 1 and BARE or 0)
      local path = probe.path_parse(text, flags)
      if path then
        found = found + 1
        assert.is_true(path.used <= #text)
        local again = probe.path_parse(probe.path_format(path), flags & ~BARE)
        path.used, again.used = nil, nil
        assert.are.same(path, again, text)
      end
    end
    assert.is_true(found > 400, found)
  end)

  it("a path that is cut short is refused and read no further", function()
    for _, whole in ipairs { '<@a,@b:"a\\ b"@c.d>', "<a.b@[IPv6:1::2:1.2.3.4]>", "<ü@例え.jp>" } do
      for n = 0, #whole - 1 do refuse_both(whole:sub(1, n), POSTMASTER | NULL) end
    end
  end)
end)

describe("path format", function()
  it("meets the cap exactly", function()
    local path = { local_ = "a b", domain = "x" }
    assert.are.equal('<"a b"@x>', probe.path_format(path, 9))
    assert.are.same({ nil, "ETOOBIG", "" }, { probe.path_format(path, 8) })
    assert.are.same({ nil, "ETOOBIG", "" }, { probe.path_format_mailbox(path, 6) })
  end)

  it("tells when an allocation fails", function()
    for _, name in ipairs { "path_format", "path_format_mailbox" } do
      probe.fail_at(1)
      local text, err = probe[name] { local_ = "a", domain = "x" }
      probe.fail_at()
      assert.are.same({ nil, "ENOMEM" }, { text, err })
    end
  end)
end)
