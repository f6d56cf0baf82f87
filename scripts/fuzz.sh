#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs the fuzzers of build/fuzz, two at a time, FUZZ_SECONDS each, over a copy
# of fuzz/corpus/NAME that grows in build/fuzz. An input that fails is kept
# there as NAME-crash-... and makes this fail.
set -eu
cd "$(dirname "$0")/.."
seconds=${FUZZ_SECONDS:-20}

if [ "${1:-}" = --one ]; then
  name=$2
  corpus=build/fuzz/corpus/$name
  mkdir -p "$corpus"
  [ ! -d "fuzz/corpus/$name" ] || cp -R "fuzz/corpus/$name/." "$corpus"
  set -- -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024
  [ ! -f "fuzz/$name.dict" ] || set -- "$@" "-dict=fuzz/$name.dict"
  if "build/fuzz/$name" "$@" "-artifact_prefix=build/fuzz/$name-" \
    "$corpus" >"build/fuzz/$name.log" 2>&1; then
    echo "$name: $(tail -n 1 "build/fuzz/$name.log")"
    exit 0
  fi
  echo "$name: FAILED, build/fuzz/$name.log ends"
  tail -n 40 "build/fuzz/$name.log"
  exit 1
fi

[ $# -gt 0 ] || { echo "no fuzzers in fuzz/" && exit 0; }
printf '%s\n' "$@" | xargs -n 1 -P 2 "$0" --one
