#!/bin/sh
# floors.sh ROOT: includes go down the floors only; libuv and msgpack-c stand in no face; a demo knows
# buskin.h only. Prints each line that breaks the rule.
set -eu
cd "$1"
for folder in mailbox actors supervisor net demo; do
    [ -d "$folder" ] && find "$folder" -name '*.[chS]'
done | sort | xargs awk '
    BEGIN { n = split("mailbox actors supervisor net demo", names, " ")
            for (i = 1; i <= n; i++) height[names[i]] = i }
    function bad(why) { printf "%s:%d: %s: %s\n", FILENAME, FNR, why, $0; broken = 1 }
    FNR == 1 {
        files++
        floor = FILENAME; sub("/.*", "", floor)
        dir = FILENAME; sub("[^/]*$", "", dir)
        face = FILENAME == floor "/" floor ".h"
        if ($0 !~ /SPDX-License-Identifier: MIT/) bad("no SPDX line on top")
    }
    /^[ \t]*#[ \t]*include/ {
        name = $0; sub(/^[^"<]*["<]/, "", name); sub(/[">].*/, "", name)
        system_header = $0 ~ /<[^>]*>/
        if (system_header && name ~ /^uv([\/.]|$)/ && (face || (floor != "actors" && floor != "net")))
            bad("libuv belongs into actors and net, into no face")
        if (system_header && name ~ /^msgpack/ && (face || floor != "net"))
            bad("msgpack-c belongs into net, into no face")
        if (system_header && name ~ /^(mailbox|actors|supervisor|net|demo)\//)
            bad("own headers are included with quotes")
        if (system_header) {
            if (name == "buskin.h" && floor != "demo") bad("only a demo includes buskin.h")
            next
        }
        # Where the quoted name leads, from the top.
        path = name
        if (name !~ /^(mailbox|actors|supervisor|net|demo)\// && name != "buskin.h") {
            path = dir name
            while (match(path, /[^\/.][^\/]*\/\.\.\//))
                path = substr(path, 1, RSTART - 1) substr(path, RSTART + RLENGTH)
        }
        target = path; sub("/.*", "", target)
        if (path == "buskin.h") { if (floor != "demo") bad("only a demo includes buskin.h"); next }
        if (!(target in height)) { bad("leads out of the house"); next }
        if (height[target] > height[floor]) bad("goes up a floor")
        if (floor == "demo" && target != "demo") bad("a demo knows buskin.h only")
        if (face && path != target "/" target ".h") bad("a face includes faces only")
    }
    END { if (!files) { print "no file found"; broken = 1 }
          if (!broken) printf "%d files\n", files; exit broken }'
