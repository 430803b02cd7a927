/* SPDX-License-Identifier: MIT */
/* script.c - keys that are pressed at given times. */
#include "script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MAX = 65536, ITEM_MAX_S = 86400 };

const char script_keys[] = "1234567890cnoahfkxsdrq";

/* Reads "12.5:" or "+0.5:". Returns what follows it, or NULL. */
static const char *read_time(const char *at, int64_t before, int64_t *ms)
{
    char *end;
    bool relative = *at == '+';
    double s = strtod(at + relative, &end);
    if (end == at + relative || *end != ':' || !(s >= 0 && s < ITEM_MAX_S)) return NULL;
    *ms = (int64_t)(s * 1000) + (relative ? before : 0);
    return end + 1;
}

static const char *read_keys(struct script *s, const char *at, int64_t ms)
{
    while (*at && strchr(script_keys, *at) && s->n < SCRIPT_MAX)
        s->presses[s->n++] = (struct press){ms, *at++};
    return at;
}

static const char *skip_blanks(const char *at)
{
    at += strspn(at, " \t\r\n,");
    while (*at == '#') {
        at += strcspn(at, "\n");
        at += strspn(at, " \t\r\n,");
    }
    return at;
}

static bool read_items(struct script *s, const char *at, const char **wrong)
{
    int64_t ms = 0;
    for (at = skip_blanks(at); *at; at = skip_blanks(at)) {
        int64_t before = ms;
        const char *keys = read_time(at, before, &ms);
        const char *end = keys ? read_keys(s, keys, ms) : at;
        bool whole = end != at && end != keys && (!*end || strchr(" \t\r\n,#", *end));
        *wrong = at;
        if (!whole || ms < before) return false;
        at = end;
    }
    return true;
}

static bool read_file(struct script *s, const char *path, const char **wrong)
{
    static char text[FILE_MAX];
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    bool ok = f && !ferror(f) && feof(f);
    if (f) fclose(f);
    text[n] = '\0';
    *wrong = path;
    return ok && read_items(s, text, wrong);
}

bool script_read(struct script *s, const char *text, const char **wrong)
{
    s->n = s->next = 0;
    return *text == '@' ? read_file(s, text + 1, wrong) : read_items(s, text, wrong);
}

int script_due(struct script *s, int64_t ms)
{
    return s->next < s->n && s->presses[s->next].ms <= ms ? s->presses[s->next++].key : 0;
}
