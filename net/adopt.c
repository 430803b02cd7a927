/* SPDX-License-Identifier: MIT */
#include "adopt.h"

#include <unistd.h>

static struct stream *begin(bsk_self *self, int fd, const bsk_stream_opts *o, int *rc)
{
    struct stream *s = stream_new(self->worker, o, rc);
    if (!s) {
        close(fd);
        return NULL;
    }
    s->fd = fd;
    *rc = handle_own(self, &s->h);
    if (*rc == 0) return s;
    stream_discard(s);
    return NULL;
}

int adopt_fd(bsk_self *self, int fd, enum adopt_way way, const bsk_stream_opts *o,
             struct stream **out)
{
    int rc;
    struct stream *s = begin(self, fd, o, &rc);
    if (!s) return rc;
    /* What cannot be read is at its end; what cannot be written is so from the beginning. */
    s->one_way = way == ADOPT_WRITE;
    if (s->one_way) s->end = BSK_EEOF;
    rc = stream_open(s);
    if (rc) {
        handle_disown(&s->h);
        stream_close(s);
        return rc;
    }
    if (way == ADOPT_READ) s->broken = BSK_EPIPE;
    *out = s;
    return 0;
}
