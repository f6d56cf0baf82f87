#!/bin/sh
# SPDX-License-Identifier: MIT
# The specs under valgrind: invalid accesses, definite leaks and descriptors
# left open. Slow, so specs tagged #slow and those of other programs are out.
set -eu
cd "$(dirname "$0")/.."
logs=build/valgrind
rm -rf "$logs"
mkdir -p "$logs"
export SUMMARY=$logs/summary
export TEST_TIMEOUT="${TEST_TIMEOUT:-7200}" FILE_TIMEOUT="${FILE_TIMEOUT:-1800}"
export SPEC_RUN="valgrind --quiet --log-file=$logs/%p.log --error-exitcode=99 \
  --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite \
  --track-fds=yes --child-silent-after-fork=yes \
  --suppressions=spec/support/valgrind.supp \
  ${LUA:-lua5.4} scripts/busted.lua --ignore-lua --exclude-tags=slow"
# shellcheck disable=SC2046
[ $# -gt 0 ] || set -- $(find spec -name '*_spec.lua' ! -path 'spec/interop/*')
code=0
scripts/test.sh "$@" || code=$?
count() { cat "$logs"/*.log | grep -Ec "$1" || true; }
errors=$(count '(Invalid|Conditional jump|definitely lost|depends on|uninit)')
inherited=$(count '<inherited from parent>')
open=$(count 'Open (file descriptor|AF_)')
cat "$logs"/*.log | sed 's/^==[0-9]*== \{0,1\}//'
echo "valgrind: $errors errors, $((open - inherited)) descriptors left open at the end; $logs"
exit "$code"
