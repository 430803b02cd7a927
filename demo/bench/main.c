/* SPDX-License-Identifier: MIT */
/* main.c - buskin-bench: runs workloads and reports. */
#include <stdio.h>

#include "echo.h"
#include "memory.h"
#include "report.h"
#include "sample.h"

static unsigned gigabytes(const struct options *o)
{
    for (unsigned i = 0; i < o->nchosen; i++)
        if (o->chosen[i]->flags & BIG) return 4;
    return 1;
}

static bool take_all(const struct options *o, const struct workload *w, struct report *r)
{
    static struct bench_sample samples[REPEAT_MAX];
    bool ok = true;
    for (unsigned i = 0; ok && i < o->repeat; i++) {
        progress_show(w, i, o->repeat);
        ok = sample_take(w, o->workers, r->n, &samples[i]);
    }
    progress_show(w, o->repeat, o->repeat);
    if (ok) report_sum_up(r, samples, o->repeat);
    return ok;
}

static bool measure(const struct options *o, const struct workload *w)
{
    struct report r = {.workload = w, .n = o->n ? o->n : w->n, .workers = o->workers};
    if (!take_all(o, w, &r)) return false;
    if (o->compare) r.ratio = compare_with(o->compare, w, r.median.value);
    if (o->json)
        report_json(&r);
    else
        report_table_row(&r);
    return true;
}

int main(int argc, char **argv)
{
    struct options o;
    bool ok = true;
    options_read(&o, argc, argv);
    if (o.echo_port) return echo_serve(o.workers, o.echo_port);
    if (!o.no_touch) memory_touch(gigabytes(&o));
    if (!o.json) report_table_head(&o);
    for (unsigned i = 0; i < o.nchosen; i++) ok = measure(&o, o.chosen[i]) && ok;
    return ok ? 0 : 1;
}
