/* SPDX-License-Identifier: MIT */
#include "chunk.h"

#include "actors/send.h"

#define BLOCK(size) ((size)-MSG_HEAD - sizeof(struct chunk))
#define LEAST BLOCK((size_t)512)
#define MORE BLOCK((size_t)4096)
#define MOST BLOCK((size_t)16384)

/* Small at first: most streams have little to say at once. */
static size_t next_size(const struct chunks *c, size_t n)
{
    size_t size = !c->last ? LEAST : c->last->size < MORE ? MORE : MOST;
    return n > MOST ? MOST : n > size ? n : size;
}

static struct chunk *chunk_new(struct worker *w, size_t size)
{
    struct bsk_msg *m = snd_block(w, w->rt, sizeof(struct chunk) + size);
    if (!m) return NULL;
    struct chunk *c = (struct chunk *)(void *)m->body;
    *c = (struct chunk){.size = (uint32_t)size};
    return c;
}

static void chunk_free(struct worker *w, struct chunk *c)
{
    snd_free_block(w, w->rt, msg_of(c));
}

static void link_last(struct chunks *c, struct chunk *k)
{
    if (c->last)
        c->last->next = k;
    else
        c->first = k;
    c->last = k;
}

/* Blocks for n bytes more than the last one has room for, in a list of their own. */
static int reserve(struct worker *w, const struct chunks *c, size_t n, struct chunks *fresh)
{
    size_t room = c->last ? c->last->size - c->last->to : 0;
    while (n > room) {
        n -= room;
        struct chunk *k = chunk_new(w, next_size(fresh->last ? fresh : c, n));
        if (!k) {
            chunks_free(w, fresh);
            return BSK_ENOMEM;
        }
        link_last(fresh, k);
        room = k->size;
    }
    return 0;
}

static size_t fill(struct chunk *k, const char *bytes, size_t n)
{
    size_t room = k->size - k->to, some = n < room ? n : room;
    memcpy(k->bytes + k->to, bytes, some);
    k->to += (uint32_t)some;
    return some;
}

int chunks_append(struct worker *w, struct chunks *c, const void *bytes, size_t n)
{
    const char *from = bytes;
    struct chunks fresh = {NULL, NULL};
    struct chunk *k = c->last;
    if (k && k->size - k->to >= n) {
        fill(k, from, n);
        return 0;
    }
    if (reserve(w, c, n, &fresh)) return BSK_ENOMEM;
    size_t done = k ? fill(k, from, n) : 0;
    for (k = fresh.first; k; k = k->next) done += fill(k, from + done, n - done);
    if (!fresh.first) return 0;
    link_last(c, fresh.first);
    c->last = fresh.last;
    return 0;
}

unsigned chunks_view(const struct chunks *c, uv_buf_t *bufs)
{
    unsigned n = 0;
    for (struct chunk *k = c->first; k && n < CHUNK_BUFS; k = k->next)
        bufs[n++] = uv_buf_init(k->bytes + k->from, k->to - k->from);
    return n;
}

void chunks_drop(struct worker *w, struct chunks *c, size_t n)
{
    struct chunk *k;
    while ((k = c->first)) {
        size_t held = k->to - k->from;
        if (n < held) {
            k->from += (uint32_t)n;
            return;
        }
        n -= held;
        c->first = k->next;
        chunk_free(w, k);
    }
    c->last = NULL;
    assert(!n);
}

void chunks_free(struct worker *w, struct chunks *c)
{
    for (struct chunk *k = c->first, *next; k; k = next) {
        next = k->next;
        chunk_free(w, k);
    }
    c->first = c->last = NULL;
}
