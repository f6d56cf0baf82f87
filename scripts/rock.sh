#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs the rock into an empty tree, offline and from a copy, as LuaRocks
# leaves objects beside the sources; then requires it from there, and runs the command.
set -eu
cd "$(dirname "$0")/.."
spec=lua-smtp-scm-1.rockspec
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
mkdir "$copy/source" "$copy/home"
cp -R bin csrc lua $spec "$copy/source"
unset LUA_PATH LUA_CPATH MAKEFLAGS MAKELEVEL
export HOME="$copy/home"

luarocks --lua-version=5.4 lint $spec
cd "$copy/source"
luarocks --lua-version=5.4 make --tree="$copy/tree" --deps-mode=one $spec \
  >"$copy/log" 2>&1 || { cat "$copy/log" && exit 1; }
cd /
LUA_PATH="$copy/tree/share/lua/5.4/?.lua;$copy/tree/share/lua/5.4/?/init.lua" \
LUA_CPATH="$copy/tree/lib/lua/5.4/?.so" \
  "${LUA:-lua5.4}" -e 'local smtp = require("smtp")
  print("rock: " .. assert(smtp._VERSION or smtp.version, "smtp has no version"))'
"$copy/tree/bin/lua-smtp" --version
"$copy/tree/bin/lua-smtp" mock run -- sh -c 'test -n "$SMTP_PORT"' 2>/dev/null
