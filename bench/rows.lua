-- SPDX-License-Identifier: MIT
-- bench/rows.lua: what is measured: for each row its contestants, its driver and its goals.
--
-- A row is { id, title, test, messages, drive or peer, contestants, goals, base, unit, rate,
-- versions }.
-- test is "server": each contestant is a server, drive(port, messages) makes the command line
-- that sends to it, CPU and RSS are the server's, wall is the driver's. Or test is "client": each
-- contestant is a client, sending to a fresh server peer, and all figures are the client's. Or it
-- is "alone": a contestant is a program that talks to nobody.
-- A contestant is { name, command, scale, fixed_port, missing }: scale n means that a slow one
-- gets a share of messages, 1 / n, and its cost beyond that of one message is scaled up; missing
-- is the reason why it is left out. Contestant "floor" comes first, "lua-smtp" is ours.
-- Ratios are to the contestant base, by default "floor"; unit is what is counted, if not messages,
-- and rate prints how many of them there are in a CPU second. versions are commands that print one.
-- A goal is { what, below = contestant, factor }: our figure of that kind over the other's; or
-- { what, most }: seconds of ours a message.

local harness = require "harness"

local build, lua = harness.build, harness.lua

local function program(name)
  return function(argument) return build .. name .. " " .. argument end
end

local function script(name)
  return function(argument, ...) return table.concat({ lua, name, argument, ... }, " ") end
end

-- A server under TLS, and a program that works on what bench/material.lua made.
local function secured(command)
  local certificate = harness.material .. "/certificate"
  return function(portfile) return command(portfile .. " " .. certificate) end
end

local function worker(interpreter, name)
  return function(messages)
    return ("%s %s %s %d"):format(interpreter, name, harness.material, messages)
  end
end

local function client(name)
  return function(port, messages) return ("%s%s %s %d"):format(build, name, port, messages) end
end

local function smtp_source(options)
  return function(port, messages)
    return ("smtp-source %s -m %d -l 1024 127.0.0.1:%s"):format(options, messages, port)
  end
end

-- smtp-sink started by root wants to be told who else to be.
local as_user = harness.output("id -u") == "0" and "-u nobody " or ""
local function smtp_sink(port)
  return ("smtp-sink %s127.0.0.1:%s 1024"):format(as_user, port)
end

-- The python that has aiosmtpd may not be the first one in the PATH.
local python
for _, name in ipairs { "python3", "/usr/bin/python3" } do
  if harness.succeeds(name .. " -c 'import aiosmtpd'") then
    python = name
    break
  end
end
local function aiosmtpd(portfile) return python .. " bench/peer_aiosmtpd.py " .. portfile end

-- Debian's python is built with more care than one that was built at home.
local plain_python = harness.installed("/usr/bin/python3") and "/usr/bin/python3" or "python3"

local MODULES = build .. "npm/node_modules/"

