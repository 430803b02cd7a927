#!/bin/sh
# SPDX-License-Identifier: MIT
# idle.sh FOLDER: a buskin-kv of that folder that has nothing to do is not woken, once what was written is in
# the store, with everysec within two seconds; nor if keys have expired meanwhile, which go although nobody
# asks for them.
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
is_gone() { [ "$(value expired_keys)" = 1 ]; }

# is_in_store KEY: the journal is not needed for it.
is_in_store() {
    kill_server
    rm "$dir"/data/journal.?
    serve_again
    [ "$(redis-cli -p "$port" get "$1")" = 1 ]
}
# A machine that does not let the server run is not its fault, but is not the rule.
keeps_everysec() {
    n=0
    until redis-cli -p "$port" set "c$n" 1 >/dev/null && sleep 2 && is_in_store "c$n"; do
        [ $((n += 1)) -lt 3 ] || return 1
    done
}

for durability in none group everysec; do
    rm -rf "$dir/data"
    : >"$dir/log"
    port=0
    serve "$folder" --durability "$durability"
    rests "$durability, new"
    redis-cli -p "$port" set a 1 px 300 >/dev/null
    within 10 is_gone || fail "$durability: $(value expired_keys) keys have expired"
    rests "$durability, after a key has expired"
    redis-cli -p "$port" set b 1 >/dev/null
    rests "$durability, after a write"
    [ "$durability" = none ] || is_in_store b || fail "$durability: it rests before all is in the store"
    [ "$durability" != everysec ] || keeps_everysec || fail "it is not in the store within two seconds"
    stop_server
done
