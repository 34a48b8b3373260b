# Measures commands side by side with hyperfine, and prints the medians. Needs needs.sh, `$work`
# and `$rounds`.

prepare_each=  # a command to run before each run of the measured one

heading() { printf '\n### %s\n\n' "$1"; }

# works COMMAND: does it end with 0 at all?
works() {
    # shellcheck disable=SC2086 # a command is words
    [ -z "$prepare_each" ] || eval "$prepare_each"
    $1 > "$work/output" 2>&1
}

# measure NAME COMMAND NAME COMMAND…: writes lines "NAME<tab>median ms<tab>CPU ms" to
# $work/medians, in the order given. A command that fails has "fails" for its numbers.
measure() {
    local names=() running=() reason round
    while [ $# -gt 0 ]; do
        names+=("$1")
        if works "$2"; then
            running+=(--command-name "$1" "${2//$'\n'/ }")
        else
            reason=$(tail -1 "$work/output")
            printf '%s fails: %s\n' "$1" "$reason" >&2
        fi
        shift 2
    done
    for ((round = 1; round <= rounds; round++)); do
        hyperfine --shell none --warmup 1 --runs 10 --style none \
            ${prepare_each:+--prepare "$prepare_each"} \
            --export-json "$work/round-$round.json" "${running[@]}" 2>/dev/null >&2
    done
    jq -rs '[.[].results[]] | group_by(.command)[]
        | [.[0].command, ([.[].times[]] | sort | .[length / 2 | floor] * 1000),
           ([.[] | .user + .system] | add / length * 1000)] | @tsv' \
        "$work"/round-*.json > "$work/unsorted"
    rm "$work"/round-*.json
    printf '%s\n' "${names[@]}" | awk -F'\t' -v OFS='\t' '
        NR == FNR { numbers[$1] = $2 OFS $3; next }
        { print $1, ($1 in numbers) ? numbers[$1] : "fails" OFS "" }' "$work/unsorted" - \
        > "$work/medians"
}

# table NAME: the medians, and each as a multiple of that of NAME.
table() {
    awk -F'\t' -v base="$1" '
        { name[NR] = $1; wall[NR] = $2; cpu[NR] = $3; if ($1 == base) one = $2 }
        END {
            print "| | wall ms | CPU ms | × " base " |\n|---|---|---|---|"
            for (n = 1; n <= NR; n++) {
                if (wall[n] == "fails") { print "| " name[n] " | fails | | |"; continue }
                ratio = (one > 0) ? sprintf("%.2f", wall[n] / one) : ""
                printf "| %s | %.2f | %.2f | %s |\n", name[n], wall[n], cpu[n], ratio
            }
        }' "$work/medians"
}

# table_of_each COUNT FILE: the time for one of COUNT, beyond the medians in FILE.
table_of_each() {
    awk -F'\t' -v count="$1" '
        NR == FNR { without[$1] = $2; next }
        FNR == 1 { print "| | wall ms | µs each |\n|---|---|---|" }
        $2 == "fails" || without[$1] == "fails" { print "| " $1 " | fails | |"; next }
        { printf "| %s | %.1f | %.1f |\n", $1, $2, ($2 - without[$1]) * 1000 / count }
        ' "$2" "$work/medians"
}
