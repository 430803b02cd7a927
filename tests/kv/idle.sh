#!/bin/sh
# SPDX-License-Identifier: MIT
# idle.sh FOLDER: a buskin-kv of that folder that has nothing to do is not woken, once what was written is in
# the store; nor if keys have expired meanwhile, which go although nobody asks for them.
#
# ctest: calm only=gcc
set -eu
folder=$1
. "$(dirname "$0")/serve.sh"

# How often its threads have gone to sleep.
sleeps() {
    sed -n 's/^voluntary_ctxt_switches:[^0-9]*//p' /proc/"$server"/task/*/status | awk '{ n += $1 } END { print n }'
}
# rests WHEN: a second comes in which nobody is woken.
rests() {
    tries=0 woken=1
    while [ "$woken" -gt 0 ]; do
        tries=$((tries + 1))
        [ "$tries" -le 10 ] || fail "$1: it is woken $woken times in a second"
        before=$(sleeps)
        sleep 1
        woken=$(($(sleeps) - before))
    done
}
value() {
    redis-cli -p "$port" info stats | tr -d '\r' | sed -n "s/^$1://p"
}

for durability in none group; do
    rm -rf "$dir/data"
    : >"$dir/log"
    port=0
    serve "$folder" --durability "$durability"
    rests "$durability, new"
    redis-cli -p "$port" set a 1 px 300 >/dev/null
    tries=0
    until [ "$(value expired_keys)" = 1 ]; do
        tries=$((tries + 1))
        [ "$tries" -lt 100 ] || fail "$durability: $(value expired_keys) keys have expired"
        sleep 0.1
    done
    rests "$durability, after a key has expired"
    redis-cli -p "$port" set b 1 >/dev/null
    rests "$durability, after a write"
    [ "$durability" = group ] || stop_server
done

# What was written is in the store: the journal is not needed for it.
kill_server
rm "$dir"/data/journal.?
serve_again
[ "$(redis-cli -p "$port" get b)" = 1 ] || fail "it rests before all is in the store"
stop_server
