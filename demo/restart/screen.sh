#!/bin/sh
# SPDX-License-Identifier: MIT
# screen.sh PROGRAM: runs it in a pseudo terminal. The picture has the names; the terminal is given
# back as it was: after q, after SIGTERM, and when the program is killed. Exits with 77, for skipped,
# where there is no script(1).
set -eu
program=$1
command -v script >/dev/null && script -qec true /dev/null </dev/null >/dev/null 2>&1 || exit 77
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

fail() {
    echo "screen.sh: $1: $2" >&2
    exit 1
}

# play CASE COMMAND: the settings before and after it, and all that it wrote.
play() {
    cat >"$dir/$1.sh" <<END
stty rows 24 cols 80
stty -a >"$dir/$1.before"
$2
echo "\$?" >"$dir/$1.status"
stty -a >"$dir/$1.after"
END
    TERM=xterm LC_ALL=C.UTF-8 script -qec "sh $dir/$1.sh" "$dir/$1.out" </dev/null >/dev/null
    cmp "$dir/$1.before" "$dir/$1.after" || fail "$1" "the terminal's settings are not as before"
    grep -q "$(printf '\033')\\[?1049h" "$dir/$1.out" || fail "$1" "no screen was opened"
    after=$(tr -d '\n' <"$dir/$1.out" | sed 's/.*\[?1049h.*\[?25h.*\[?1049l/left:/')
    case $after in left:*) ;; *) fail "$1" "the screen was not left" ;; esac
}

status() {
    [ "$(cat "$dir/$1.status")" = "$2" ] || fail "$1" "exit status $(cat "$dir/$1.status"), not $2"
}

play quit "'$program' --script '0.3:8c 1:q'"
status quit 0
for word in shop couriers office ledger notifier floor worker.1 worker.2 worker.3 intake \
    'worker.2 fails' 'a bug' 'none lost, none twice'; do
    grep -q "$word" "$dir/quit.out" || fail quit "does not show: $word"
done

# A job in the background would have no terminal: so it is the killing that runs there.
killed="sh -c 'echo \$\$ >$dir/pid; exec $program'"
play term "(sleep 0.7; kill \$(cat $dir/pid)) & $killed"
status term 0
play kill "(sleep 0.7; p=\$(cat $dir/pid); kill -9 \$(cat /proc/\$p/task/\$p/children)) & $killed"
status kill 137
echo "the terminal is given back"
