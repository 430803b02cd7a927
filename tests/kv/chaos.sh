#!/bin/sh
# SPDX-License-Identifier: MIT
# chaos.sh FOLDER [SECONDS [RATE]]: the buskin-kv of that folder does harm to itself while kv-check writes and
# reads: no acknowledged write is lost, no answer is wrong, no descriptor is left open, and it ends in its
# time. Faults that a sanitizer would answer by ending the process are not committed under one.
#
# ctest: timeout=60 only=gcc,asan,tsan
set -eu
folder=$1 seconds=${2-5} rate=${3-20}
. "$(dirname "$0")/serve.sh"

# A loop has four: to wait with, to be woken by, and two for signals. More loops come, and stay, where one
# is held by a fault; there are eight of them at most. From its first stream on, libuv keeps one of
# /dev/null for it, too. All others are counted.
descriptors() {
    find "/proc/$server/fd" -mindepth 1 -printf '%l\n' >"$dir/open" 2>/dev/null || true
    loops=$(grep -c '^anon_inode:\[eventpoll\]' "$dir/open")
    counted=$(($(grep -cv '^/dev/null$' "$dir/open") - 4 * loops))
}
is_left_alone() { [ "$(value connected_clients)" = 1 ]; }
# A client that is going, or a file that is open for a moment, may be there at any time.
has_no_more_open() { descriptors && [ "$counted" -le "$before" ]; }

# suffer DURABILITY: a server with new data does.
suffer() {
    durability=$1
    rm -rf "$dir/data"
    : >"$dir/log"
    serve "$folder" --durability "$durability" --chaos "$rate"
    # Whatever is opened once, for the pool's threads or the first client, is open after this.
    "$folder/kv-check" --port "$port" --seconds 0.5 --least 1 --quiet >/dev/null || fail "warming up"
    within 5 is_left_alone || fail "clients do not leave"
    descriptors
    before=$counted loops_before=$loops
    "$folder/kv-check" --port "$port" --seconds "$seconds" || fail "kv-check"
    within 5 has_no_more_open ||
        fail "$before descriptors before, $counted after: $(sort "$dir/open" | tr '\n' ' ')"
    [ "$loops" -le $((loops_before + 8)) ] || fail "$loops_before loops before, $loops after"
    faults=$(value chaos_faults) restarts=$(value restarts)
    [ "${faults:-0}" -gt "$seconds" ] || fail "${faults:-no} faults were committed"
    [ "${restarts:-0}" -gt "$seconds" ] || fail "${restarts:-no} restarts"
    stop_server
    echo "$durability: $faults faults, $restarts restarts, $counted descriptors and $loops loops"
}

suffer group
suffer everysec
