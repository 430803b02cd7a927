#!/bin/sh
# readme.sh CC SOURCE_DIR LIBRARY: each C program of the README compiles without a warning; the first two
# run; the third, which serves until it is told to stop, is what tests/golden/echo.c tries out.
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
        "$library" $(pkg-config --libs libuv openssl) -pthread
    ran=$((ran + 1))
    [ "$ran" -eq 3 ] || "$dir/program" >"$program.out"
done
[ "$ran" -eq 3 ] || { echo "$ran programs in README.md, not 3" >&2; exit 1; }
for program in "$dir/3.c" "$source/tests/golden/echo.c"; do
    sed -n '/^static void conn/,$p' "$program" >"$dir/$(basename "$program").service"
done
diff "$dir/3.c.service" "$dir/echo.c.service"
grep -qx 'total = 5' "$dir/1.c.out"
grep -qx 'life 3' "$dir/2.c.out"
