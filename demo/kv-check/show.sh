#!/bin/sh
# SPDX-License-Identifier: MIT
# show.sh FOLDER [SECONDS [RATE]]: starts the buskin-kv of that folder, which does harm to itself RATE
# times a second, drives it with redis-benchmark and kv-check at once, and tells what comes of it. Exits
# with 0 if no acknowledged write was lost, no answer was wrong, and it ended in order.
set -eu
folder=$1 seconds=${2-15} rate=${3-5}
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

: >"$dir/log"
"$folder/buskin-kv" --port 0 --dir "$dir/data" --chaos "$rate" >"$dir/log" 2>&1 &
server=$!
port=
for _ in 1 2 3 4 5 6 7 8 9 10; do
    port=$(sed -n 's/^buskin-kv: listening on .*:\([0-9]*\),.*/\1/p' "$dir/log")
    [ -z "$port" ] || break
    sleep 0.3
done
[ -n "$port" ] || fail "the server does not start"
sed 1q "$dir/log"

# redis-benchmark ends at the first error that it is answered: then it is started again.
benchmark() {
    trap 'kill $! 2>/dev/null; exit' TERM
    while :; do
        echo >>"$dir/runs"
        redis-benchmark -p "$port" -q -t set,get,incr -n 20000 -r 10000 -P 4 >/dev/null 2>&1 &
        wait $! || echo >>"$dir/stopped"
    done
}
touch "$dir/runs" "$dir/stopped"
benchmark &
load=$!
"$folder/kv-check" --port "$port" --seconds "$seconds" --pipeline 4 --quiet >"$dir/verdict" 2>&1 &
check=$!
load="$load $check"

info() {
    timeout 3 redis-cli -p "$port" info >"$dir/answer" 2>&1 || true
    tr -d '\r' <"$dir/answer" >"$dir/info"
}
value() {
    sed -n "s/^$1://p" "$dir/info" | grep . || echo "${2-0}"
}

before=0 second=0
while [ "$second" -lt "$seconds" ] && kill -0 "$check" 2>/dev/null; do
    sleep 1
    second=$((second + 1))
    info
    now=$(value total_commands_processed "$before")
    last=$(sed -n 's/^buskin: warning: [a-z]* <[0-9.]*>: child \(.*: restarted\)$/\1/p' "$dir/log" |
        tail -n 1)
    printf '%3d s %7d requests/s %4d restarts, last: %s\n' "$second" $((now - before)) \
        "$(value restarts)" "${last:-none}"
    before=$now
done

status=0
wait "$check" || status=$?
info
kill "${load%% *}" 2>/dev/null || true
wait "${load%% *}" 2>/dev/null || true
load=''
echo "redis-benchmark: $(wc -l <"$dir/runs") runs, $(wc -l <"$dir/stopped") of which ended at their first error"
cat "$dir/verdict"
printf 'all in all: %s requests; %s faults committed; restarts:' \
    "$(value total_commands_processed)" "$(value chaos_faults)"
sed -n 's/^restarts_\([a-z]*\):/\1 /p' "$dir/info" | while read -r cause n; do
    printf ' %s %s' "$n" "$cause"
done
echo
ended=0
kill "$server"
wait "$server" || ended=$?
server=''
[ "$ended" = 0 ] || fail "buskin-kv ended with $ended"
exit "$status"
