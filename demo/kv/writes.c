/* SPDX-License-Identifier: MIT */
/* writes.c - what is to be written to the store, as bytes. */
#include "writes.h"

struct head {
    uint64_t hash;
    int64_t expires;
    uint32_t kind, klen, vlen;
};

void writes_add(struct buffer *b, const struct record *r)
{
    struct head h = {r->hash, r->expires, r->kind, r->key.len, r->value.len};
    if (!buffer_room(b, sizeof h + h.klen + h.vlen)) return;
    buffer_add(b, &h, sizeof h);
    buffer_add(b, r->key.at, h.klen);
    buffer_add(b, r->value.at, h.vlen);
}

bool writes_next(const char **at, const char *end, struct record *r)
{
    struct head h;
    if (*at == end) return false;
    memcpy(&h, *at, sizeof h);
    const char *key = *at + sizeof h, *value = key + h.klen;
    *r = (struct record){.hash = h.hash,
                         .expires = h.expires,
                         .kind = (enum write_kind)h.kind,
                         .key = {key, h.klen},
                         .value = {value, h.vlen}};
    *at = value + h.vlen;
    return true;
}
