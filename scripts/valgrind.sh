#!/bin/sh
# SPDX-License-Identifier: MIT
# The specs under valgrind: invalid accesses, definite leaks and descriptors
# left open. Slow, so specs tagged #slow and those of other programs are out.
set -eu
cd "$(dirname "$0")/.."
log=build/valgrind.log
specs=$(find spec -name '*_spec.lua' ! -path 'spec/interop/*' | sort)
mkdir -p build
code=0
# shellcheck disable=SC2086
valgrind --quiet --log-file="$log" --error-exitcode=99 --leak-check=full \
  --show-leak-kinds=definite --errors-for-leak-kinds=definite \
  --track-fds=yes --child-silent-after-fork=yes \
  --suppressions=spec/support/valgrind.supp \
  "${LUA:-lua5.4}" scripts/busted.lua --ignore-lua --exclude-tags=slow "$@" \
  $specs || code=$?
errors=$(grep -Ec '(Invalid|Conditional jump|definitely lost|depends on|uninit)' \
  "$log" || true)
inherited=$(grep -c '<inherited from parent>' "$log" || true)
open=$(grep -Ec 'Open (file descriptor|AF_)' "$log" || true)
sed 's/^==[0-9]*== \{0,1\}//' "$log"
echo "valgrind: $errors errors, $((open - inherited)) descriptors left open at the end; $log"
exit "$code"
