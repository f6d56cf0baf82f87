#!/bin/sh
# SPDX-License-Identifier: MIT
# The specs of sockets, jobs and TLS on build/tsan, under ThreadSanitizer, by an
# interpreter that is linked with it. OpenSSL and Lua are not instrumented: what
# is looked at is our own code, on every thread that it has.
set -eu
cd "$(dirname "$0")/.."
libs=$(pkg-config --libs lua5.4 2>/dev/null || echo -llua5.4)
# shellcheck disable=SC2086
gcc -std=c99 -O1 -g -fsanitize=thread ${LUA_INCDIR:+-I$LUA_INCDIR} \
  spec/support/interpreter.c $libs -o build/tsan/lua
export LUA_CPATH="build/tsan/?.so;;"
export TSAN_OPTIONS="log_path=build/tsan/log"
export SUMMARY=build/tsan/summary
export SPEC_RUN="$PWD/build/tsan/lua scripts/busted.lua --ignore-lua --run=tsan \
  --exclude-tags=slow"
rm -f build/tsan/log.*
[ $# -gt 0 ] || set -- spec/net/tls_spec.lua spec/net/resolve_spec.lua \
  spec/net/spool_spec.lua spec/client/tls_spec.lua spec/server/tls_spec.lua \
  spec/client/auth_spec.lua spec/server/message_spec.lua \
  spec/mock/mock_spec.lua spec/mock/rules_spec.lua spec/mock/busted_spec.lua
code=0
TEST_TIMEOUT=${TEST_TIMEOUT:-900} scripts/test.sh "$@" || code=$?
cat build/tsan/log.* 2>/dev/null && code=66
[ $code -ne 0 ] || echo "tsan: clean"
exit $code
