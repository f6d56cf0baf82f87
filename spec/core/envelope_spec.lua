-- The parameters of MAIL and RCPT as typed values.
local core = require "smtp.core"
local probe = require "probe"

local ALL = "SIZE 8BITMIME AUTH SMTPUTF8 CHUNKING BINARYMIME DSN REQUIRETLS DELIVERBY MT-PRIORITY "
  .. "FUTURERELEASE RRVS PRDR"

local function mail(text, offered, own)
  return probe.mail_params_parse(text, offered or ALL, own)
end

local function rcpt(text, offered, own)
  return probe.rcpt_params_parse(text, offered or ALL, own)
end

local function each(parse, cases)
  for text, expected in pairs(cases) do
    local got, err = parse(" " .. text)
    assert.same(expected, got or err, text)
  end
end

local BAD = "ESYNTAX"

describe("a parameter of MAIL", function()
  it("is unknown where it was not offered", function()
    for text, keyword in pairs { SMTPUTF8 = "SMTPUTF8", ["RET=FULL"] = "DSN", ["ENVID=x"] = "DSN",
      REQUIRETLS = "REQUIRETLS", PRDR = "PRDR", ["BY=1;N"] = "DELIVERBY",
      ["MT-PRIORITY=1"] = "MT-PRIORITY",
      ["HOLDFOR=1"] = "FUTURERELEASE", ["HOLDUNTIL=2026-01-01T00:00:00Z"] = "FUTURERELEASE",
      ["AUTH=<>"] = "AUTH", ["SIZE=1"] = "SIZE" } do
      local rest = ALL:gsub(keyword:gsub("%-", "%%-"), "")
      assert.same({ nil, "EINVALID" }, { mail(" " .. text, rest) }, text)
      assert.is_table(mail(" " .. text))
      assert.same({ nil, BAD }, { mail(" " .. text .. " " .. text:lower()) }, text) -- twice
    end
  end)

  it("may be one's own", function()
    assert.same({}, mail(" XADA=1 xbob", nil, "XADA XBOB"))
    assert.same({ nil, "EINVALID" }, { mail(" XADA=1 XEVE", nil, "XADA XBOB") })
  end)

  it("C064 BODY has BINARYMIME where that is offered", function()
    assert.same({ body = "BINARYMIME" }, mail(" BODY=binarymime"))
    assert.same({ nil, BAD }, { mail(" BODY=BINARYMIME", "8BITMIME CHUNKING") })
  end)

  it("C097 SMTPUTF8 has no value", function()
    each(mail, { SMTPUTF8 = { smtputf8 = true }, smtputf8 = { smtputf8 = true },
      ["SMTPUTF8=1"] = BAD })
  end)

  it("C118 REQUIRETLS has no value", function()
    each(mail, { RequireTLS = { requiretls = true }, ["REQUIRETLS=yes"] = BAD })
  end)

  it("PRDR has no value", function()
    each(mail, { prdr = { prdr = true }, ["PRDR=1"] = BAD, ["PRDR="] = BAD })
  end)

  it("C075 RET and ENVID", function()
    each(mail, { ["RET=FULL"] = { ret = "FULL" }, ["ret=hdrs"] = { ret = "HDRS" }, RET = BAD,
      ["RET=HEADERS"] = BAD, ["ENVID=QQ+2Bx"] = { envid = "QQ+2Bx" }, ENVID = BAD,
      ["ENVID=+2b"] = BAD, ["ENVID=+00"] = BAD, ["ENVID=a+0Db"] = BAD, ["ENVID=+7F"] = BAD,
      ["ENVID=id+2B7"] = { envid = "id+2B7" }, ["ENVID=a+20b"] = { envid = "a+20b" },
      ["ENVID=" .. ("x"):rep(100)] = { envid = ("x"):rep(100) },
      ["ENVID=" .. ("x"):rep(101)] = BAD })
  end)

  it("C135 C155 BY is a time, a mode and perhaps a trace", function()
    each(mail, {
      ["BY=120;R"] = { by = 120, by_returns = true }, ["by=-98;nt"] = { by = -98, by_trace = true },
      ["BY=+5;RT"] = { by = 5, by_returns = true, by_trace = true }, ["BY=0;N"] = { by = 0 },
      ["BY=0;R"] = BAD, ["BY=-1;R"] = BAD, ["BY=999999999;N"] = { by = 999999999 },
      ["BY=1234567890;N"] = BAD, ["BY=5"] = BAD, ["BY=5;"] = BAD, ["BY=5;X"] = BAD,
      ["BY=;N"] = BAD, ["BY=5;NX"] = BAD, ["BY=5;NTT"] = BAD, BY = BAD, ["BY=-;N"] = BAD,
    })
  end)

  it("C136 C157 MT-PRIORITY is -9 to 9", function()
    for n = -9, 9 do assert.same({ priority = n }, mail(" MT-PRIORITY=" .. n)) end
    each(mail, { ["MT-PRIORITY=10"] = BAD, ["MT-PRIORITY=-0"] = BAD,
      ["MT-PRIORITY=+5"] = BAD, ["MT-PRIORITY="] = BAD, ["MT-PRIORITY=-10"] = BAD,
      ["MT-PRIORITY=1 MT-PRIORITY=1"] = BAD,
      ["MT-PRIORITY=-"] = BAD, ["MT-PRIORITY"] = BAD, ["MT-PRIORITY=1.5"] = BAD,
      ["MT-PRIORITY=x"] = BAD })
  end)

  it("C137 C159 HOLDFOR or HOLDUNTIL, not both", function()
    each(mail, { ["HOLDFOR=1"] = { hold_for = 1 }, ["HOLDFOR=999999999"] = { hold_for = 999999999 },
      ["HOLDFOR=0"] = BAD, ["HOLDFOR=1234567890"] = BAD, ["HOLDFOR=1h"] = BAD, HOLDFOR = BAD,
      ["HOLDUNTIL=2026-11-25T23:00:00Z"] = { hold_until = "2026-11-25T23:00:00Z" },
      ["HOLDUNTIL=tomorrow"] = BAD, ["HOLDFOR=1 HOLDUNTIL=2026-11-25T23:00:00Z"] = BAD,
      ["HOLDUNTIL=2026-11-25T23:00:00Z HOLDFOR=1"] = BAD })
  end)

  it("a date-time is a number of seconds in the Gregorian calendar", function()
    local months = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }
    local day = -719528 -- of 0000-01-01, counted from 1970-01-01
    for year = 0, 9999 do
      local leap = year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)
      for month, days in ipairs(months) do
        if month == 2 and leap then days = 29 end
        local text = ("%04d-%02d-%%02dT00:00:00Z"):format(year, month)
        if core.date_time(text:format(1)) ~= day * 86400
          or core.date_time(text:format(days)) ~= (day + days - 1) * 86400
          or core.date_time(text:format(days + 1)) then
          error(text)
        end
        day = day + days
      end
    end
    assert.equal(0, core.date_time("1970-01-01T00:00:00Z"))
    assert.equal(86399, core.date_time("1970-01-01T23:59:59.9z"))
    assert.equal(-19800, core.date_time("1970-01-01T00:00:00+05:30"))
    assert.equal(3660, core.date_time("1970-01-01T00:00:60-01:00"))
  end)

  it("a date-time is that of RFC 3339", function()
    for _, good in ipairs { "2026-11-25T23:00:00Z", "2024-02-29t00:00:60z", "2000-02-29T00:00:00Z",
      "2026-11-25T23:00:00.5Z", "2026-11-25T23:00:00.123456789+05:30", "0000-01-01T00:00:00-23:59" }
    do assert.same({ hold_until = good }, mail(" HOLDUNTIL=" .. good)) end
    for _, bad in ipairs { "2026-11-25", "2026-11-25T23:00:00", "2026-13-01T00:00:00Z",
      "2026-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2026-04-31T00:00:00Z",
      "2026-11-00T00:00:00Z",
      "2026-11-25T24:00:00Z", "2026-11-25T23:60:00Z", "2026-11-25T23:00:61Z",
      "2026-11-25T23:00:00.Z",
      "2026-11-25T23:00:00+24:00", "2026-11-25T23:00:00+0100", "2026-11-25T23:00:00Zx",
      "26-11-25T23:00:00Z", "2026-11-25 23:00:00Z", "2026-11-2\xc3\xa9T23:00:00Z" } do
      assert.same({ nil, BAD }, { mail(" HOLDUNTIL=" .. bad) }, bad)
    end
  end)
