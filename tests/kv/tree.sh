#!/bin/sh
# SPDX-License-Identifier: MIT
# tree.sh FOLDER: INFO tree of the buskin-kv of that folder: each place of the tree as it is, connections as a
# count; who is harmed is seen at work, ends, and comes back, each time counted at his place.
#
# ctest: only=gcc,asan
set -eu
folder=$1
. "$(dirname "$0")/serve.sh"

info() {
    timeout 10 redis-cli -p "$port" info "$@" | tr -d '\r' >"$dir/info"
}
# shows WHAT COMMAND...: it holds in the end.
shows() {
    what=$1
    shift
    within 10 "$@" || fail "$what: $(cat "$dir/info")"
}

serve "$folder" --durability group --shards 3 --queue 77

# Who has not been asked for it does not get it.
for section in '' all default; do
    info $section
    grep -q '^# Buskin' "$dir/info" || fail "INFO $section has no section"
    ! grep -q '^# Tree' "$dir/info" || fail "INFO $section has the tree"
done
info everything
[ "$(grep -Ec '^# (Server|Buskin|Tree)' "$dir/info")" = 3 ] || fail "INFO everything lacks some"

# At rest. But for the mailbox of who is just being told something.
cat >"$dir/rest" <<'REST'
# Tree
# name           state      restarts     mailbox  last end
kv               running           0      0/1024  -
  register       running           0      0/1024  -
  store          running           0      0/1024  -
    writer       running           0     0/65535  -
    shards       running           0      0/1024  -
      shard-0    running           0        0/77  -
      shard-1    running           0        0/77  -
      shard-2    running           0        0/77  -
  channels       running           0     0/65535  -
  gate           running           0      0/1024  -
    connections  1
REST
rests() { info tree && cmp -s "$dir/info" "$dir/rest"; }
shows "this is not the tree at rest" rests

for n in 1 2 3; do
    redis-cli -p "$port" subscribe "channel$n" >/dev/null &
    also="$also $!"
done
counts() { info tree && grep -q "^    connections  $1\$" "$dir/info"; }
shows "not 4 connections" counts 4
for p in $also; do kill "$p"; done
also=
shows "connections that have ended are counted" counts 1
stop_server

# Who writes nothing has no writer, whose failure would take the keys of all shards along.
: >"$dir/log"
port=0
serve "$folder" --durability none --shards 3 --queue 77
sed -i '/writer/d' "$dir/rest"
shows "this is not the tree of what is in memory only" rests
stop_server

# Harmed. What the tree counts is what the service counts; the first start of each is no restart.
: >"$dir/log"
port=0
serve "$folder" --durability group --shards 3 --chaos 25
why='failed: a bug|killed|shutdown.*|hang.*|abort.*|assertion.*|[a-z]* fault at .*|ended at once'
# restarts NAMES: of all these places together.
restarts() {
    sed 's/busy [0-9.]* s/busy/' "$dir/info" |
        awk -v names="$1" '$1 ~ "^(" names ")$" { n += $3 } END { print n + 0 }'
}
harmed() {
    info buskin tree
    for who in writer shards shard-0 shard-1 shard-2 channels; do
        [ "$(restarts "$who")" -gt 0 ] || return 1
        grep -Eq "^ *$who .*  ($why)\$" "$dir/info" || return 1
    done
    starts=$(sed -n 's/^starts://p' "$dir/info")
    [ "$starts" -eq $(($(restarts 'writer|shard-[0-9]|channels') + 5)) ]
}
shows "the harm is not in the tree" harmed
faulted() { info tree && grep -q '  segmentation fault at 0$' "$dir/info"; }
shows "no fault is told of" faulted
hangs() { info tree && grep -q '^ .* busy 0\.[1-9] s ' "$dir/info"; }
shows "nobody is seen to hang" hangs
grep -q '^    connections  1$' "$dir/info" || fail "connections were harmed"
stop_server
