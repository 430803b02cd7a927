/* SPDX-License-Identifier: MIT */
/* main.c - differential REDIS KV [SECONDS [SEED [DIFFERENCES]]]: sends the same commands to two
 * servers, each given as a port of 127.0.0.1 or as a path, and compares their answers. A stream of
 * commands is drawn from a seed; the first difference ends it, and is shown. Exits with 1 after so
 * many (default 1). */
#define _DEFAULT_SOURCE 1
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "grammar.h"
#include "likeness.h"
#include "server.h"

enum { STEPS = 60, PIPELINE = 12, EXPIRED_US = 40000, LIST_MOST = 200, NAME_MOST = 64 };

/* Two connections to each server: one asks, another meddles and listens. */
enum { REDIS, KV, SERVERS };
static struct link asks[SERVERS], others[SERVERS];
static uint64_t seed, compared;
static bool differs; /* this stream is over */
static bool expired; /* something has, in this stream */

static void show(const char *what, const char *at, size_t n)
{
    printf("  %-8s ", what);
    print_bytes(at, n);
}

static void differ(const char *sent, size_t n, const char *a, size_t na, const char *b, size_t nb)
{
    differs = true;
    printf("seed %" PRIu64 ":\n", seed);
    show("sent", sent, n);
    show("redis", a, na);
    show("kv", b, nb);
    fflush(stdout);
}

/* Sending to both, and reading from both. */

static void both_send(struct link *pair, const char *at, size_t n)
{
    for (int i = 0; i < SERVERS; i++) (void)link_send(&pair[i], at, n);
}

/* Waits until what expires at once has. */
static void let_expire(bool sleeps)
{
    if (!sleeps) return;
    usleep(EXPIRED_US);
    expired = true;
}

static void both_compare(struct link *pair, enum likeness likeness, const char *sent, size_t n)
{
    const char *a, *b;
    size_t na, nb;
    bool whole = link_reply(&pair[REDIS], &a, &na);
    if (!link_reply(&pair[KV], &b, &nb)) whole = false;
    compared++;
    if (!whole || !are_like(likeness, a, na, b, nb)) differ(sent, n, a, na, b, nb);
}

static char bytes[STORE_MAX * 2];

static size_t encode(const struct request *r)
{
    return request_encode(r, bytes, sizeof bytes);
}

static void ask(struct link *pair, const struct request *r, enum likeness likeness)
{
    size_t n = encode(r);
    both_send(pair, bytes, n);
    both_compare(pair, likeness, bytes, n);
}

static void ask_words(struct link *pair, const char *words, enum likeness likeness)
{
    static struct request r;
    request_make(&r, words);
    ask(pair, &r, likeness);
}

static void both_open(struct link *pair)
{
    for (int i = 0; i < SERVERS; i++) link_open(&pair[i]);
}

/* Steps. */

static bool is_dbsize(const struct request *r)
{
    return r->args[0].len == 6 && strncasecmp(r->args[0].at, "dbsize", 6) == 0;
}

/* Commands one after another, before the first answer. What expires at once is waited for. */
static void step_pipeline(void)
{
    static struct request r[PIPELINE];
    size_t at[PIPELINE + 1] = {0};
    unsigned n = 1 + (unsigned)draw(draw(2) ? 2 : PIPELINE), i = 0;
    bool sleeps = false;
    static char all[sizeof bytes * 4];
    while (i < n && !sleeps && at[i] + sizeof bytes < sizeof all) {
        request_draw(&r[i], false);
        if (expired && is_dbsize(&r[i])) r[i].likeness = KIND;
        sleeps = r[i].sleeps;
        size_t len = encode(&r[i]);
        memcpy(all + at[i], bytes, len);
        at[i + 1] = at[i] + len;
        i++;
    }
    size_t split = draw(4) ? at[i] : draw(at[i] + 1);
    both_send(asks, all, split);
    both_send(asks, all + split, at[i] - split);
    for (unsigned k = 0; k < i && !differs; k++)
        both_compare(asks, r[k].likeness, all + at[k], at[k + 1] - at[k]);
    let_expire(sleeps);
}

static void step_inline(void)
{
    static struct request r;
    request_draw(&r, false);
    if (expired && is_dbsize(&r)) r.likeness = KIND;
    if (r.n == 0 || r.args[0].len == 0) return;
    size_t n = request_inline(&r, bytes, sizeof bytes);
    both_send(asks, bytes, n);
    both_compare(asks, r.likeness, bytes, n);
    let_expire(r.sleeps);
}

