#!/bin/sh
# SPDX-License-Identifier: MIT
# kill9.sh FOLDER [SEED [TIMES]]: kills the buskin-kv of that folder with -9, again and again, at random
# moments, and starts it again, with another durability, while kv-check writes and reads. No
# acknowledged write may be lost.
#
# ctest: timeout=120 only=gcc
set -eu
folder=$1 seed=${2-$(($(date +%s) % 32768))} times=${3-20}
here=$(dirname "$0")
. "$here/serve.sh"

echo "seed $seed"
# A random number below $1; the shell's own arithmetic, so that a seed says all.
random() {
    seed=$(((seed * 1103515245 + 12345) % 2147483648))
    drawn=$((seed / 65536 % $1))
}

serve "$folder" --durability group
"$folder/kv-check" --port "$port" --seconds 3600 --seed "$((seed + 1))" >"$dir/verdict" 2>&1 &
check=$!
also="$also $check"

killed=0
while [ "$killed" -lt "$times" ]; do
    random 700
    sleep "$(printf '0.%03d' $((drawn + 50)))"
    kill -0 "$check" 2>/dev/null || break
    kill_server
    killed=$((killed + 1))
    if [ $((killed % 2)) = 1 ]; then
        options='--durability everysec'
    else
        options='--durability group'
    fi
    serve_again
done

# It has time to write to the last one, too; then it verifies.
sleep 0.5
kill -USR1 "$check"
status=0
wait "$check" || status=$?
cat "$dir/verdict"
[ "$killed" = "$times" ] || fail "kv-check ended after $killed of $times kills"
[ "$status" = 0 ] || fail "kv-check: $status"
# It has met the kills: of 20 some come between two batches.
grep -Eq '(refused|reset|closed) [1-9]' "$dir/verdict" || fail "nobody saw the server go"
stop_server
echo "killed $killed times"