end)

describe("a parameter of RCPT", function()
  it("C074 NOTIFY is NEVER, or a list of the others", function()
    each(rcpt, { ["NOTIFY=NEVER"] = { notify = 1 }, ["notify=success"] = { notify = 2 },
      ["NOTIFY=FAILURE,DELAY"] = { notify = 12 },
      ["NOTIFY=SUCCESS,FAILURE,DELAY"] = { notify = 14 },
      ["NOTIFY=NEVER,DELAY"] = BAD, ["NOTIFY=DELAY,NEVER"] = BAD, NOTIFY = BAD, ["NOTIFY=,"] = BAD,
      ["NOTIFY=DELAY,"] = BAD, ["NOTIFY=,DELAY"] = BAD, ["NOTIFY=ALWAYS"] = BAD,
      ["NOTIFY=DELAY NOTIFY=DELAY"] = BAD })
  end)

  it("C075 C076 ORCPT is a type and xtext", function()
    each(rcpt, { ["ORCPT=rfc822;ada@code.energy"] = { orcpt = "rfc822;ada@code.energy" },
      ["ORCPT=rfc822;a+2Bb+3D@code.energy"] = { orcpt = "rfc822;a+2Bb+3D@code.energy" },
      ["ORCPT=ada@code.energy"] = BAD, ["ORCPT=;x"] = BAD, ["ORCPT=rfc822;"] = BAD,
      ["ORCPT=rfc822;a+3d"] = BAD, ["ORCPT=rfc822;+00"] = BAD, ["ORCPT=rfc822;b+0Ab@x"] = BAD,
      ["ORCPT=x400;+1F"] = BAD, ["ORCPT=utf-8;+7F"] = BAD, ["ORCPT=rf c822;x"] = BAD,
      ["ORCPT=utf-8;\\x{E9}@x"] = { orcpt = "utf-8;\\x{E9}@x" },
      ["ORCPT=utf-8;a\\b@x"] = BAD, ["ORCPT=utf-8;\\x{0A}"] = BAD, ["ORCPT=utf-8;+FF"] = BAD,
      ["ORCPT=utf-8;\u{e9}@x"] = { orcpt = "utf-8;\u{e9}@x" }, ["ORCPT=rfc822;\u{e9}@x"] = BAD,
      ["ORCPT=rfc822;" .. ("x"):rep(493)] = { orcpt = "rfc822;" .. ("x"):rep(493) },
      ["ORCPT=rfc822;" .. ("x"):rep(494)] = BAD, ORCPT = BAD })
    assert.same({ nil, BAD }, { rcpt(" ORCPT=utf-8;\u{e9}@x", "DSN") })
  end)

  it("C138 C161 RRVS is a date-time and perhaps what to do", function()
    local at = "2026-11-25T23:00:00Z"
    each(rcpt, { ["RRVS=" .. at] = { rrvs = at }, ["RRVS=" .. at .. ";C"] = { rrvs = at .. ";C" },
      ["RRVS=" .. at .. ";r"] = { rrvs = at .. ";r" }, ["RRVS=" .. at .. ";X"] = BAD,
      ["RRVS=" .. at .. ";"] = BAD, RRVS = BAD, ["RRVS=x;C"] = BAD })
  end)

  it("is unknown where it was not offered", function()
    assert.same({ nil, "EINVALID" }, { rcpt(" NOTIFY=NEVER", "RRVS") })
    assert.same({ nil, "EINVALID" }, { rcpt(" RRVS=2026-11-25T23:00:00Z", "DSN") })
    assert.same({}, rcpt(" XADA", nil, "XADA"))
  end)
end)
