#!/bin/sh
# SPDX-License-Identifier: MIT
# slow.sh FOLDER PROGRAM: a thousand clients that send a byte a second do not delay the others of the
# buskin-kv in that folder; ten thousand that do nothing cost less than 8 KiB each, which come back. PROGRAM
# (crowd/main.c) is these clients. Exits with 77, for skipped, where so many files may not be open.
#
# ctest: timeout=60 serial only=gcc
set -eu
folder=$1 program=$2
. "$(dirname "$0")/serve.sh"
slow=1000 idle=10000

# shellcheck disable=SC3045 # dash and bash have them
limit=$(ulimit -Hn)
[ "$limit" = unlimited ] || [ "$limit" -ge $((idle + 200)) ] || exit 77
# shellcheck disable=SC3045
ulimit -n "$limit"

# crowd COUNT [slow]: in the background, when all are there. Its process: $crowd
crowd() {
    : >"$dir/crowd"
    "$program" "$port" "$@" >"$dir/crowd" 2>&1 &
    crowd=$!
    also="$also $crowd"
    tries=0
    until grep -q connections "$dir/crowd"; do
        kill -0 "$crowd" 2>/dev/null || fail "$(cat "$dir/crowd")"
        tries=$((tries + 1))
        [ "$tries" -lt 300 ] || fail "the crowd does not get in"
        sleep 0.1
    done
}
leave_crowd() {
    kill "$crowd"
    wait "$crowd" 2>/dev/null || true
}

# The p99 of requests, in microseconds.
p99() {
    "$folder/kv-check" --port "$port" --seconds 3 --connections 4 --pipeline 1 --quiet >"$dir/check" 2>&1 ||
        fail "$(cat "$dir/check")"
    sed -n 's/.*p99 \([0-9]*\)\.\([0-9][0-9]\) ms.*/\1\20/p' "$dir/check" | sed 's/^0*\(.\)/\1/'
}
resident() { # KiB
    sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$server/status"
}

serve "$folder" --durability none --max-clients $((idle + 100))
alone=$(p99)
crowd "$slow" slow
beside=$(p99)
leave_crowd
echo "p99 alone: $alone us, beside $slow slow clients: $beside us"
[ "$beside" -le $((alone * 3 + 3000)) ] || fail "slow clients delay others"

before=$(resident)
crowd "$idle"
during=$(resident)
each=$(((during - before) * 1024 / idle))
leave_crowd
# What the runtime and the allocator keep is for the next ones: these need no more.
is_given_back() { after=$(resident) && [ $((after - before)) -le $(((during - before) * 3 / 4)) ]; }
within 10 is_given_back || fail "$before KiB before, $during with $idle connections, $after afterwards"
crowd "$idle"
again=$(resident)
leave_crowd
echo "$idle idle connections: $each bytes each; resident: $before KiB before, $during with them, $after after," \
    "$again with as many again"
[ "$again" -le $((during + during / 10)) ] || fail "it grows"
[ "$each" -lt 8192 ] || fail "$each bytes a connection"
stop_server
