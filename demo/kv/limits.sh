#!/bin/sh
# SPDX-License-Identifier: MIT
# limits.sh BUSKIN-KV: what options forbid, each tried by redis-cli; and room on the disk that runs
# out and comes back. Without redis-cli only the starts and the ends are tried.
set -u
program=$1 dir=$(mktemp -d) pid=
trap 'kill -9 $pid 2>/dev/null; rm -rf "$dir"' EXIT

fail() { echo "limits.sh: $*" >&2; exit 1; }

up() {
    rm -rf "$dir/data" "$dir/out" # what the last one said
    "$program" --port 0 --dir "$dir/data" "$@" >"$dir/out" 2>"$dir/err" &
    pid=$!
    n=0
    until grep -q listening "$dir/out" 2>/dev/null; do
        [ $((n += 1)) -lt 200 ] || fail "$*: did not start: $(cat "$dir/err")"
        sleep 0.05
    done
    port=$(sed 's/.*:\([0-9]*\),.*/\1/' "$dir/out")
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

for durability in group each none; do
    up --durability "$durability"
    way="-p $port"
    says OK set a 1
    says 1 get a
    down
done

up --requirepass secret
way="-p $port"
says 'NOAUTH *' get a
says 'WRONGPASS *' auth wrong
way="-p $port -a secret --no-auth-warning"
says OK set a 1
down

up --unix "$dir/socket"
way="-s $dir/socket"
says PONG ping
down

large=$(head -c 60000 /dev/zero | tr '\0' x)
up --memory 100k
way="-p $port"
says OK set a "$large"
says OK set b "$large"
says 'OOM *' set c "$large"
says "$large" get b
says 1 del a
says OK set d 1
down
