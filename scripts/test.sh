#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs the specs: scripts/test.sh [busted's arguments]. The last line is
# "N passed, N failed" (", N skipped"), also kept in build/summary. busted has
# no time-out of its own, so all share TEST_TIMEOUT seconds.
set -eu
cd "$(dirname "$0")/.."
seconds=${TEST_TIMEOUT:-1800}
summary=build/summary
mkdir -p build
rm -f "$summary"

# At a terminal stay in the foreground, so that ctrl-C reaches the specs; else
# what the specs have started ends with them.
bound=
if command -v timeout >/dev/null; then
  bound="timeout -k 10 $seconds"
  [ ! -t 0 ] || bound="timeout --foreground -k 10 $seconds"
fi

code=0
$bound "${LUA:-lua5.4}" scripts/busted.lua --ignore-lua \
  -Xoutput "$summary" "$@" || code=$?
if [ ! -s "$summary" ]; then # it never came to its end
  case $code in
  124 | 137) echo "the specs took longer than $seconds s (TEST_TIMEOUT)" ;;
  *) echo "the specs ended early, status $code; \`busted -v\` shows where" ;;
  esac
  [ "$code" -ne 0 ] || code=1
  echo "0 passed, 1 failed" | tee "$summary"
fi
exit "$code"
