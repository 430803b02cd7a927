#!/bin/sh
# SPDX-License-Identifier: MIT
# bench.sh FOLDER [ROUNDS [WORKERS]]: the buskin-kv of that folder (a release's) and redis-server, by
# redis-benchmark, one after the other, so many rounds (default 3): medians of requests a second and of
# p99 in ms, and the ratio of the rates. Not a test: it wants a machine that does nothing else.
#
#   none      redis-server --appendonly no         buskin-kv --durability none
#   everysec  redis-server --appendfsync everysec  buskin-kv --durability everysec
#   group     redis-server --appendfsync everysec  buskin-kv --durability group
#
# The last are no equals: redis-server answers before a write is on disk, and may lose the last second's;
# buskin-kv answers after.
set -eu
folder=$1 rounds=${2-3} workers=${3-2}
. "$(dirname "$0")/serve.sh"
tests=set,get,incr,mset

# measure SERVER DURABILITY CLIENTS PIPELINE: adds "durability clients pipeline server test rate p99" to
# the results.
measure() {
    requests=$((100000 + $4 * 40000))
    redis-benchmark -p "$port" -q --csv -t "$tests" -r 100000 -n "$requests" -c "$3" -P "$4" 2>/dev/null |
        sed -n 's/^"\([A-Z]*\)[^"]*","\([0-9.]*\)","[^"]*","[^"]*","[^"]*","[^"]*","\([0-9.]*\)".*/\1 \2 \3/p' |
        while read -r test rate p99; do
            echo "$2 $3 $4 $1 $test $rate $p99" >>"$dir/results"
        done
}

shapes() {
    measure "$1" "$2" 50 1
    measure "$1" "$2" 50 16
    measure "$1" "$2" 1000 1
}

# Some port that nobody has: buskin-kv finds one.
free_port() {
    serve "$folder" --durability none
    stop_server
}

redis_answers() { redis-cli -p "$port" ping >/dev/null 2>&1; }

run_redis() {
    "$@" >"$dir/redis" 2>&1 &
    server=$!
    within 5 redis_answers || fail "redis-server does not start"
}

round() {
    durability=$1
    shift
    run_redis redis-server --port "$port" --save '' --dir "$dir" "$@"
    shapes redis "$durability"
    stop_server
    rm -rf "$dir/data" "$dir"/appendonlydir
    : >"$dir/log"
    serve "$folder" --durability "$durability" --workers "$workers"
    shapes kv "$durability"
    stop_server
}

free_port
n=0
while [ "$n" -lt "$rounds" ]; do
    n=$((n + 1))
    echo "round $n of $rounds" >&2
    round none --appendonly no
    round everysec --appendonly yes --appendfsync everysec
    round group --appendonly yes --appendfsync everysec
done

printf '%-8s %7s %4s %-5s %10s %10s %6s %9s %9s\n' \
    durable clients P test redis/s kv/s ratio 'redis p99' 'kv p99'
sort -k1,1r -k2,2n -k3,3n -k5,5 -k4,4 "$dir/results" | awk '
    function median(list,   v, n, i, k, t) {
        n = split(list, v, " ")
        for (i = 2; i <= n; i++)
            for (k = i; k > 1 && v[k - 1] + 0 > v[k] + 0; k--) { t = v[k]; v[k] = v[k - 1]; v[k - 1] = t }
        return v[int((n + 1) / 2)]
    }
    {
        row = $1 " " $2 " " $3 " " $5
        if (!(row in seen)) { seen[row] = 1; order[++rows] = row }
        rate[row, $4] = rate[row, $4] " " $6
        p99[row, $4] = p99[row, $4] " " $7
    }
    END {
        for (i = 1; i <= rows; i++) {
            split(order[i], c, " ")
            r = median(rate[order[i], "redis"]); k = median(rate[order[i], "kv"])
            printf "%-8s %7d %4d %-5s %10.0f %10.0f %6.2f %9.3f %9.3f\n", c[1], c[2], c[3], c[4], r, k,
                r ? k / r : 0, median(p99[order[i], "redis"]), median(p99[order[i], "kv"])
        }
    }'
