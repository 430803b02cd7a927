#!/bin/sh
# run.sh gcc|clang COMPILER ROOT FILE: the misuse in FILE must not compile, and for the reason it gives.
#
# FILE says on top what to expect: `level: error` (refused even with all warnings off) or `level:
# warning` (refused under -Werror), and each compiler's message, an extended regex, or `none: why` where
# that compiler cannot tell. With -DOK the same file does it right, and must compile without a warning.
set -u
kind=$1 compiler=$2 root=$3 file=$4
export LC_ALL=C
out=$(mktemp) || exit 1
trap 'rm -f "$out"' EXIT

said() {
    sed -n "s|^ \* $1: ||p" "$file" | sed 's| \*/$||'
}
compile() {
    "$compiler" -std=c11 -I "$root" -c -o /dev/null "$@" "$file" >"$out" 2>&1
}
fail() {
    echo "$file: $1; $kind says:"
    cat "$out"
    exit 1
}

level=$(said level)
message=$(said "$kind")
[ -n "$message" ] || fail "no line for $kind"
case $level in
error) flags=-w ;;
warning) flags="-Wall -Wextra -Wpedantic -Werror" ;;
*) fail "no level" ;;
esac

compile -Wall -Wextra -Wpedantic -Wshadow -Werror -DOK || fail "the right way does not compile"
# shellcheck disable=SC2086 # a list of flags
case $message in
none:*)
    compile $flags || fail "refused, though not expected: good, say so in the file"
    echo "$(basename "$file"): $kind: $message"
    exit 0
    ;;
esac
# shellcheck disable=SC2086
if compile $flags; then fail "compiles"; fi
grep -Eq "error: .*($message)" "$out" || fail "refused, but not with: $message"
grep -E -m 1 "error: .*($message)" "$out"
