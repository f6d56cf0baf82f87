#!/bin/sh
# SPDX-License-Identifier: MIT
# Both compilers without a warning, the form of the code, and its bans.
set -eu
cd "$(dirname "$0")/.."
failed=0
include="${LUA_INCDIR:+-I$LUA_INCDIR} $(pkg-config --cflags openssl || true)"
warnings="-Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes
  -Wmissing-prototypes -Wpointer-arith -Wcast-qual -Wwrite-strings -Werror"
posix=-D_POSIX_C_SOURCE=200809L
jobs=$(nproc 2>/dev/null || echo 2)

# compile COMPILER FLAGS, the files from standard input. Optimised, as some
# warnings come only with that. Fails if one of them does.
compile() {
  # shellcheck disable=SC2086
  xargs -r -n 1 -P "$jobs" $1 -std=c99 -O2 -fPIC $warnings $2 $include \
    -c -o /dev/null
}

sources() { # folders that may not all be there
  for folder in "$@"; do
    [ ! -d "$folder" ] || find "$folder" -name '*.c'
  done
}

for compiler in gcc clang; do
  sources csrc/core | compile $compiler "" || failed=1
  sources csrc fuzz spec examples | grep -v '^csrc/core/' |
    compile $compiler "$posix" || failed=1
  # The peers of the benchmark need libraries that only `make bench` installs.
  sources bench | grep -v /peer_ | compile $compiler "$posix" || failed=1
  # kqueue is not here: declarations alone show that its back-end compiles.
  [ ! -f csrc/net/poller_kqueue.c ] || echo csrc/net/poller_kqueue.c |
    compile $compiler "$posix -DSMTP_HAVE_KQUEUE -Ispec/support/kqueue" ||
    failed=1
done

# Each version of clang-format has its own taste; the code follows 14's.
format=$(command -v clang-format-14 || command -v clang-format || true)
case $($format --version 2>&1) in
*"version 14."*)
  find csrc spec fuzz bench -name '*.[ch]' ! -path '*/kqueue/*' -print0 |
    xargs -0 -r "$format" --dry-run -Werror || failed=1
  ;;
*) echo "lint: clang-format 14 is not here; the form of C is not checked" ;;
esac

luacheck --no-color --quiet . bin/lua-smtp *.rockspec || failed=1
"${LUA:-lua5.4}" scripts/bans.lua || failed=1
"${LUA:-lua5.4}" scripts/loops.lua || failed=1
"${LUA:-lua5.4}" scripts/words.lua || failed=1
[ $failed -eq 0 ] && echo "lint: clean"
