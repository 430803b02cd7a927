#!/bin/sh
# SPDX-License-Identifier: MIT
# plain.sh PROGRAM: two seconds of the shop as lines, with some faults: they are told, with their
# reasons. A script that makes no sense is refused.
set -eu
status=0
"$1" --script 'soon:c' 2>/dev/null || status=$?
[ "$status" = 2 ] || { echo "plain.sh: a script without times: $status" >&2; exit 1; }
out=$("$1" --plain --seconds 2 --script '0.2:8c +0.3:4c +0.3:8d +0.2:9x +0.4:9x +0.1:3k')
echo "$out"
for line in 'worker.2 failed: a bug (demo/restart/trouble.c' 'office is one_for_all' \
    'worker.3 is started again: it runs' 'its checks took more than 150 ms' \
    'shop: child office killed: restarted' 'none lost, none twice'; do
    echo "$out" | grep -q "$line" && continue
    echo "plain.sh: not told: $line" >&2
    exit 1
done
