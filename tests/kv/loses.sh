#!/bin/sh
# SPDX-License-Identifier: MIT
# loses.sh FOLDER: what kv-check is worth: the buskin-kv of that folder keeps all in memory only and is
# killed once. kv-check finds that writes were lost, and says so by its exit status.
#
# ctest: only=gcc
set -eu
folder=$1
. "$(dirname "$0")/serve.sh"

serve "$folder" --durability none
"$folder/kv-check" --port "$port" --seconds 2 --quiet >"$dir/verdict" 2>&1 &
check=$!
also=$check
sleep 1
kill_server
serve_again
status=0
wait "$check" || status=$?
tail -n 4 "$dir/verdict"
[ "$status" = 1 ] || fail "kv-check ended with $status"
grep -q '^acknowledged writes lost: [1-9]' "$dir/verdict" || fail "it does not tell of the loss"
stop_server
