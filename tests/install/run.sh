#!/bin/sh
# run.sh CMAKE BUILD ROOT COMPILER VERSION: installs BUILD into a new prefix; there the counter program
# must be built through pkg-config and through find_package, shared and static, and must run.
set -eu
cmake=$1 build=$2 root=$3 compiler=$4 version=$5
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
prefix=$dir/prefix
counter=$root/demo/counter/counter.c
flags="-std=c11 -Wall -Wextra -Wpedantic -Wshadow -Werror"

fail() {
    echo "error: $1" >&2
    exit 1
}
# runs PROGRAM [shared|static]: it prints the right sum, and takes the library from where it should.
runs() {
    said=$(LD_LIBRARY_PATH=$libdir "$1") || fail "$1: exit status $?"
    [ "$said" = "total = 5" ] || fail "$1 printed: $said"
    if [ "$2" = shared ]; then
        readelf -d "$1" | grep -q "NEEDED.*\[libbuskin.so.${version%%.*}\]" || fail "$1 is not shared"
    else
        readelf -d "$1" | grep -q "NEEDED.*libbuskin" && fail "$1 is not static"
    fi
    echo "$(basename "$1"): $said"
}

"$cmake" --install "$build" --prefix "$prefix" >"$dir/log" || { cat "$dir/log"; fail "install"; }
# Moved: nothing installed may know where it was first.
mv "$prefix" "$dir/moved"
prefix=$dir/moved
libdir=$(dirname "$(find "$prefix" -name libbuskin.a)")
[ -f "$libdir/libbuskin.a" ] || fail "no libbuskin.a"
grep -rlF -e "$build" -e "$root" "$libdir/cmake" "$libdir/pkgconfig" && fail "the files above name the build"

export PKG_CONFIG_PATH="$libdir/pkgconfig"
[ "$(pkg-config --modversion buskin)" = "$version" ] || fail "pkg-config has another version"
# shellcheck disable=SC2046,SC2086 # lists of flags
"$compiler" $flags $(pkg-config --cflags buskin) "$counter" -o "$dir/pc_shared" $(pkg-config --libs buskin)
runs "$dir/pc_shared" shared

"$cmake" -S "$root/tests/install/consumer" -B "$dir/consumer" -DCMAKE_PREFIX_PATH="$prefix" \
    -DCMAKE_C_COMPILER="$compiler" -DCOUNTER="$counter" -DWANTED="$version" >"$dir/log" 2>&1 &&
    "$cmake" --build "$dir/consumer" >>"$dir/log" 2>&1 || { cat "$dir/log"; fail "find_package"; }
runs "$dir/consumer/counter_shared" shared
runs "$dir/consumer/counter_static" static

# Who has the static library alone gets it through the same words, with --static.
rm "$libdir"/libbuskin.so*
# shellcheck disable=SC2046,SC2086
"$compiler" $flags $(pkg-config --cflags buskin) "$counter" -o "$dir/pc_static" \
    $(pkg-config --static --libs buskin)
runs "$dir/pc_static" static
