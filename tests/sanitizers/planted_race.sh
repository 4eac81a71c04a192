#!/usr/bin/env bash
# planted_race.sh PROGRAM: a race in an actor must turn the suite red, with a
# report that names it; without the race, the same program must be green.
# Runs under the TSAN_OPTIONS of every other test, their suppressions included.

set -uo pipefail

program=$1
failed=0

# expect WORD STATUS PATTERN: PROGRAM WORD exits so and says a line like that.
expect() {
  local said status
  said=$("$program" "$1" 2>&1)
  status=$?
  if [ "$status" != "$2" ] || ! grep -qE "$3" <<<"$said"; then
    echo "FAILED: $1: want exit $2 and '$3', got exit $status and: $said"
    failed=1
  fi
}

expect racing 66 'WARNING: ThreadSanitizer: data race'
expect racing 66 'Location is global .*planted_counts'
expect racing 66 'planted_race.cpp:[0-9]+'
expect apart 0 '^1000 and 1000$'
exit $failed
