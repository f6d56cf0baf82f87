#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs the specs: scripts/test.sh [files, folders and busted's arguments]. Each
# file has a process of its own, and as many run at a time as there are cores
# (JOBS); scripts/specs.lua orders them and reports. The last line is
# "N passed, N failed" (", N skipped"), also kept in build/summary (SUMMARY).
#
# All files share TEST_TIMEOUT seconds, and one has FILE_TIMEOUT. SPEC_RUN is
# the command that runs a file.
set -eu
cd "$(dirname "$0")/.."
export LUA="${LUA:-lua5.4}" SUMMARY="${SUMMARY:-build/summary}"
export LUA_PATH="${LUA_PATH:-lua/?.lua;lua/?/init.lua;;}" # for what specs start
export LUA_CPATH="${LUA_CPATH:-build/?.so;;}"
limit=

# bounded SECONDS COMMAND: starts it in a process group of its own, which ends
# with its time or with this script.
bounded() {
  seconds=$1
  shift
  if command -v timeout >/dev/null; then
    set -- timeout -k 10 "$seconds" "$@"
  fi
  "$@" </dev/null &
  limit=$!
}
end() {
  trap - INT TERM HUP
  [ -z "$limit" ] || kill "$limit" 2>/dev/null || true
  wait || true
  [ "${report:-}" = "" ] || rm -rf "$RESULTS"
  exit 130
}
trap end INT TERM HUP

case ${1:-} in
--one) # [ARGUMENTS] FILE
  shift
  for file in "$@"; do :; done
  results=$RESULTS/$(echo "$file" | tr / .)
  since=$(date +%s)
  # shellcheck disable=SC2086
  bounded "${FILE_TIMEOUT:-600}" \
    ${SPEC_RUN:-$LUA scripts/busted.lua --ignore-lua} \
    -Xoutput "$results.summary" "$@" >"$results.log" 2>&1
  code=0
  wait "$limit" || code=$?
  echo "$code $(($(date +%s) - since)) $file"
  exit 0
  ;;
--all) # [ARGUMENTS]
  shift
  jobs=${JOBS:-$(nproc 2>/dev/null || echo 2)}
  xargs -r -n 1 -P "$jobs" scripts/test.sh --one "$@" <"$RESULTS/together"
  xargs -r -n 1 -P 1 scripts/test.sh --one "$@" <"$RESULTS/alone"
  exit 0
  ;;
esac

paths=
left=$#
while [ "$left" -gt 0 ]; do
  word=$1
  shift
  left=$((left - 1))
  case $word in
  spec/* | spec | *.lua)
    [ -e "$word" ] || { echo "there is no $word" >&2 && exit 2; }
    paths="$paths $word"
    ;;
  *) set -- "$@" "$word" ;;
  esac
done
rm -f "$SUMMARY"
mkdir -p build "$(dirname "$SUMMARY")"
RESULTS=$(mktemp -d "$PWD/build/specs.XXXXXX") # for each run: there may be others
export RESULTS
# shellcheck disable=SC2086
find ${paths:-spec} -name '*_spec.lua' | sort -u | "$LUA" scripts/specs.lua order
mkfifo "$RESULTS/ended"
"$LUA" scripts/specs.lua report "$@" <"$RESULTS/ended" &
report=$!
bounded "${TEST_TIMEOUT:-1800}" scripts/test.sh --all "$@" >"$RESULTS/ended"
wait "$limit" || true
code=0
wait "$report" || code=$?
rm -rf "$RESULTS"
exit "$code"
