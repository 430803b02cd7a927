#!/bin/sh
# SPDX-License-Identifier: MIT
# show.sh FOLDER [SECONDS [RATE]]: starts the buskin-kv of that folder, which does harm to itself RATE
# times a second, drives it with redis-benchmark and kv-check at once, shows its tree, what it gets done
# and what is restarted as it goes, and tells what came of it. On a terminal of 24 lines it draws a
# picture each second, elsewhere it prints a line each second and the tree at times. Exits with 0 if no
# acknowledged write was lost, no answer was wrong, and it ended in order.
set -eu
folder=$1 seconds=${2-15} rate=${3-5}
shards=3 tree_every=5 events=5
dir=$(mktemp -d)
server='' load=''
end() {
    for p in $load $server; do kill "$p" 2>/dev/null || true; done
    rm -rf "$dir"
}
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

fail() {
    echo "show.sh: $1" >&2
    cat "$dir/log" >&2
    exit 1
}

draws=false bold='' plain=''
if [ -t 1 ] && [ "${TERM-dumb}" != dumb ]; then
    draws=true bold=$(printf '\033[1m') plain=$(printf '\033[m')
fi

: >"$dir/log"
"$folder/buskin-kv" --port 0 --dir "$dir/data" --shards "$shards" --chaos "$rate" >"$dir/log" 2>&1 &
server=$!
port=
for _ in 1 2 3 4 5 6 7 8 9 10; do
    port=$(sed -n 's/^buskin-kv: listening on .*:\([0-9]*\),.*/\1/p' "$dir/log")
    [ -z "$port" ] || break
    sleep 0.3
done
[ -n "$port" ] || fail "the server does not start"
sed 's/, data in .*//;1q' "$dir/log"

# redis-benchmark ends at the first error that it is answered: then it is started again.
benchmark() {
    trap 'kill $! 2>/dev/null; exit' TERM
    while :; do
        echo >>"$dir/runs"
        redis-benchmark -p "$port" -q -t set,get,incr -n 20000 -r 10000 -P 4 >/dev/null 2>&1 &
        wait $! || echo >>"$dir/stopped"
    done
}
touch "$dir/runs" "$dir/stopped" "$dir/info"
benchmark &
load=$!
"$folder/kv-check" --port "$port" --seconds "$seconds" --pipeline 4 --quiet >"$dir/verdict" 2>&1 &
check=$!
load="$load $check"

# One answer holds figures and tree of the same moment. Who is asked may hang: then the last one stands.
info() {
    timeout 3 redis-cli -p "$port" info everything >"$dir/answer" 2>&1 || return 0
    tr -d '\r' <"$dir/answer" >"$dir/info"
}
value() {
    sed -n "s/^$1://p" "$dir/info" | grep . || echo "${2-0}"
}
now_ms() {
    echo $(($(date +%s%N) / 1000000))
}
tree() {
    sed -n 's/ at 0x[0-9a-f]*$//;/^# Tree/,$p' "$dir/info" | sed 1d | cut -c 1-79
}
# The last $1 restarts, the newest last.
restarted() {
    sed -n 's/^buskin: warning: [a-z]* <[0-9.]*>: child \(.*: restarted\)$/\1/p' "$dir/log" | tail -n "$1"
}

# measure: what has been done since the last time: $requests a second
before=0 before_ms=$(now_ms)
measure() {
    info
    done_now=$(value total_commands_processed "$before")
    ms=$(now_ms)
    requests=$(((done_now - before) * 1000 / (ms - before_ms + 1)))
    before=$done_now before_ms=$ms
}

picture() {
    printf '%sbuskin-kv does harm to itself while clients use it%s %24s\n' "$bold" "$plain" \
        "$second of $seconds s"
    printf '%7d requests/s %7d faults %7d restarts %7d connections\n\n' "$requests" \
        "$(value chaos_faults)" "$(value restarts)" "$(value connected_clients)"
    tree
    echo
    restarted "$events" | cut -c 1-79
}
drawn=0
draw() {
    picture >"$dir/picture"
    [ "$drawn" = 0 ] || printf '\033[%dA\033[J' "$drawn"
    cat "$dir/picture"
    drawn=$(wc -l <"$dir/picture")
}
print() {
    last=$(restarted 1)
    printf '%3d s %7d requests/s %4d restarts, last: %s\n' "$second" "$requests" "$(value restarts)" \
        "${last:-none}"
    [ $((second % tree_every)) -ne 0 ] || tree | sed 's/^/      /'
}

second=0
while [ "$second" -lt "$seconds" ] && kill -0 "$check" 2>/dev/null; do
    sleep 1
    second=$((second + 1))
    measure
    if $draws; then draw; else print; fi
done

status=0
wait "$check" || status=$?
info
kill "${load%% *}" 2>/dev/null || true
wait "${load%% *}" 2>/dev/null || true
load=''
echo
echo "all in all: $(value total_commands_processed) requests, $(value chaos_faults) faults committed"
echo "restarts: $(value restarts):$(sed -n 's/^restarts_\([a-z]*\):\(.*\)/ \2 \1/p' "$dir/info" | tr '\n' ',' | sed 's/,$//')"
echo "redis-benchmark: $(wc -l <"$dir/runs") runs, $(wc -l <"$dir/stopped") of which ended at their first error"
# The last line is what it is all about.
sed "\$s/.*/$bold&$plain/" "$dir/verdict"
ended=0
kill "$server"
wait "$server" || ended=$?
server=''
[ "$ended" = 0 ] || fail "buskin-kv ended with $ended"
exit "$status"
