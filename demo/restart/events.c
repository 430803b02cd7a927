/* SPDX-License-Identifier: MIT */
/* events.c - the log of what happened. Its lock is never held for more than a copy. */
#define _DEFAULT_SOURCE 1
#include "events.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t clock_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

bool events_init(struct events *e)
{
    e->n = 0;
    e->began = clock_ms();
    return pthread_mutex_init(&e->lock, NULL) == 0;
}

void events_fini(struct events *e)
{
    pthread_mutex_destroy(&e->lock);
}

int64_t events_now(const struct events *e)
{
    return clock_ms() - e->began;
}

void events_add(struct events *e, enum voice voice, const char *text)
{
    int64_t ms = events_now(e);
    pthread_mutex_lock(&e->lock);
    struct event *new = &e->kept[e->n++ % EVENTS_KEPT];
    new->ms = ms;
    new->voice = voice;
    snprintf(new->text, sizeof new->text, "%s", text);
    pthread_mutex_unlock(&e->lock);
}

void events_say(struct events *e, const char *format, ...)
{
    char text[EVENT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    events_add(e, BY_SHOP, text);
}

void events_do(struct events *e, const char *format, ...)
{
    char text[EVENT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    events_add(e, BY_HAND, text);
}

void events_explain(struct events *e, const char *format, ...)
{
    char text[EVENT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    events_add(e, WHY, text);
}

/* The length of " <12.3>", if that is what begins here. */
static size_t address_length(const char *at)
{
    if (strncmp(at, " <", 2) != 0) return 0;
    size_t n = 2 + strspn(at + 2, "0123456789.");
    return at[n] == '>' ? n + 1 : 0;
}

void events_log(struct events *e, const char *line)
{
    char text[EVENT_MAX];
    size_t n = 0;
    for (; *line && n < sizeof text - 1; line++) {
        line += address_length(line);
        if (!*line) break;
        text[n++] = *line;
    }
    text[n] = '\0';
    events_add(e, BY_LIBRARY, text);
}

bool events_get(struct events *e, uint64_t i, struct event *out)
{
    pthread_mutex_lock(&e->lock);
    bool there = i < e->n && i + EVENTS_KEPT >= e->n;
    if (there) *out = e->kept[i % EVENTS_KEPT];
    pthread_mutex_unlock(&e->lock);
    return there;
}

uint64_t events_count(struct events *e)
{
    pthread_mutex_lock(&e->lock);
    uint64_t n = e->n;
    pthread_mutex_unlock(&e->lock);
    return n;
}

bool events_tell(struct events *e, const char *text)
{
    struct event one;
    uint64_t n = events_count(e);
    for (uint64_t i = n > EVENTS_KEPT ? n - EVENTS_KEPT : 0; i < n; i++)
        if (events_get(e, i, &one) && strstr(one.text, text)) return true;
    return false;
}
