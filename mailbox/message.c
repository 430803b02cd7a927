/* SPDX-License-Identifier: MIT */
#include "message.h"

/* A reply's body is of the type that answers its request. */
static const bsk_type *body_type(const struct bsk_msg *m)
{
    return m->lane == MSG_REPLY ? m->type->reply : m->type;
}

size_t msg_tail_size(const bsk_type *type, const void *body)
{
    size_t n = 0;
    for (uint32_t i = 0; i < type->nfields; i++) {
        const unsigned char *at = (const unsigned char *)body + type->fields[i].off;
        if (type->fields[i].kind == 's') {
            const char *s = *(const char *const *)(const void *)at;
            if (s) n += strlen(s) + 1;
        } else if (type->fields[i].kind == 'y') {
            n += (((const bsk_bytes *)(const void *)at)->len + 15) & ~(size_t)15;
        }
    }
    return n ? n + 15 : 0; /* bytes begin aligned for any type */
}

static char *copy_text(const char **field, char *to)
{
    if (!*field) return to;
    size_t n = strlen(*field) + 1;
    *field = memcpy(to, *field, n);
    return to + n;
}

static char *copy_bytes(bsk_bytes *field, char *to)
{
    if (!field->len) return to;
    field->ptr = memcpy(to, field->ptr, field->len);
    return to + ((field->len + 15) & ~(size_t)15);
}

void msg_copy_tails(struct bsk_msg *m)
{
    const bsk_type *t = body_type(m);
    uintptr_t end = (uintptr_t)(m->body + t->size);
    char *to = (char *)((end + 15) & ~(uintptr_t)15);
    for (uint32_t i = 0; i < t->nfields; i++) {
        void *at = m->body + t->fields[i].off;
        if (t->fields[i].kind == 'y') to = copy_bytes(at, to);
        if (t->fields[i].kind == 'B') bsk_blob_hold(*(bsk_blob **)at);
    }
    for (uint32_t i = 0; i < t->nfields; i++)
        if (t->fields[i].kind == 's')
            to = copy_text((const char **)(void *)(m->body + t->fields[i].off), to);
}

void msg_drop_contents(struct bsk_msg *m)
{
    const bsk_type *t = body_type(m);
    if (t->drop) t->drop(m->body);
    for (uint32_t i = 0; i < t->nfields; i++)
        if (t->fields[i].kind == 'B')
            bsk_blob_drop(*(bsk_blob **)(void *)(m->body + t->fields[i].off));
}
