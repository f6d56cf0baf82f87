-- SPDX-License-Identifier: MIT
-- bench/rows.lua: what is measured: for each row its contestants, its driver and its goals.
--
-- A row is { id, title, test, messages, drive or peer, contestants, goals }.
-- test is "server": each contestant is a server, drive(port, messages) makes the command line
-- that sends to it, CPU and RSS are the server's, wall is the driver's. Or test is "client": each
-- contestant is a client, sending to a fresh server peer, and all figures are the client's.
-- A contestant is { name, command, scale, fixed_port, missing }: scale n means that a slow one
-- gets a share of messages, 1 / n, and its cost beyond that of one message is scaled up; missing
-- is the reason why it is left out. Contestant "floor" comes first, "lua-smtp" is ours.
-- A goal is { what, below = contestant, factor }: our figure of that kind over the other's.

local harness = require "harness"

local build, lua = harness.build, harness.lua

local function program(name)
  return function(argument) return build .. name .. " " .. argument end
end

local function script(name)
  return function(argument, ...) return table.concat({ lua, name, argument, ... }, " ") end
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

local MESSAGE = 25 * 1024 * 1024

return {
  {
    id = "S1", title = "server, 40,000 messages of 1 KiB, 50 connections kept",
    test = "server", messages = 40000, drive = smtp_source("-s 50 -d"), missing = absent.postfix,
    contestants = servers("floor_server", 1, 4, 20),
    goals = {
      { what = "cpu", below = "floor", factor = 1.15 },
      { what = "cpu", below = "smtp-sink", factor = 1 },
    },
  },
  {
    id = "S2", title = "server, 40,000 messages of 1 KiB, a connection for each",
    test = "server", messages = 40000, drive = smtp_source("-s 50"), missing = absent.postfix,
    contestants = servers("floor_server", 4, 4, 40),
    goals = { { what = "cpu", below = "floor", factor = 1.2 } },
  },
  {
    id = "S3", title = "server, 41 messages of 25 MiB (1 GiB), the handler reads every chunk",
    test = "server", messages = 41,
    drive = function(port, messages)
      return ("%ssource %s %d %d"):format(build, port, messages, MESSAGE)
    end,
    contestants = servers("floor_sink", 10, 10, 20),
    goals = { { what = "wall", below = "floor", factor = 2 } },
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
      { what = "wall", below = "libcurl", factor = 1 },
      { what = "wall", below = "smtp-source", factor = 1 },
    },
  },
}
