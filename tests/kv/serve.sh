# SPDX-License-Identifier: MIT
# serve.sh - read by the tests here: has a server run on a free port, with a folder of its own, and sees
# that nothing is left of it, whatever becomes of the test.
#   $port, $server (its process), $dir (the folder), $also (other processes to be ended)

name=$(basename "$0")
dir=$(mktemp -d)
server='' also='' serving='' port=''
: >"$dir/log"

leave() {
    for p in $also $server; do kill -9 "$p" 2>/dev/null || true; done
    rm -rf "$dir"
}
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

fail() {
    echo "$name: $1" >&2
    [ ! -f "$dir/log" ] || tail -n 40 "$dir/log" >&2
    exit 1
}

start() {
    "$serving/buskin-kv" --port "${port:-0}" --dir "$dir/data" "$@" >>"$dir/log" 2>&1 &
    server=$!
}

# within SECONDS COMMAND...: waits until the command says so; 1: it does not in that time.
within() {
    tries=$(($1 * 20))
    shift
    until "$@"; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        sleep 0.05
    done
}

# value NAME: what the server's INFO has for it.
value() {
    redis-cli -p "$port" info 2>/dev/null | tr -d '\r' | sed -n "s/^$1://p"
}

# wait_open N: until it has said N times that it listens.
wait_open() {
    within 30 has_opened "$1" || fail "the server does not start"
}
has_opened() {
    [ "$(grep -c '^buskin-kv: listening' "$dir/log")" -ge "$1" ] && return
    kill -0 "$server" 2>/dev/null || fail "the server has ended"
    return 1
}

# serve FOLDER OPTIONS...: starts the buskin-kv of that folder.
serve() {
    serving=$1
    shift
    options=$*
    opened=1
    start "$@"
    wait_open 1
    port=$(sed -n 's/^buskin-kv: listening on .*:\([0-9]*\),.*/\1/p' "$dir/log" | sed 1q)
}

serve_again() {
    opened=$((opened + 1))
    # shellcheck disable=SC2086 # a list of words
    start $options
    wait_open "$opened"
}

kill_server() {
    kill -9 "$server"
    wait "$server" 2>/dev/null || true
    server=''
}

has_ended() { ! kill -0 "$server" 2>/dev/null; }
# It ends with 0, in its time.
stop_server() {
    kill "$server"
    within 20 has_ended || fail "the server does not end"
    status=0
    wait "$server" || status=$?
    server=''
    [ "$status" = 0 ] || fail "the server ended with $status"
}