local absent = {
  ours = not harness.succeeds(lua .. [[ -e 'package.path = "lua/?.lua;lua/?/init.lua"
    package.cpath = "build/?.so" require "smtp"']]) and "not built",
  postfix = not harness.installed("smtp-source") and "postfix is not installed",
  aiosmtpd = not python and "python3-aiosmtpd is not installed",
  luasocket = not harness.succeeds(lua .. [[ -e 'require "socket.smtp"']])
    and "lua-socket is not installed",
  curl = not harness.built("peer_curl") and "libcurl4-openssl-dev is not installed",
  gosmtp = not harness.built("peer_gosmtp")
    and "golang-go and golang-github-emersion-go-smtp-dev are not installed",
  python = not harness.installed(plain_python) and "python3 is not installed",
  nodemailer = not (harness.installed("node") and harness.succeeds("test -d " .. MODULES
    .. "nodemailer")) and "node is not installed, or npm has not installed it",
}

-- The servers of a row; the peers' shares are such that no run takes much over a second or two.
local function servers(floor, sink_scale, go_scale, python_scale)
  return {
    { name = "floor", command = program(floor) },
    { name = "lua-smtp", command = script("bench/server.lua"), missing = absent.ours },
    { name = "smtp-sink", command = smtp_sink, fixed_port = true, scale = sink_scale,
      missing = absent.postfix },
    { name = "go-smtp", command = program("peer_gosmtp"), scale = go_scale,
      missing = absent.gosmtp },
    { name = "aiosmtpd", command = aiosmtpd, scale = python_scale, missing = absent.aiosmtpd },
  }
end

local function tls_servers()
  return {
    { name = "floor", command = secured(program("floor_tls")) },
    { name = "lua-smtp", command = secured(script("bench/server.lua")) },
  }
end

-- Ours below each of the others.
local function faster_than(...)
  local goals = {}
  for _, name in ipairs { ... } do
    for _, what in ipairs { "cpu", "wall" } do
      goals[#goals + 1] = { what = what, below = name, factor = 1 }
    end
  end
  return goals
end

local MESSAGE = 25 * 1024 * 1024
local OPENSSL = "openssl version | cut -d' ' -f1-2"
local PYTHON = plain_python .. " --version"
local NODE = "echo node $(node --version)"
local NODEMAILER = "sed -n 's/^ *\"version\": \"\\(.*\\)\".*/nodemailer \\1/p' " .. MODULES
  .. "nodemailer/package.json"

return {
  {
    id = "S1", title = "server, 40,000 messages of 1 KiB, 50 connections kept",
    test = "server", messages = 40000, drive = smtp_source("-s 50 -d"), missing = absent.postfix,
    contestants = servers("floor_server", 1, 4, 20),
    goals = {
      { what = "cpu", below = "floor", factor = 1.3 },
      { what = "cpu", below = "smtp-sink", factor = 0.8 },
    },
  },
  {
    id = "S2", title = "server, 40,000 messages of 1 KiB, a connection for each",
    test = "server", messages = 40000, drive = smtp_source("-s 50"), missing = absent.postfix,
    contestants = servers("floor_server", 4, 4, 40),
    goals = {
      { what = "cpu", below = "floor", factor = 1.5 },
      { what = "cpu", below = "smtp-sink", factor = 1 },
    },
  },
  {
    id = "S3", title = "server, 41 messages of 25 MiB (1 GiB), the handler reads every chunk",
    test = "server", messages = 41,
    drive = function(port, messages)
      return ("%ssource %s %d %d"):format(build, port, messages, MESSAGE)
    end,
    contestants = servers("floor_sink", 10, 10, 20),
    goals = { { what = "cpu", below = "floor", factor = 2 } },
  },
  {
    id = "S5a", title = "server, TLS 1.3, 4,000 connections: handshake, greeting and the end",
    test = "server", messages = 4000, unit = "handshake", rate = true, missing = absent.ours,
    drive = function(port, messages) return ("%sshake %s %d"):format(build, port, messages) end,
    versions = { OPENSSL }, contestants = tls_servers(),
    goals = { { what = "cpu", below = "floor", factor = 1.2 } },
  },
  {
    id = "S5b",
    title = "server, TLS 1.3, 41 messages of 25 MiB (1 GiB), the handler reads every chunk",
    test = "server", messages = 41, missing = absent.ours,
    drive = function(port, messages)
      return ("%ssource %s %d %d tls"):format(build, port, messages, MESSAGE)
    end,
    versions = { OPENSSL }, contestants = tls_servers(),
    goals = { { what = "cpu", below = "floor", factor = 1.2 } },
  },
  {
    id = "C1", title = "client, 10,000 messages of 1 KiB over one connection",
    test = "client", messages = 10000, peer = program("floor_server"),
    contestants = {
      { name = "floor", command = client("floor_client") },
      { name = "lua-smtp", command = script("bench/client.lua"), missing = absent.ours },
      { name = "libcurl", command = client("peer_curl"), missing = absent.curl },
      { name = "smtp-source", command = smtp_source("-s 1 -d"), missing = absent.postfix },
      { name = "LuaSocket", command = script("bench/peer_luasocket.lua"), scale = 400,
        missing = absent.luasocket },
    },
    goals = {
      { what = "cpu", below = "floor", factor = 1.3 },
      { what = "cpu", below = "libcurl", factor = 1 },
      { what = "cpu", below = "smtp-source", factor = 1 },
      { what = "wall", below = "libcurl", factor = 1 },
      { what = "wall", below = "smtp-source", factor = 1 },
    },
  },
  {
    id = "M1", title = "composing 10,000 messages with text, HTML and an attachment of 20 KiB",
    test = "alone", messages = 10000, base = "lua-smtp", missing = absent.ours,
    versions = { PYTHON, NODE, NODEMAILER },
    contestants = {
      { name = "lua-smtp", command = worker(lua, "bench/compose.lua") },
      { name = "python email", command = worker(plain_python, "bench/peer_email_compose.py"),
        scale = 20, missing = absent.python },
      -- whole, as a compiler that learns while it runs must not start again for a share
      { name = "nodemailer", command = worker("node", "bench/peer_nodemailer.js"),
        missing = absent.nodemailer },
    },
    goals = faster_than("python email", "nodemailer"),
  },
  {
    id = "M2", title = "parsing the same 10,000 messages and reading all that is in them",
    test = "alone", messages = 10000, base = "lua-smtp", missing = absent.ours,
    versions = { PYTHON },
    contestants = {
      { name = "lua-smtp", command = worker(lua, "bench/parse.lua") },
      { name = "python email", command = worker(plain_python, "bench/peer_email_parse.py"),
        scale = 20, missing = absent.python },
    },
    goals = faster_than("python email"),
  },
  {
    id = "K1", title = "a mock started and stopped 2,000 times", test = "alone", messages = 2000,
    base = "lua-smtp", unit = "mock", missing = absent.ours,
    contestants = { { name = "lua-smtp", command = worker(lua, "bench/mock.lua") } },
    goals = { { what = "wall", most = 0.001 } },
  },
  {
    id = "K2", title = "LuaSocket sends 2,000 mails to a mock in its own process", test = "alone",
    messages = 2000, base = "lua-smtp", missing = absent.luasocket,
    contestants = { { name = "lua-smtp", command = worker(lua, "bench/mock.lua mail") } },
    goals = { { what = "wall", most = 0.002 } },
  },
}
