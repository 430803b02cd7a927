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

serve "$folder" --durability group --chaos "$rate"
# But for those of loops: some of these come when one is held by a fault, and stay.
descriptors() {
    find "/proc/$server/fd" -mindepth 1 -printf '%l\n' 2>/dev/null |
        grep -Evc '^(anon_inode:|pipe:|/dev/null)' || true
}
value() {
    redis-cli -p "$port" info 2>/dev/null | tr -d '\r' | sed -n "s/^$1://p"
}

# Whatever is opened once, for the pool's threads or the first client, is open after this.
"$folder/kv-check" --port "$port" --seconds 0.5 --least 1 --quiet >/dev/null || fail "warming up"
before=$(descriptors)
"$folder/kv-check" --port "$port" --seconds "$seconds" || fail "kv-check"
# Of a file that the store opens for a moment, there may be one at any time.
tries=0
while after=$(descriptors) && [ "$after" -gt $((before + 1)) ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 50 ] || fail "$before descriptors before, $after after"
    sleep 0.1
done
faults=$(value chaos_faults) restarts=$(value restarts)
[ "${faults:-0}" -gt "$seconds" ] || fail "${faults:-no} faults were committed"
[ "${restarts:-0}" -gt "$seconds" ] || fail "${restarts:-no} restarts"
stop_server
echo "$faults faults, $restarts restarts, $after descriptors"
