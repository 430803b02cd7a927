#!/bin/sh
# SPDX-License-Identifier: MIT
# parser.sh PROGRAM [SECONDS]: runs libFuzzer on the parser of requests, from a few requests that this
# makes. What breaks it is left in the working folder, as crash-... .
#
# ctest: timeout=60 only=clang
set -eu
program=$1 seconds=${2-12}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

printf '*2\r\n$3\r\nGET\r\n$1\r\na\r\n' >"$dir/array"
printf 'SET a "b\\x41\\n" '"'c\\\\'d'"'\r\n' >"$dir/inline"
printf '*1\r\n$4\r\nPING\r\n*0\r\n\r\nPING\r\n*-1\r\n' >"$dir/several"
printf '*1048577\r\n$-1\r\n' >"$dir/large"
printf '*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$67108865\r\n' >"$dir/bulk"
"$program" -max_total_time="$seconds" -max_len=4096 -timeout=5 -rss_limit_mb=1024 -print_final_stats=1 \
    -verbosity=1 "$dir" 2>&1 | grep -Ev '^#|NEW_FUNC|# Uses:' >"$dir/out" || true
cat "$dir/out"
grep -q '^stat::number_of_executed_units' "$dir/out"
! grep -Eq 'ERROR|SUMMARY' "$dir/out"
