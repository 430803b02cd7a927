#!/bin/sh
# SPDX-License-Identifier: MIT
# cold.sh FOLDER [KEYS]: fills the buskin-kv of that folder with so many keys and starts it again: after a
# kill -9, with what the store does not have yet in the journal, and after an orderly end. All keys are there
# each time, with their values and times of expiry. Says how long a start takes, and how much memory.
#
# ctest: only=gcc,asan
set -eu
folder=$1 keys=${2-50000}
. "$(dirname "$0")/serve.sh"

# Each tenth key expires, in a day.
requests() {
    awk -v n="$keys" 'BEGIN {
        for (i = 0; i < n; i++) {
            key = sprintf("key:%012d", i)
            value = sprintf("%064d", i)
            if (i % 10)
                printf "*3\r\n$3\r\nSET\r\n$16\r\n%s\r\n$64\r\n%s\r\n", key, value
            else
                printf "*5\r\n$3\r\nSET\r\n$16\r\n%s\r\n$64\r\n%s\r\n$2\r\nEX\r\n$5\r\n86400\r\n", key, value
        }
    }'
}
ask() {
    redis-cli -p "$port" "$@"
}
now_ms() {
    echo $(($(date +%s%N) / 1000000))
}

has_all() { [ "$(ask dbsize)" = "$keys" ]; }
# starts HOW: it starts, and has all keys.
starts() {
    begun=$(now_ms)
    serve_again
    within 15 has_all || fail "$1: $(ask dbsize) keys"
    echo "$1: $keys keys after $(($(now_ms) - begun)) ms; resident:" \
        "$(sed -n 's/^Rss\(Anon\|File\):[^0-9]*\([0-9]*\) kB/\2 KiB \1/p' "/proc/$server/status" | tr '\n' ' ')"
    for i in 0 1 $((keys / 2)) $((keys - 1)); do
        key=$(printf 'key:%012d' "$i")
        [ "$(ask get "$key")" = "$(printf '%064d' "$i")" ] || fail "$1: $key: $(ask get "$key")"
    done
    left=$(ask ttl key:000000000000)
    if [ "$left" -le 86000 ] || [ "$left" -gt 86400 ]; then fail "$1: it expires in $left s"; fi
    [ "$(ask ttl key:000000000001)" = -1 ] || fail "$1: what never expires does"
    expiring=$(ask info keyspace | tr -d '\r' | sed -n 's/.*,expires=\([0-9]*\),.*/\1/p')
    [ "$expiring" = $(((keys + 9) / 10)) ] || fail "$1: $expiring keys expire"
}

serve "$folder" --durability group
requests | ask --pipe >"$dir/filled" || fail "$(cat "$dir/filled")"
grep -q "errors: 0, replies: $keys" "$dir/filled" || fail "$(cat "$dir/filled")"
kill_server
starts "after kill -9"
stop_server
starts "after its end"
stop_server
