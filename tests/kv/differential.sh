#!/bin/sh
# SPDX-License-Identifier: MIT
# differential.sh FOLDER PROGRAM [SECONDS [SEED [DIFFERENCES]]]: has PROGRAM (differential/main.c) compare
# a redis-server and the buskin-kv of that folder. What need not be alike: differential/grammar.h.
#
# ctest: timeout=120 only=gcc
set -eu
folder=$1 program=$2
. "$(dirname "$0")/serve.sh"

redis-server --port 0 --unixsocket "$dir/redis.sock" --databases 1 --save '' --appendonly no \
    >"$dir/redis" 2>&1 &
also=$!
within 10 [ -S "$dir/redis.sock" ] || fail "redis-server does not start"
serve "$folder" --durability group
"$program" "$dir/redis.sock" "$port" "${3-10}" "${4-1}" "${5-1}"
stop_server
