#!/bin/sh
# Runs test programs one after the other and sums up: `sh tests/run.sh build/tests/test_x ...`.
# The last line is `N passed, N failed`; the exit status is 1 when anything failed. Programs in a
# folder `sanitize` are run with the sanitizers' settings. The tests find the executable under test
# in $LATHE; what they compile is cached below build/.
set -u
cd "$(dirname "$0")/.." || exit 1

limit=${TEST_SECONDS:-600} # of one program
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
trap 'exit 130' INT TERM
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
         END { print announced + 0, passed + 0, skipped + 0 }' "$log"
}

passed=0 failed=0 skipped=0 broken=
for program in "$@"; do
    top=${program%/tests/*}
    export LATHE="$PWD/$top/lathe"
    start=$(date +%s)
    timeout -k 10 "$limit" "$program" </dev/null >"$log" 2>&1
    status=$?
    read -r announced ok skip <<END
$(count)
END
    bad=$((announced - ok - skip))
    # A program that crashed, timed out or ran nothing has failed, whatever it counted.
    if [ "$announced" -eq 0 ] || { [ "$status" -ne 0 ] && [ "$bad" -le 0 ]; }; then bad=1; fi
    passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))
    seconds=$(($(date +%s) - start))
    if [ "$bad" -gt 0 ]; then
        broken="$broken $program"
        cat "$log"
        echo "$program: $ok passed, $bad failed (exit status $status, ${seconds} s)"
    else
        [ -z "${VERBOSE:-}" ] || cat "$log"
        echo "$program: $ok passed (${seconds} s)"
    fi
done

for program in $broken; do echo "failed: $program"; done
[ "$skipped" -eq 0 ] || echo "$skipped skipped"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
