# Runs checks and test programs, and adds up what they say. Needs needs.sh.

tally_start() {
    passed=0 failed=0 skipped=0
    failures=()
    tally_directory=$(mktemp -d)
    trap 'rm -rf "$tally_directory"' EXIT
    export RRUN_TEST_SKIPS=$tally_directory/skips
    : > "$RRUN_TEST_SKIPS"
}

# check NAME COMMAND…: one thing that passes or fails; its output is shown only if it fails.
check() {
    local name=$1
    shift
    if "$@" > "$tally_directory/output" 2>&1; then
        say "ok      $name"
        passed=$((passed + 1))
    else
        cat "$tally_directory/output"
        say "FAILED  $name"
        failed=$((failed + 1))
        failures+=("$name")
    fi
}

# tests NAME ARGUMENTS…: `cargo test` in a mount namespace of its own, counted test by test.
tests() {
    local name=$1 status=0 run=(cargo test)
    shift
    say "------  $name"
    if [ "$(id -u)" = 0 ]; then
        run=(unshare --mount --propagation slave cargo test)
    fi
    "${run[@]}" "$@" 2>&1 | tee "$tally_directory/output" || status=${PIPESTATUS[0]}
    add_results "$tally_directory/output"
    if [ "$status" != 0 ] && [ "$now_failed" = 0 ]; then
        # It did not compile, or a test program died without a result.
        failed=$((failed + 1))
        failures+=("cargo test ($name)")
    fi
}

# add_results FILE: the lines "test result: ok. 12 passed; 0 failed; 1 ignored; …".
add_results() {
    local now_passed now_ignored
    now_passed=$(sum passed "$1")
    now_failed=$(sum failed "$1")
    now_ignored=$(sum ignored "$1")
    passed=$((passed + now_passed))
    failed=$((failed + now_failed))
    skipped=$((skipped + now_ignored))
    mapfile -t -O "${#failures[@]}" failures \
        < <(sed -n 's/^test \(.*[^ ]\) *\.\.\. FAILED$/\1/p' "$1")
}

# sum WORD FILE
sum() {
    sed -n "s/^test result:.* \([0-9]*\) $1;.*/\1/p" "$2" | awk '{ n += $1 } END { print n + 0 }'
}

# machine_state: what no test may change for the machine.
machine_state() {
    stat -c '/dev/null %u:%g %a' /dev/null
    awk '{ print "mount", $5 }' /proc/self/mountinfo | sort
    find /sys/fs/cgroup -maxdepth 3 -type d -name '*rrun*' 2>/dev/null | sort
}

# same_machine BEFORE: nothing is there that was not. An empty cgroup that a killed rrun left
# earlier goes when the next container of rrun ends, so its absence is no fault.
same_machine() {
    local known
    known=$(printf '%s\n' "$1" | grep '/rrun$' || echo none)
    diff <(printf '%s\n' "$1" | grep -v '/rrun$') <(machine_state | grep -v -xF "$known")
}

# tally_end: names what was skipped and what failed, then the total.
tally_end() {
    local lacking
    lacking=$(wc -l < "$RRUN_TEST_SKIPS")
    # libtest counts a test that ended early for lack of something as passed.
    passed=$((passed - lacking))
    skipped=$((skipped + lacking))
    sed 's/^/skipped /' "$RRUN_TEST_SKIPS"
    if [ ${#failures[@]} -gt 0 ]; then
        printf 'FAILED  %s\n' "${failures[@]}"
    fi
    say "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" = 0 ]
}
