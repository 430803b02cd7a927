/* SPDX-License-Identifier: MIT */
/* json.c - a report as one JSON object on a line, and the reader of such lines for comparisons. */
#include "report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void report_json(const struct report *r)
{
    const struct bench_sample *s = &r->median;
    printf("{\"workload\":\"%s\",\"n\":%" PRId64 ",\"ops\":%" PRId64 ",\"seconds\":%.6f",
           r->workload->name, r->n, s->ops, s->ns / 1e9);
    printf(",\"rate\":%.9g,\"unit\":\"%s\",\"workers\":%u", s->value, r->workload->unit,
           r->workers);
    printf(",\"repeat\":%u,\"min\":%.9g,\"max\":%.9g,\"cpu_s\":%.6f", r->runs, r->least, r->most,
           s->cpu_ns / 1e9);
    for (unsigned i = 0; i < s->nextras; i++)
        printf(",\"%s\":%.9g", s->extra[i].name, s->extra[i].value);
    if (r->ratio > 0) printf(",\"ratio\":%.4f", r->ratio);
    puts("}");
    fflush(stdout);
}

/* Returns what follows `"key":`, spaces skipped, or NULL. Enough for the flat objects printed
 * above. */
static const char *value_of(const char *line, const char *key)
{
    size_t len = strlen(key);
    for (const char *p = line; (p = strchr(p, '"')); p++) {
        if (strncmp(p + 1, key, len) != 0 || p[1 + len] != '"') continue;
        p += 2 + len;
        return p + strspn(p, " :");
    }
    return NULL;
}

static bool is_about(const char *line, const char *workload)
{
    const char *name = value_of(line, "workload");
    size_t len = strlen(workload);
    return name && *name == '"' && strncmp(name + 1, workload, len) == 0 && name[1 + len] == '"';
}

static double rate_in(const char *line)
{
    const char *rate = value_of(line, "rate");
    return rate ? strtod(rate, NULL) : 0;
}

double compare_with(const char *path, const struct workload *w, double value)
{
    char line[4096];
    double before = 0;
    FILE *f = fopen(path, "r");
    if (!f) return 0;
    while (fgets(line, sizeof(line), f))
        if (is_about(line, w->name)) before = rate_in(line); /* the last one counts */
    fclose(f);
    if (before <= 0 || value <= 0) return 0;
    return w->measure == OPS_PER_S ? value / before : before / value;
}
