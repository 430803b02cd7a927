/* SPDX-License-Identifier: MIT */
/* grammar.c - commands, drawn by a seed. */
#define _DEFAULT_SOURCE 1
#include "grammar.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LONG_KEY = 400, LONG_VALUE = 3000, SOON_MS = 15 };

static uint64_t state;

void draw_seed(uint64_t seed)
{
    state = seed * 0x9e3779b97f4a7c15u | 1;
}

uint64_t draw(uint64_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (state >> 11) % below;
}

/* One argument. */

static void add(struct request *r, const char *at, size_t len)
{
    if (r->n == ARGS_MAX || r->used + len > sizeof r->store) return;
    char *to = r->store + r->used;
    memcpy(to, at, len);
    r->args[r->n].at = to;
    r->args[r->n++].len = len;
    r->used += len;
}

static void add_word(struct request *r, const char *word)
{
    add(r, word, strlen(word));
}

static void add_number(struct request *r, int64_t n)
{
    char digits[32];
    add(r, digits, (size_t)snprintf(digits, sizeof digits, "%" PRId64, n));
}

static void add_fill(struct request *r, char with, size_t n)
{
    static char fill[LONG_VALUE];
    memset(fill, with, n);
    add(r, fill, n);
}

static void add_key(struct request *r)
{
    static const char *const keys[] = {"a", "b", "c", "d",   "e",       "key:1", "key:2",
                                       "n", "m", "x", "A*b", "with it", "[q]",   "{t}u"};
    unsigned i = (unsigned)draw(40);
    if (i == 39) add(r, "", 0);
    if (i == 38) add(r, "z\0\r\n\xff", 5);
    if (i == 37) add_fill(r, 'k', LONG_KEY);
    if (i < 37) add_word(r, keys[i % (sizeof keys / sizeof *keys)]);
}

static const char *const odd_numbers[] = {"0",
                                          "-0",
                                          "+5",
                                          "007",
                                          " 1",
                                          "1 ",
                                          "1.0",
                                          "0x10",
                                          "abc",
                                          "",
                                          "1e3",
                                          "--1",
                                          "-",
                                          "nan",
                                          "inf",
                                          "9223372036854775807",
                                          "-1",
                                          "1",
                                          "10",
                                          "-7",
                                          "99",
                                          "2",
                                          "5000",
                                          "-9223372036854775808",
                                          "18446744073709551615",
                                          "9223372036854775808",
                                          "-9223372036854775809",
                                          "4611686018427387904"};

static void add_odd_number(struct request *r)
{
    add_word(r, odd_numbers[draw(sizeof odd_numbers / sizeof *odd_numbers)]);
}

static void add_integer(struct request *r)
{
    if (draw(3) == 0)
        add_odd_number(r);
    else
        add_number(r, (int64_t)draw(200) - 100);
}

static void add_value(struct request *r)
{
    static const char *const values[] = {"", "v", "hello world", "\"quoted\"", "-1", "x\\ny"};
    unsigned i = (unsigned)draw(12);
    if (i == 11) add(r, "b\0in\r\nary\xfe", 10);
    if (i == 10) add_fill(r, (char)('a' + draw(26)), draw(LONG_VALUE));
    if (i == 9) add_odd_number(r);
    if (i == 8 || i == 7 || i == 6) add_number(r, (int64_t)draw(1000));
    if (i < 6) add_word(r, values[i]);
}

