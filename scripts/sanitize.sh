#!/bin/sh
# SPDX-License-Identifier: MIT
# The specs on build/asan, under AddressSanitizer and UBSan. Lua itself is not
# instrumented, so it preloads them. LeakSanitizer looks when a spec asks for it
# (spec/growth_spec.lua), not at the end of each program that specs start.
set -eu
cd "$(dirname "$0")/.."
LUA=${LUA:-lua5.4}
preload=$(gcc -print-file-name=libasan.so):$(gcc -print-file-name=libubsan.so)
export LUA LUA_CPATH="build/asan/?.so;;"
export ASAN_OPTIONS=detect_leaks=1:leak_check_at_exit=0:halt_on_error=1:allocator_may_return_null=1
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export SUMMARY=build/asan/summary
export FILE_TIMEOUT="${FILE_TIMEOUT:-900}"
export SPEC_RUN="env LD_PRELOAD=$preload $LUA scripts/busted.lua --ignore-lua --run=asan"
# shellcheck disable=SC2046
[ $# -gt 0 ] || set -- $(find spec -name '*_spec.lua' ! -path 'spec/interop/*')
exec scripts/test.sh "$@"
