/* SPDX-License-Identifier: MIT */
/* What is known of streams. */
#include "socket.h"
#include "stream.h"
#include "tls.h"

static void name(const struct stream *s, char *out, size_t size,
                 int (*get)(int, struct sockaddr *, socklen_t *))
{
    struct sockaddr_storage a = {0};
    socklen_t n = sizeof a;
    uv_os_fd_t fd;
    *out = '\0';
    if (uv_fileno(&s->uv.handle, &fd) == 0 && get(fd, (struct sockaddr *)&a, &n) == 0)
        sock_name(&a, out, size);
}

int bsk_stream_info(bsk_self *self, bsk_stream id, bsk_stream_info_out *out)
{
    struct stream *s = stream_mine(self, id);
    if (!s) return BSK_EBADF;
    *out = (bsk_stream_info_out){.received = s->received,
                                 .sent = s->sent,
                                 .unread = s->unread,
                                 .unsent = (uint32_t)s->unsent};
    if (s->state < STREAM_GREETING) return 0;
    name(s, out->peer, sizeof out->peer, getpeername);
    name(s, out->here, sizeof out->here, getsockname);
    if (s->tls) tls_info(s, out);
    return 0;
}

int bsk_stream_peer(bsk_self *self, bsk_stream id, bsk_stream_peer_out *out)
{
    struct stream *s = stream_mine(self, id);
    if (!s) return BSK_EBADF;
    return s->tls ? tls_peer(s, out) : BSK_ENOTFOUND;
}

static uint64_t sum(bsk_rt *rt, size_t offset)
{
    uint64_t n = 0;
    unsigned workers = atomic_load_explicit(&rt->nworkers, memory_order_acquire);
    for (unsigned i = 0; i < workers; i++) {
        struct worker *w = atomic_load_explicit(&rt->workers[i], memory_order_acquire);
        /* Acquire pairs with the release in net_loop: its figures start at 0. */
        const char *l = (const char *)atomic_load_explicit(&w->net, memory_order_acquire);
        if (l)
            n += atomic_load_explicit((const _Atomic uint64_t *)(const void *)(l + offset),
                                      memory_order_relaxed);
    }
    return n;
}

#define SUM(rt, figure) sum((rt), offsetof(struct net_loop, count.figure))

void bsk_net_stats(bsk_rt *rt, bsk_net_stats_out *out)
{
    uint64_t closed = SUM(rt, closed), opened = SUM(rt, opened);
    *out = (bsk_net_stats_out){.open = opened > closed ? opened - closed : 0,
                               .accepted = SUM(rt, accepted),
                               .connected = SUM(rt, connected),
                               .refused = SUM(rt, refused),
                               .idle = SUM(rt, idle),
                               .silent = SUM(rt, silent),
                               .no_descriptors = SUM(rt, no_descriptors),
                               .received = SUM(rt, received),
                               .sent = SUM(rt, sent),
                               .moved = SUM(rt, moved)};
}
