/* SPDX-License-Identifier: MIT */
/* report.c - what several runs amount to, as a table for people. */
#include "report.h"

#include <stdio.h>
#include <stdlib.h>

static int by_value(const void *a, const void *b)
{
    const struct bench_sample *x = a, *y = b;
    return (x->value > y->value) - (x->value < y->value);
}

void report_sum_up(struct report *r, struct bench_sample *samples, unsigned runs)
{
    qsort(samples, runs, sizeof(samples[0]), by_value);
    r->runs = runs;
    r->least = samples[0].value;
    r->most = samples[runs - 1].value;
    r->median = samples[(runs - 1) / 2];
}

/* Writes four digits, with k or M for what is large. */
static const char *figure(char *text, size_t size, double v)
{
    if (v >= 1e6)
        snprintf(text, size, "%.4g M", v / 1e6);
    else if (v >= 1e4)
        snprintf(text, size, "%.4g k", v / 1e3);
    else
        snprintf(text, size, "%.4g  ", v);
    return text;
}

void report_table_head(const struct options *o)
{
    printf("workers: %u; runs: %u\n", o->workers, o->repeat);
    printf("%-15s %10s   %10s   %10s   %-13s%s\n", "workload", "median", "least", "most", "unit",
           o->compare ? " better" : "");
}

static void print_extras(const struct bench_sample *s)
{
    char text[32];
    for (unsigned i = 0; i < s->nextras; i++)
        printf("%s%s %s", i ? "  " : "    ", s->extra[i].name,
               figure(text, sizeof(text), s->extra[i].value));
    if (s->nextras > 0) putchar('\n');
}

void report_table_row(const struct report *r)
{
    char median[32], least[32], most[32];
    printf("%-15s %12s %12s %12s   %-13s", r->workload->name,
           figure(median, sizeof(median), r->median.value), figure(least, sizeof(least), r->least),
           figure(most, sizeof(most), r->most), r->workload->unit);
    if (r->ratio > 0) printf(" x %.2f", r->ratio);
    putchar('\n');
    print_extras(&r->median);
    fflush(stdout);
}
