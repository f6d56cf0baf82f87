#!/bin/sh
# SPDX-License-Identifier: MIT
# The specs on build/asan, under AddressSanitizer and UBSan. Lua itself is not
# instrumented, so it preloads them. LeakSanitizer looks when a spec asks for it
# (spec/growth_spec.lua), not at the end of each program that specs start.
set -eu
cd "$(dirname "$0")/.."
preload=
for library in libasan.so libubsan.so; do
  preload="$preload $(gcc -print-file-name=$library)"
done
specs=$(find spec -name '*_spec.lua' ! -path 'spec/interop/*' | sort)
export LUA_CPATH="build/asan/?.so;;"
export ASAN_OPTIONS=detect_leaks=1:leak_check_at_exit=0:halt_on_error=1:allocator_may_return_null=1
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export LD_PRELOAD="${preload# }"
# shellcheck disable=SC2086
exec timeout -k 10 "${TEST_TIMEOUT:-1800}" "${LUA:-lua5.4}" \
  scripts/busted.lua --ignore-lua --run=asan "$@" $specs