/* A time to live: never one that ends by itself while the answers are compared. */
static void add_ttl(struct request *r, bool ms)
{
    unsigned i = (unsigned)draw(12);
    if (i < 3) {
        add_odd_number(r);
        /* 1, 2 and 10 would end soon; 99 and 5000 in ms. */
        const char *last = r->args[r->n - 1].at;
        size_t len = r->args[r->n - 1].len;
        bool soon = len && len <= 4 && isdigit((unsigned char)*last) && *last != '0';
        if (soon) r->n--;
        if (soon) add_number(r, 1000000);
    } else if (i == 3 && ms) {
        add_number(r, 1 + (int64_t)draw(SOON_MS));
        r->sleeps = true;
    } else {
        add_number(r, (int64_t)(1000 + draw(9000)) * (ms ? 1000 : 1));
    }
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void add_moment(struct request *r, bool ms)
{
    unsigned i = (unsigned)draw(10);
    int64_t at = now_ms() + (i == 0 ? -1000000 : 1000000 + (int64_t)draw(9000000));
    if (i == 1)
        add_odd_number(r);
    else
        add_number(r, ms ? at : at / 1000);
}

/* SET with a moment that is over has the key expire at once. */
static bool is_over(const struct request *r, bool ms)
{
    char digits[24];
    const char *last = r->args[r->n - 1].at;
    snprintf(digits, sizeof digits, "%.*s", (int)r->args[r->n - 1].len, last);
    long long at = strtoll(digits, NULL, 10);
    return at > 0 && at <= now_ms() / (ms ? 1 : 1000);
}

static void add_pattern(struct request *r)
{
    static const char *const patterns[] = {
        "*",  "?",     "a*",      "key:[1-2]", "key:[^1]", "[a-c]",   "*:*",  "A\\*b",
        "[]", "[a",    "\\",      "**",        "[q]",      "\\[q]",   "",     "*e*y*",
        "?*", "[c-a]", "with ?t", "news.*",    "n*",       "[^a-z]*", "{t}u", "a*\\"};
    add_word(r, patterns[draw(sizeof patterns / sizeof *patterns)]);
}

static void add_channel(struct request *r)
{
    static const char *const channels[] = {"news.a", "news.b", "n", "", "a b"};
    add_word(r, channels[draw(5)]);
}

static void add_options_of_set(struct request *r)
{
    static const char *const flags[] = {"NX", "XX",  "KEEPTTL", "GET",
                                        "nx", "get", "keepttl", "PERSIST"};
    for (unsigned n = (unsigned)draw(4); n > 0; n--) {
        unsigned i = (unsigned)draw(14);
        if (i < 9) {
            add_word(r, flags[i % 8]);
        } else if (i < 13) {
            static const char *const times[] = {"EX", "PX", "EXAT", "pxat"};
            add_word(r, times[i - 9]);
            if (draw(12) == 0) continue;
            if (i < 11)
                add_ttl(r, i == 10);
            else
                add_moment(r, i == 12);
            r->sleeps |= i >= 11 && is_over(r, i == 12);
        } else {
            add_word(r, "bogus");
        }
    }
}

static void add_options_of_expire(struct request *r)
{
    static const char *const flags[] = {"NX", "XX", "GT", "LT", "nx", "gt", "junk"};
    for (unsigned n = draw(2) ? (unsigned)draw(3) : 0; n > 0; n--) add_word(r, flags[draw(7)]);
}

static void add_drawn(struct request *r, char what)
{
    switch (what) {
    case 'k': add_key(r); break;
    case 'v': add_value(r); break;
    case 'i': add_integer(r); break;
    case 's': add_ttl(r, false); break;
    case 'm': add_ttl(r, true); break;
    case 'S': add_moment(r, false); break;
    case 'M': add_moment(r, true); break;
    case 'p': add_pattern(r); break;
    case 'c': add_channel(r); break;
    case 'o': add_options_of_set(r); break;
    case 'x': add_options_of_expire(r); break;
    case 'K':
        for (uint64_t n = 1 + draw(4); n > 0; n--) add_key(r);
        break;
    case 'P':
        for (uint64_t n = 1 + draw(4); n > 0; n--) add_key(r), add_value(r);
        break;
    default: add_word(r, "%");
    }
}

/* Commands. */

static const struct form {
    const char *words;
    unsigned weight;
    enum likeness likeness;
    bool alone; /* not between MULTI and EXEC */
} forms[] = {
    {"GET %k", 12, EXACT, false},
    {"SET %k %v", 12, EXACT, false},
    {"SET %k %v %o", 16, EXACT, false},
    {"MGET %K", 6, EXACT, false},
    {"MSET %P", 6, EXACT, false},
    {"SETNX %k %v", 2, EXACT, false},
    {"SETEX %k %s %v", 2, EXACT, false},
    {"PSETEX %k %m %v", 2, EXACT, false},
    {"DEL %K", 6, EXACT, false},
    {"UNLINK %K", 2, EXACT, false},
    {"EXISTS %K", 4, EXACT, false},
    {"INCR %k", 5, EXACT, false},
    {"DECR %k", 3, EXACT, false},
    {"INCRBY %k %i", 5, EXACT, false},
    {"DECRBY %k %i", 5, EXACT, false},
    {"APPEND %k %v", 5, EXACT, false},
    {"STRLEN %k", 3, EXACT, false},
    {"EXPIRE %k %s %x", 5, EXACT, false},
    {"PEXPIRE %k %m %x", 5, EXACT, false},
    {"EXPIREAT %k %S %x", 3, EXACT, false},
    {"PEXPIREAT %k %M %x", 3, EXACT, false},
    {"TTL %k", 4, SECOND, true},
    {"PTTL %k", 4, MILLIS, true},
    {"PERSIST %k", 3, EXACT, false},
    {"TYPE %k", 3, EXACT, false},
    {"KEYS %p", 4, SORTED, true},
    {"DBSIZE", 3, EXACT, true},
    {"FLUSHDB", 1, EXACT, false},
    {"FLUSHDB ASYNC", 1, EXACT, false},
    {"FLUSHALL SYNC", 1, EXACT, false},
    {"FLUSHALL bogus", 1, EXACT, false},
    {"PING", 2, EXACT, false},
    {"PING %v", 2, EXACT, false},
    {"ECHO %v", 2, EXACT, false},
    {"SELECT 0", 1, EXACT, false},
    {"SELECT %i", 2, EXACT, false},
    {"CLIENT ID", 1, KIND, true},
    {"CLIENT GETNAME", 2, EXACT, true},
    {"CLIENT SETNAME %v", 3, EXACT, true},
    {"CLIENT INFO", 1, KIND, true},
    {"CLIENT LIST", 1, KIND, true},
    {"CLIENT bogus", 1, EXACT, true},
    {"CLIENT NO-EVICT %v", 1, EXACT, true},
    {"COMMAND COUNT", 1, KIND, true},
    {"COMMAND bogus", 1, EXACT, true},
    {"CONFIG GET port", 1, KIND, true},
    {"CONFIG GET nothing", 1, EXACT, true},
    {"CONFIG GET save", 1, EXACT, true},
    {"CONFIG bogus", 1, EXACT, true},
    {"INFO", 1, KIND, true},
    {"INFO nothing", 1, EXACT, true},
    {"AUTH %v", 1, EXACT, true},
    {"AUTH default %v", 1, EXACT, true},
    {"AUTH %v %v", 1, EXACT, true},
    {"HELLO", 1, HELLO, true},
    {"HELLO 3", 1, HELLO, true},
    {"HELLO 2", 1, HELLO, true},
    {"HELLO %i", 1, HELLO, true},
    {"HELLO 2 SETNAME %v", 1, HELLO, true},
    {"HELLO 3 AUTH default %v", 1, HELLO, true},
    {"HELLO 3 bogus", 1, HELLO, true},
    {"PUBLISH %c %v", 2, EXACT, false},
    {"SCAN %v", 1, KIND, true},
    {"SCAN 0 COUNT %i", 1, KIND, true},
    {"SCAN 0 MATCH", 1, EXACT, true},
    {"SCAN 0 bogus 1", 1, EXACT, true},
    {"SCAN x", 1, EXACT, true},
    {"DISCARD", 1, EXACT, true},
    {"EXEC", 1, EXACT, true},
    {"UNWATCH", 1, EXACT, false},
    {"WATCH", 1, EXACT, true},
    {"foo %v %k", 2, EXACT, false},
    {"nosuchcommand", 1, EXACT, false},
};
enum { FORMS = sizeof forms / sizeof *forms };

void request_make(struct request *r, const char *words)
{
    r->n = 0;
    r->used = 0;
    r->sleeps = false;
    r->likeness = EXACT;
    for (const char *at = words; *at;) {
        size_t len = strcspn(at, " ");
        if (at[0] == '%' && len == 2)
            add_drawn(r, at[1]);
        else
            add(r, at, len);
        at += len + strspn(at + len, " ");
    }
}

static const struct form *some_form(bool in_multi)
{
    static unsigned sum;
    if (!sum)
        for (unsigned i = 0; i < FORMS; i++) sum += forms[i].weight;
    for (;;) {
        unsigned at = (unsigned)draw(sum);
        const struct form *f = forms;
        while (at >= f->weight) at -= f++->weight;
        if (!in_multi || !f->alone) return f;
    }
}

/* The name in any case. */
static void vary_name(struct request *r)
{
    char *name = r->store;
    for (size_t i = 0; i < r->args[0].len; i++)
        if (draw(4) == 0)
            name[i] = (char)(isupper((unsigned char)name[i]) ? name[i] | 32 : name[i] & ~32);
}

/* One argument less, one more, or another instead. */
static void damage(struct request *r)
{
    unsigned i = (unsigned)draw(3);
    if (i == 0 && r->n > 1) r->n--;
    if (i == 1) add_integer(r);
    if (i == 2 && r->n > 2) {
        unsigned at = 1 + (unsigned)draw(r->n - 1), n = r->n;
        add_odd_number(r);
        if (r->n == n) return;
        r->args[at] = r->args[n];
        r->n = n;
    }
}

/* Not what has a time, which might become one that ends soon; nor what without its second word, or
 * with another, tells of the server. */
static bool may_be_damaged(const struct form *f)
{
    static const char *const spared[] = {"%s", "%m", "%o", "INFO", "COMMAND", "CONFIG", "SCAN"};
    for (size_t i = 0; i < sizeof spared / sizeof *spared; i++)
        if (strstr(f->words, spared[i])) return false;
    return true;
}

void request_draw(struct request *r, bool in_multi)
{
    const struct form *f = some_form(in_multi);
    request_make(r, f->words);
    r->likeness = f->likeness;
    if (r->args[0].len > 2 && draw(8) == 0 && isupper((unsigned char)r->store[0])) vary_name(r);
    if (draw(12) == 0 && may_be_damaged(f)) damage(r);
}

/* Bytes. */

size_t request_encode(const struct request *r, char *to, size_t size)
{
    size_t n = (size_t)snprintf(to, size, "*%u\r\n", r->n);
    for (unsigned i = 0; i < r->n; i++) {
        n += (size_t)snprintf(to + n, size - n, "$%zu\r\n", r->args[i].len);
        memcpy(to + n, r->args[i].at, r->args[i].len);
        n += r->args[i].len;
        memcpy(to + n, "\r\n", 2);
        n += 2;
    }
    return n;
}

static size_t quote(const char *at, size_t len, char *to, size_t size)
{
    size_t n = 0;
    to[n++] = '"';
    for (size_t i = 0; i < len && n + 8 < size; i++) {
        unsigned char c = (unsigned char)at[i];
        if (isgraph(c) && c != '"' && c != '\\')
            to[n++] = (char)c;
        else
            n += (size_t)snprintf(to + n, size - n, "\\x%02x", c);
    }
    to[n++] = '"';
    return n;
}

static bool is_plain(const char *at, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)at[i])) return false;
    return len > 0;
}

