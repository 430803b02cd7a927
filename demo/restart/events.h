/* SPDX-License-Identifier: MIT */
/* events.h - the log of what happened: the last lines, for the screen; each new one, for a pipe. */
#ifndef RESTART_EVENTS_H
#define RESTART_EVENTS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum { EVENTS_KEPT = 512, EVENT_MAX = 200 };

enum voice {
    BY_HAND,    /* what was done to the shop */
    WHY,        /* what ought to come of it */
    BY_LIBRARY, /* what the library said */
    BY_SHOP     /* what the shop's actors said */
};

struct event {
    int64_t ms; /* since the start */
    enum voice voice;
    char text[EVENT_MAX];
};

struct events {
    pthread_mutex_t lock;
    struct event kept[EVENTS_KEPT];
    uint64_t n; /* since the start; the last EVENTS_KEPT are kept */
    int64_t began;
};

bool events_init(struct events *e);
void events_fini(struct events *e);
/* Adds a line. From any thread. */
void events_add(struct events *e, enum voice voice, const char *text);
__attribute__((format(printf, 2, 3))) void events_say(struct events *e, const char *format, ...);
__attribute__((format(printf, 2, 3))) void events_do(struct events *e, const char *format, ...);
__attribute__((format(printf, 2, 3))) void events_explain(struct events *e, const char *format,
                                                          ...);
/* Adds a line of the library's log, without the addresses that it puts behind names. */
void events_log(struct events *e, const char *line);
/* Copies event number `i` (from 0). False: there is none yet, or no longer. */
bool events_get(struct events *e, uint64_t i, struct event *out);
uint64_t events_count(struct events *e);
/* Tells whether a line that is kept has this text in it. */
bool events_tell(struct events *e, const char *text);
/* Milliseconds since the start. */
int64_t events_now(const struct events *e);

#endif
