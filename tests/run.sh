#!/bin/sh
# Runs test programs, one a processor, and sums up: `sh tests/run.sh build/tests/test_x ...`.
# The last line is `N passed, N failed`; the exit status is 1 when anything failed. Programs that
# measure time (test_bench*) run alone, after the others. Those in a folder `sanitize` are run with
# the sanitizers' settings. The tests find the executable under test in $LATHE; what they compile is
# cached below build/.
set -u
cd "$(dirname "$0")/.." || exit 1

limit=${TEST_SECONDS:-600} # of one program
mkdir -p build/cache
export LATHE_CACHE="$PWD/build/cache"
export ASAN_OPTIONS="detect_leaks=1:abort_on_error=0:${ASAN_OPTIONS:-}"
export UBSAN_OPTIONS="print_stacktrace=1:${UBSAN_OPTIONS:-}"

# What cmocka wrote: tests announced, passed, skipped. (Behind a group it lists some again.)
count() {
    awk '/^\[=+\].*Running [0-9]+ test/ {
             running = 1
             for (i = 1; i < NF; i++) if ($i == "Running") announced += $(i + 1)
         }
         /^\[=+\].*test\(s\) run/ { running = 0 }
         running && /^\[ +OK \]/ { passed++ }
         running && /^\[ +SKIPPED \]/ { skipped++ }
         END { print announced + 0, passed + 0, skipped + 0 }' "$1"
}

# One program: its output goes to a log beside a line `passed failed skipped program`.
run_one() {
    results=$1 program=$2
    name=$results/$(echo "$program" | tr / _)
    export LATHE="$PWD/${program%/tests/*}/lathe"
    start=$(date +%s)
    timeout -k 10 "$limit" "$program" </dev/null >"$name.log" 2>&1
    status=$?
    read -r announced ok skip <<END
$(count "$name.log")
END
    bad=$((announced - ok - skip))
    # A program that crashed, timed out or ran nothing has failed, whatever it counted.
    if [ "$announced" -eq 0 ] || { [ "$status" -ne 0 ] && [ "$bad" -le 0 ]; }; then bad=1; fi
    echo "$ok $bad $skip $program" >"$name.result"
    seconds=$(($(date +%s) - start))
    if [ "$bad" -gt 0 ] || [ -n "${VERBOSE:-}" ]; then cat "$name.log"; fi
    if [ "$bad" -eq 0 ]; then
        echo "$program: $ok passed (${seconds} s)"
    else
        echo "$program: $ok passed, $bad failed (exit status $status, ${seconds} s)"
    fi
}

if [ "${1:-}" = --one ]; then
    run_one "$2" "$3"
    exit 0
fi

results=$(mktemp -d) || exit 1
trap 'rm -rf "$results"' EXIT
trap 'exit 130' INT TERM
together= alone=
for program in "$@"; do
    case ${program##*/} in
    test_bench*) alone="$alone $program" ;;
    *) together="$together $program" ;;
    esac
done
printf '%s\n' $together | xargs -r -n 1 -P "$(nproc)" sh tests/run.sh --one "$results"
printf '%s\n' $alone | xargs -r -n 1 sh tests/run.sh --one "$results"

cat "$results"/*.result 2>/dev/null | awk -v programs=$# '
    { passed += $1; failed += $2; skipped += $3 }
    $2 { print "failed: " $4 }
    END {
        if (NR != programs) { print programs - NR " programs did not run"; failed += programs - NR }
        if (skipped) print skipped " skipped"
        print passed + 0 " passed, " failed + 0 " failed"
        exit failed > 0 || passed == 0
    }'
