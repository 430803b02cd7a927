#!/bin/sh
# SPDX-License-Identifier: MIT
# flood.sh FOLDER PROGRAM [SECONDS [SEED]]: floods the buskin-kv of that folder with what is nearly the
# protocol, by PROGRAM (flood.c). It goes on to serve, and ends in order: a sanitizer has found nothing.
#
# ctest: timeout=30 only=asan
set -eu
folder=$1 program=$2
. "$(dirname "$0")/../kv/serve.sh"

serve "$folder" --durability none --memory 256m
# shellcheck disable=SC2086 # a seed, or nothing
"$program" "$port" "${3-6}" ${4-} || fail "flood"
stop_server
! grep -E 'Sanitizer|runtime error' "$dir/log" || fail "a sanitizer has found something"