size_t request_inline(const struct request *r, char *to, size_t size)
{
    size_t n = 0;
    for (unsigned i = 0; i < r->n; i++) {
        const char *at = r->args[i].at;
        size_t len = r->args[i].len;
        for (uint64_t blanks = i ? 1 + draw(2) : draw(2); blanks > 0; blanks--) to[n++] = ' ';
        if (!is_plain(at, len) || draw(6) == 0) {
            n += quote(at, len, to + n, size - n);
        } else {
            memcpy(to + n, at, len);
            n += len;
        }
    }
    if (draw(2)) to[n++] = '\r';
    to[n++] = '\n';
    return n;
}

const char *draw_nonsense(size_t *len)
{
    static const char *const nonsense[] = {"*1\r\n+PING\r\n",
                                           "*1\r\n$-1\r\n",
                                           "*1\r\n$abc\r\n",
                                           "*2147483648\r\n",
                                           "*1\r\n$99999999999\r\n",
                                           "SET a \"b\r\n",
                                           "SET a 'b\r\n",
                                           "GET \"a\"b\r\n",
                                           "*x\r\n",
                                           "*-5\r\n*1\r\n$4\r\nPING\r\n",
                                           "*0\r\n*1\r\n$4\r\nPING\r\n",
                                           "\r\n\r\nPING\r\n",
                                           "*1\r\n:4\r\nPING\r\n",
                                           "*1\r\n$4\r\nPING\r\n*1\r\n$x",
                                           "*1\r\n$ 4\r\nPING\r\n",
                                           "* 1\r\n$4\r\nPING\r\n",
                                           "*+1\r\n$4\r\nPING\r\n",
                                           "*01\r\n$4\r\nPING\r\n",
                                           "*1\r\n$04\r\nPING\r\n",
                                           "*1\r\n$4\r\nPINGxx*1\r\n$4\r\nPING\r\n",
                                           "'PI'\r\n",
                                           "PING 'a\\'b'\r\n",
                                           "PING \"\\n\\x41\\t\\q\"\r\n",
                                           "\"\"\r\nPING\r\n",
                                           "*1\n$4\r\nPING\r\n",
                                           "*\r\n",
                                           "$4\r\nPING\r\n",
                                           ":1\r\n",
                                           "PING\n",
                                           "PING \t x\r\n"};
    const char *s = nonsense[draw(sizeof nonsense / sizeof *nonsense)];
    *len = strlen(s);
    return s;
}
