#!/bin/sh
# exports.sh LIBRARY VERSION HEADERS...: the shared library exports what the headers promise and nothing
# else, bears its soname and wants no executable stack.
set -eu
library=$1 version=$2
shift 2
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export LC_ALL=C

# A prototype may go over lines: join them up to the semicolon.
cat "$@" | tr '\n' ' ' | grep -oE 'BSK_API [^;]*;' | sed -E 's/ *BSK_(MUST_|PRINTF_\([^)]*\)).*//' |
    grep -oE 'bsk_[a-z0-9_]+ *\(' | tr -d ' (' | sort -u >"$dir/wanted"
# The headers' own messages.
cat "$@" | grep -oE '^BSK_(MSG|CALL)\([a-z_]+' | sed -E 's/.*\(//' |
    while read -r name; do printf '%s_bsk\n%s_bsk_fields\n' "$name" "$name"; done >"$dir/messages"
nm -D --defined-only "$library" | awk '{ print $NF }' | sed 's/@.*//' |
    grep -vE '^(__(a|t|ub)san|_init$|_fini$)' | sort -u >"$dir/exported"

status=0
comm -23 "$dir/wanted" "$dir/exported" | sed 's/^/promised, not there: /' | grep . && status=1
sort -u "$dir/wanted" "$dir/messages" | comm -13 - "$dir/exported" | sed 's/^/exported, not promised: /' |
    grep . && status=1
readelf -d "$library" | grep -q "SONAME.*\[libbuskin.so.${version%%.*}\]" ||
    { echo "no soname, or another"; status=1; }
readelf -lW "$library" | grep -q 'GNU_STACK.*RWE' && { echo "the stack is executable"; status=1; }
wc -l <"$dir/exported" | sed 's/$/ symbols/'
exit $status
