#!/bin/sh
# readme.sh CC SOURCE_DIR LIBRARY: each C program of the README compiles without a warning and runs; the
# first is the golden counter.
set -eu
cc=$1 source=$2 library=$3
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
awk -v dir="$dir" '/^```c$/ { n++; on = 1; next } /^```$/ { on = 0 } on { print > (dir "/" n ".c") }' \
    "$source/README.md"
ran=0
for program in "$dir"/*.c; do
    grep -q 'int main' "$program" || continue
    # shellcheck disable=SC2046 # several flags
    "$cc" -std=c11 -Wall -Wextra -Wpedantic -Wshadow -Werror -I"$source" -o "$dir/program" "$program" \
        "$library" $(pkg-config --libs libuv) -pthread
    "$dir/program" >"$program.out"
    ran=$((ran + 1))
done
[ "$ran" -eq 2 ] || { echo "$ran programs in README.md, not 2" >&2; exit 1; }
grep -qx 'total = 5' "$dir/1.c.out"
grep -qx 'life 3' "$dir/2.c.out"
