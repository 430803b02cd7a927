/* SPDX-License-Identifier: MIT */
#include "cause.h"
#include "mailbox/memory.h"

#include <assert.h>
#include <string.h>

static void free_copy(void *data, void *arg)
{
    (void)arg;
    mem_free(data);
}

static const char *put_string(char **end, const char *s)
{
    size_t n = strlen(s) + 1;
    char *at = *end;
    memcpy(at, s, n);
    *end += n;
    return at;
}

bsk_blob *cause_new(const struct cause *c)
{
    if (!*c->text && !*c->file && !c->signal) return NULL;
    size_t size = sizeof *c + strlen(c->text) + strlen(c->file) + strlen(c->trace) + 3;
    struct cause *copy = mem_alloc(size);
    if (!copy) return NULL;
    char *end = (char *)(copy + 1);
    *copy = *c;
    copy->text = put_string(&end, c->text);
    copy->file = put_string(&end, c->file);
    copy->trace = put_string(&end, c->trace);
    bsk_blob *blob = bsk_blob_take(copy, size, free_copy, NULL);
    if (!blob) mem_free(copy);
    return blob;
}

struct cause cause_of(const bsk_blob *blob, enum bsk_reason reason)
{
    if (blob) return *(const struct cause *)bsk_blob_bytes(blob).ptr;
    return (struct cause){.reason = reason, .text = "", .file = "", .trace = ""};
}
