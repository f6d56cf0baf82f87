#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs each check, as scripts/check.sh lint layers, and says which failed.
set -u
cd "$(dirname "$0")/.." || exit
failed=
for check in "$@"; do
  echo "== $check"
  "${MAKE:-make}" --no-print-directory "$check" || failed="$failed $check"
done
if [ -n "$failed" ]; then
  echo "failed:$failed"
  exit 1
fi
echo "all checks passed"
