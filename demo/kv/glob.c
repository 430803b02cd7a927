/* SPDX-License-Identifier: MIT */
/* glob.c - patterns.
 *
 * Only the last star needs to be gone back to: what an earlier one could take more of, the last
 * one can as well. */
#include "glob.h"

#include <ctype.h>

struct pattern {
    const char *at, *end;
    bool nocase;
};

static unsigned char fold(char c, bool nocase)
{
    return nocase ? (unsigned char)tolower((unsigned char)c) : (unsigned char)c;
}

static bool in_span(char a, char b, unsigned char c, bool nocase)
{
    unsigned char from = fold(a, nocase), to = fold(b, nocase);
    return from <= to ? c >= from && c <= to : c >= to && c <= from;
}

/* Matches one byte with the set at p->at, and goes behind it. A set that does not end takes the
 * rest. */
static bool match_set(struct pattern *p, char byte)
{
    unsigned char c = fold(byte, p->nocase);
    const char *at = p->at + 1;
    bool inverted = at < p->end && *at == '^', found = false;
    for (at += inverted; at < p->end && *at != ']'; at++) {
        if (*at == '\\' && p->end - at >= 2) {
            found |= fold(*++at, p->nocase) == c;
        } else if (p->end - at >= 3 && at[1] == '-') {
            found |= in_span(at[0], at[2], c, p->nocase);
            at += 2;
        } else {
            found |= fold(*at, p->nocase) == c;
        }
    }
    p->at = at < p->end ? at + 1 : at;
    return found != inverted;
}

/* Matches one byte, and goes behind what matched it. */
static bool match_one(struct pattern *p, char c)
{
    if (p->at == p->end) return false;
    if (*p->at == '[') return match_set(p, c);
    if (*p->at == '?') {
        p->at++;
        return true;
    }
    if (*p->at == '\\' && p->end - p->at >= 2) p->at++;
    return fold(*p->at++, p->nocase) == fold(c, p->nocase);
}

bool glob_match(const char *pattern, size_t np, const char *text, size_t nt, bool nocase)
{
    if (nt == 0) return np == 0; /* as Redis has it: no star matches nothing at all */
    struct pattern p = {pattern, pattern + np, nocase};
    const char *end = text + nt, *star = NULL, *from = NULL;
    while (text < end) {
        if (p.at < p.end && *p.at == '*') {
            star = ++p.at;
            from = text;
            continue;
        }
        if (match_one(&p, *text)) {
            text++;
            continue;
        }
        if (!star) return false;
        p.at = star;
        text = ++from;
    }
    while (p.at < p.end && *p.at == '*') p.at++;
    return p.at == p.end;
}
