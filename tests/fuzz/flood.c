/* SPDX-License-Identifier: MIT */
/* flood.c - flood PORT SECONDS [SEED]: sends a server of the Redis protocol what is nearly right: commands
 * with bytes changed, cut off, doubled, in pieces. It may answer errors and close connections, but must
 * go on to serve: somebody who asks properly beside it gets his answer, also afterwards. */
#define _DEFAULT_SOURCE 1
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../kv/differential/grammar.h"
#include "../kv/differential/server.h"

enum { LINKS = 16, FRAME = 1 << 18, ASK_EACH = 200 };

static char frame[FRAME];
static uint64_t sent, closed;

/* What a parser looks for, and numbers that are too large for something. */
static const char *const pieces[] = {"*",
                                     "$",
                                     "\r\n",
                                     "\n",
                                     "\r",
                                     "*1\r\n",
                                     "$-1\r\n",
                                     "*-1\r\n",
                                     "$4294967296\r\n",
                                     "*1048577\r\n",
                                     "\"",
                                     "'",
                                     "\\x",
                                     "$536870913\r\n",
                                     "\0",
                                     "*1048576\r\n$",
                                     "PING\r\n",
                                     "$0\r\n\r\n",
                                     "+OK",
                                     ":",
                                     "9223372036854775808",
                                     "-",
                                     " ",
                                     "MULTI\r\nEXEC\r\n",
                                     "HELLO 3\r\n",
                                     "SUBSCRIBE a\r\n",
                                     "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$67108865\r\n"};

static size_t change(size_t n)
{
    size_t at = n ? draw(n) : 0, len;
    const char *piece = pieces[draw(sizeof pieces / sizeof *pieces)];
    switch (draw(6)) {
    case 0: frame[at] = (char)draw(256); return n ? n : 1;
    case 1: return at; /* cut off */
    case 2:            /* doubled */
        len = n - at;
        if (n + len > FRAME) return n;
        memcpy(frame + n, frame + at, len);
        return n + len;
    case 3: /* less of it */
        len = draw(n - at + 1);
        memmove(frame + at, frame + at + len, n - at - len);
        return n - len;
    default: /* more of it */
        len = strlen(piece) + (*piece == '\0');
        if (n + len > FRAME) return n;
        memmove(frame + at + len, frame + at, n - at);
        memcpy(frame + at, piece, len);
        return n + len;
    }
}

static size_t draw_frame(void)
{
    static struct request r;
    size_t n = 0;
    for (uint64_t commands = draw(4); commands > 0 && n < FRAME / 4; commands--) {
        request_draw(&r, false);
        n += draw(4) ? request_encode(&r, frame + n, FRAME / 2)
                     : request_inline(&r, frame + n, FRAME / 2);
    }
    for (uint64_t changes = draw(5); changes > 0; changes--) n = change(n);
    return n;
}

static void send_pieces(struct link *l, size_t n)
{
    for (size_t from = 0, len; from < n; from += len) {
        len = draw(3) ? n - from : 1 + draw(n - from);
        if (link_send(l, frame + from, len)) continue;
        closed++;
        link_open(l);
        return;
    }
}

static bool asks(struct link *l)
{
    const char *at;
    size_t n;
    static const char ping[] = "*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\n";
    return link_send(l, ping, sizeof ping - 1) && link_reply(l, &at, &n) && n == 8 &&
           memcmp(at, "$2\r\nhi\r\n", n) == 0;
}

int main(int argc, char **argv)
{
    if (argc < 3) return 2;
    struct link flood[LINKS], proper = {.where = argv[1], .fd = -1};
    time_t until = time(NULL) + atoi(argv[2]);
    uint64_t seed = argc > 3 ? strtoull(argv[3], NULL, 10) : (uint64_t)until;
    bool served = true;
    draw_seed(seed);
    for (int i = 0; i < LINKS; i++) {
        flood[i] = proper;
        link_open(&flood[i]);
    }
    link_open(&proper);
    for (; served && time(NULL) < until; sent++) {
        struct link *l = &flood[draw(LINKS)];
        size_t n = draw_frame();
        send_pieces(l, n);
        /* What is answered is left to be read by nobody: now and then there is another one. */
        if (draw(8) == 0) link_open(l);
        if (sent % ASK_EACH == 0) served = asks(&proper);
    }
    for (int i = 0; i < LINKS; i++) link_close(&flood[i]), free(flood[i].in);
    served = served && asks(&proper);
    link_close(&proper);
    free(proper.in);
    printf("seed %" PRIu64 ": %" PRIu64 " frames, %" PRIu64
           " times the connection was closed: %s\n",
           seed, sent, closed, served ? "it serves" : "it does not serve any more");
    return !served;
}
