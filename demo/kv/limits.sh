#!/bin/sh
# SPDX-License-Identifier: MIT
# limits.sh BUSKIN-KV: what options forbid, each tried by redis-cli; and room on the disk that runs
# out and comes back. Without redis-cli only the starts and the ends are tried.
set -u
program=$1 dir=$(mktemp -d) pid=
trap 'kill -9 $pid 2>/dev/null; rm -rf "$dir"' EXIT

fail() { echo "limits.sh: $*" >&2; exit 1; }

# again OPTIONS...: starts it with the data that there are.
again() {
    rm -f "$dir/out" # what the last one said
    "$program" --port 0 --dir "$dir/data" "$@" >"$dir/out" 2>"$dir/err" &
    pid=$!
    n=0
    until grep -q listening "$dir/out" 2>/dev/null; do
        [ $((n += 1)) -lt 200 ] || fail "$*: did not start: $(cat "$dir/err")"
        sleep 0.05
    done
    way="-p $(sed 's/.*:\([0-9]*\),.*/\1/' "$dir/out")"
}

up() {
    rm -rf "$dir/data"
    again "$@"
}

down() {
    kill "$pid"
    wait "$pid" || fail "ended with $?"
}

# says PATTERN ARGS...: what redis-cli is answered.
says() {
    pattern=$1
    shift
    command -v redis-cli >/dev/null || return 0
    answer=$(timeout 20 redis-cli $way "$@" 2>&1) || fail "$*: $?"
    case $answer in
    $pattern) ;;
    *) fail "$*: $answer" ;;
    esac
}

for durability in group each everysec none; do
    up --durability "$durability"
    says OK set a 1
    says 1 get a
    case $durability in
    none) says '*appendonly*no' config get appendonly ;;
    everysec) says '*appendfsync*everysec' config get appendfsync ;;
    *) says '*appendfsync*always' config get appendfsync ;;
    esac
    down
done

large=$(head -c 60000 /dev/zero | tr '\0' x)
up --requirepass secret
says 'NOAUTH *' get a
says 'WRONGPASS *' auth wrong
way="$way -a secret --no-auth-warning"
says OK set a 1
down

# Room that runs out for the journal, of which more than 1 MiB is used, and not for the store: what was
# acknowledged can be read, also after a kill, and writes go on by themselves when there is room again.
room() { prlimit --pid "$pid" --fsize="$1:"; }
for durability in group everysec; do
    up --durability "$durability"
    n=0
    while [ $((n += 1)) -le 20 ]; do says OK set a "$large"; done
    says OK set a 1
    room 1048576
    says 'MISCONF *' set a 2
    says 1 get a
    says 'MISCONF *' mset a 3 b 3 c 3 d 3
    says 1 get a
    room unlimited
    if command -v redis-cli >/dev/null; then
        n=0
        until redis-cli $way set b 2 | grep -q OK; do
            [ $((n += 1)) -lt 200 ] || fail "$durability: no room again: $(cat "$dir/err")"
            sleep 0.05
        done
        grep -q 'store: File too large' "$dir/err" || fail "nothing is said of it: $(cat "$dir/err")"
    fi
    kill -9 "$pid"
    wait "$pid" 2>/dev/null
    again --durability "$durability"
    says 1 get a
    says 2 get b
    says '' get c
    down
done

up --unix "$dir/socket"
way="-s $dir/socket"
says PONG ping
down

up --memory 100k
says OK set a "$large"
says OK set b "$large"
says 'OOM *' set c "$large"
says "$large" get b
says 1 del a
says OK set d 1
down