static void step_transaction(void)
{
    static struct request r;
    bool sleeps = false;
    if (draw(2)) ask_words(asks, draw(4) ? "WATCH %K" : "WATCH %k nosuch", EXACT);
    if (draw(3) == 0) ask_words(asks, "SET %k %v", EXACT);
    if (draw(2)) ask_words(others, draw(2) ? "SET %k %v" : "DEL %K", EXACT);
    if (draw(30) == 0) ask_words(others, "FLUSHDB", EXACT);
    ask_words(asks, "MULTI", EXACT);
    for (uint64_t n = draw(6); n > 0 && !differs && !sleeps; n--) {
        request_draw(&r, true);
        sleeps = r.sleeps;
        ask(asks, &r, EXACT);
    }
    if (draw(20) == 0) ask_words(asks, draw(2) ? "MULTI" : "WATCH %k", EXACT);
    if (draw(4) == 0) ask_words(others, "APPEND %k %v", EXACT);
    ask_words(asks, draw(8) ? "EXEC" : draw(8) ? "DISCARD" : "EXEC bogus", EXACT);
    if (draw(16) == 0) ask_words(asks, "DISCARD", EXACT);
    let_expire(sleeps);
}

/* Names that SCAN lists until its cursor is 0, each once, in order. */
static unsigned scan(struct link *l, const char *options, char names[][NAME_MOST])
{
    char cursor[32] = "0", line[128];
    unsigned found = 0;
    do {
        const char *at;
        size_t n, len;
        len = (size_t)snprintf(line, sizeof line, "SCAN %s %s\r\n", cursor, options);
        if (!link_send(l, line, len) || !link_reply(l, &at, &n) || *at != '*') return LIST_MOST;
        const char *p = strchr(strchr(at, '\n') + 1, '\n') + 1;
        snprintf(cursor, sizeof cursor, "%.*s", (int)strcspn(p, "\r"), p);
        p = strchr(p, '\n') + 1;
        for (p = strchr(p, '\n') + 1; p < at + n && found < LIST_MOST; found++) {
            len = reply_len(p, (size_t)(at + n - p));
            memset(names[found], 0, NAME_MOST);
            memcpy(names[found], p, len < NAME_MOST ? len : NAME_MOST);
            p += len;
        }
    } while (strcmp(cursor, "0") != 0);
    return found;
}

static int compare_names(const void *a, const void *b)
{
    return memcmp(a, b, NAME_MOST);
}

/* A key may be listed twice. */
static unsigned sort_names(char names[][NAME_MOST], unsigned n)
{
    unsigned kept = 0;
    qsort(names, n, NAME_MOST, compare_names);
    for (unsigned i = 0; i < n; i++)
        if (!kept || memcmp(names[kept - 1], names[i], NAME_MOST) != 0)
            memmove(names[kept++], names[i], NAME_MOST);
    return kept;
}

/* Has them follow each other, to be shown; how many bytes. */
static size_t squeeze(char names[][NAME_MOST], unsigned n)
{
    char *to = names[0];
    for (unsigned i = 0; i < n; i++)
        for (unsigned k = 0; k < NAME_MOST && names[i][k]; k++) *to++ = names[i][k];
    return (size_t)(to - names[0]);
}

static void step_scan(void)
{
    static char a[LIST_MOST][NAME_MOST], b[LIST_MOST][NAME_MOST];
    static const char *const options[] = {"",
                                          "COUNT 1",
                                          "COUNT 100",
                                          "MATCH key:* COUNT 3",
                                          "MATCH [a-e]",
                                          "TYPE string",
                                          "TYPE list COUNT 2"};
    const char *chosen = options[draw(sizeof options / sizeof *options)];
    unsigned na = sort_names(a, scan(&asks[REDIS], chosen, a));
    unsigned nb = sort_names(b, scan(&asks[KV], chosen, b));
    compared++;
    if (na == nb && memcmp(a, b, na * sizeof a[0]) == 0) return;
    differ(chosen, strlen(chosen), a[0], squeeze(a, na), b[0], squeeze(b, nb));
}

/* Broken bytes, after something right; then, if they still talk, something right again. */
static void step_nonsense(void)
{
    const char *a, *b;
    size_t na, nb, n;
    const char *nonsense = draw_nonsense(&n);
    both_send(asks, nonsense, n);
    link_rest(&asks[REDIS], &a, &na);
    link_rest(&asks[KV], &b, &nb);
    compared++;
    if (na != nb || memcmp(a, b, na) != 0) differ(nonsense, n, a, na, b, nb);
    both_open(asks);
}

/* Publish and subscribe: the other connection listens. */

enum { CHANNELS = 3, PATTERNS = 3 };
static const char *const channels[CHANNELS] = {"news.a", "news.b", "n"};
static const char *const patterns[PATTERNS] = {"news.*", "n*", "?"};
static bool has_channel[CHANNELS], has_pattern[PATTERNS];

static unsigned count(const bool *of, unsigned n)
{
    unsigned sum = 0;
    for (unsigned i = 0; i < n; i++) sum += of[i];
    return sum;
}

static void subscribe_one(bool on, bool pattern)
{
    char words[64];
    unsigned i = (unsigned)draw(3);
    (pattern ? has_pattern : has_channel)[i] = on;
    snprintf(words, sizeof words, "%s%sSUBSCRIBE %s", pattern ? "P" : "", on ? "" : "UN",
             (pattern ? patterns : channels)[i]);
    ask_words(others, words, EXACT);
}

