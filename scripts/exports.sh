#!/bin/sh
# SPDX-License-Identifier: MIT
# The symbols of the objects: core.so exports luaopen_* and no more;
# csrc/core keeps no variable and calls nothing outside but memory functions.
# strlen is here since gcc makes it of a loop; lint bans it in the source.
set -eu
build=$1
failed=0
complain() {
  [ -z "$2" ] || { echo "$1" && echo "$2" | sed 's/^/  /' && failed=1; }
}

exported=$(nm -D --defined-only "$build/smtp/core.so" | awk '{ print $3 }')
complain "exported, but not by a luaopen_ (SMTP_FUNC is missing):" \
  "$(echo "$exported" | grep -v '^luaopen_' || true)"
echo "$exported" | grep -q '^luaopen_smtp_core$' ||
  complain "not exported:" luaopen_smtp_core

objects=$(ls "$build"/obj/csrc/core/*.o)
# shellcheck disable=SC2086
set -- $objects
complain "variables in csrc/core:" "$(nm -A -f sysv "$@" |
  grep -E '\|(\.data|\.bss|\*COM\*|\.tdata|\.tbss) *$' || true)"

ours=$(nm --defined-only "$@" | awk 'NF == 3 { print $3 }' | sort -u)
complain "called by csrc/core, but not of C99's string.h or its allocator:" "$(
  nm -u "$@" | awk 'NF == 2 { print $2 }' | sort -u |
    grep -vxE 'mem(chr|cmp|cpy|move|set)|bcmp|strlen|realloc|free|_GLOBAL_OFFSET_TABLE_|__stack_chk_fail|_?_?mem[a-z]+_chk' |
    grep -vxF "$ours" || true)"
[ $failed -eq 0 ] && echo "exports: $(echo $exported)"