/* As many answers as there are, in any order. */
static void read_messages(const char *why, unsigned n)
{
    static char all[SERVERS][STORE_MAX];
    size_t len[SERVERS];
    for (int i = 0; i < SERVERS; i++) {
        len[i] = (size_t)snprintf(all[i], sizeof all[i], "*%u\r\n", n);
        for (unsigned k = 0; k < n; k++) {
            const char *at;
            size_t one;
            (void)link_reply(&others[i], &at, &one);
            if (len[i] + one > sizeof all[i]) break;
            memcpy(all[i] + len[i], at, one);
            len[i] += one;
        }
    }
    compared++;
    if (!are_like(SORTED, all[REDIS], len[REDIS], all[KV], len[KV]))
        differ(why, strlen(why), all[REDIS], len[REDIS], all[KV], len[KV]);
}

static void unsubscribe_all(bool pattern)
{
    const char *words = pattern ? "PUNSUBSCRIBE\r\n" : "UNSUBSCRIBE\r\n";
    unsigned n = pattern ? count(has_pattern, PATTERNS) : count(has_channel, CHANNELS);
    memset(pattern ? has_pattern : has_channel, 0, sizeof has_channel);
    both_send(others, words, strlen(words));
    if (n > 1) /* the order, and so what is left after each */
        for (int i = 0; i < SERVERS; i++)
            for (unsigned k = 0; k < n; k++) {
                const char *at;
                size_t len;
                (void)link_reply(&others[i], &at, &len);
            }
    else
        read_messages(words, 1);
}

static unsigned heard(const char *channel)
{
    unsigned n = 0;
    for (unsigned i = 0; i < CHANNELS; i++) n += has_channel[i] && !strcmp(channel, channels[i]);
    n += has_pattern[0] && !strncmp(channel, "news.", 5);
    n += has_pattern[1] && channel[0] == 'n';
    return n + (has_pattern[2] && strlen(channel) == 1);
}

static void publish(void)
{
    static struct request r;
    request_make(&r, "PUBLISH %c %v");
    char channel[16];
    snprintf(channel, sizeof channel, "%.*s", (int)r.args[1].len, r.args[1].at);
    ask(asks, &r, EXACT);
    if (heard(channel) && !differs) read_messages("PUBLISH", heard(channel));
}

static void step_listening(void)
{
    static const char *const said[] = {"PING",     "PING %v",   "GET %k",     "SUBSCRIBE",
                                       "QUIT x y", "SET %k %v", "PSUBSCRIBE", "ECHO %v"};
    for (uint64_t n = 2 + draw(8); n > 0 && !differs; n--) {
        unsigned i = (unsigned)draw(10);
        if (i < 3) subscribe_one(true, draw(2));
        if (i == 3) subscribe_one(false, draw(2));
        if (i == 4 && draw(2)) unsubscribe_all(draw(2));
        if (i == 5) {
            const char *words = said[draw(sizeof said / sizeof *said)];
            if (strcmp(words, "QUIT x y") != 0) ask_words(others, words, EXACT);
        }
        if (i > 5) publish();
    }
    if (!differs) unsubscribe_all(true);
    if (!differs) unsubscribe_all(false);
}

/* Streams. */

static void begin(void)
{
    both_open(asks);
    both_open(others);
    memset(has_channel, 0, sizeof has_channel);
    memset(has_pattern, 0, sizeof has_pattern);
    differs = expired = false;
    draw_seed(seed);
    ask_words(asks, "FLUSHALL", EXACT);
    if (draw(2)) ask_words(asks, "HELLO 3", HELLO);
    if (draw(2)) ask_words(others, "HELLO 3", HELLO);
}

static bool stream(void)
{
    begin();
    for (int i = 0; i < STEPS && !differs; i++) {
        unsigned what = (unsigned)draw(24);
        if (what < 14) step_pipeline();
        if (what >= 14 && what < 18) step_transaction();
        if (what >= 18 && what < 20) step_inline();
        if (what == 20 || what == 21) step_scan();
        if (what == 22) step_listening();
        if (what == 23 && draw(6) == 0) step_nonsense();
    }
    return !differs;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    if (argc < 3) return 2;
    double until = now() + (argc > 3 ? atof(argv[3]) : 10);
    unsigned long wanted = argc > 5 ? strtoul(argv[5], NULL, 10) : 1, found = 0, streams = 0;
    for (int i = 0; i < SERVERS; i++)
        asks[i] = others[i] = (struct link){.where = argv[1 + i], .fd = -1};
    for (seed = argc > 4 ? strtoull(argv[4], NULL, 10) : 1; found < wanted; seed++) {
        found += !stream();
        streams++;
        if (now() >= until) break;
    }
    printf("%" PRIu64 " answers in %lu streams compared, %lu differ\n", compared, streams, found);
    for (int i = 0; i < SERVERS; i++) {
        link_close(&asks[i]), link_close(&others[i]);
        free(asks[i].in), free(others[i].in);
    }
    return found != 0;
}
