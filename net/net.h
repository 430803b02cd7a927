/* SPDX-License-Identifier: MIT */
/* net.h - floor 3: sockets, files and processes as actors' property.
 *
 * What is opened belongs to the actor that opened it, is used by that actor only, and is closed
 * with it, however it ends. An actor that owns such things stays on its loop, but that an accepted
 * connection may be moved, see bsk_listen. A handle of another actor, or of something closed, is
 * BSK_EBADF everywhere. Seeded runtimes have no network yet: opening says BSK_ENOTSUP there.
 *
 * Who returns a code has opened nothing, and leaves what it would have written to as it was, but
 * where it says otherwise. Whatever opens something may also say BSK_ENOMEM, BSK_ELIMIT (a million
 * is open), and BSK_EINVAL once its actor has let go of what it has. What waits for `ms` is for
 * fibers (else BSK_EINVAL), and may say BSK_ETIMEDOUT and BSK_ECANCELED. */
#ifndef BSK_NET_H
#define BSK_NET_H

#include "../supervisor/supervisor.h"

BSK_EXTERN_C_BEGIN_

/* Streams: TCP, unix sockets, pipes, terminals; with TLS or without. */
typedef struct bsk_stream {
    uint64_t id;
} bsk_stream; /* zero: none */

typedef struct bsk_tls bsk_tls; /* who one is to peers, and whom one trusts; see bsk_tls_new */

/* Options of a stream; zero is the default of each. Who exceeds a time or a size is closed, and
 * counted by bsk_net_stats. */
typedef struct bsk_stream_opts {
    int64_t idle_ms;       /* longest time without a byte either way; default: no limit */
    int64_t first_byte_ms; /* from its opening to the peer's first byte; default: no limit */
    uint32_t read_ahead;   /* bytes read before the actor asks, after that the peer has to wait;
                              default 64 KiB */
    uint32_t write_high;   /* bytes not written yet beyond which a write waits or says BSK_EFULL;
                              default 256 KiB */
    bool delay;            /* leave small writes to Nagle's algorithm; default: at once */
    bsk_tls *tls;          /* speak TLS; held while it is used; default: not */
    const char *tls_name;  /* connecting: whose certificate it must be; default: the host */
    char end_;
} bsk_stream_opts;

/* bsk_listen(rt, host, port, fn, .max = 1000, ...) listens, and starts an actor for each
 * connection: `fn` is a bsk_fiber or a bsk_handler, which owns it. `host` is an address ("0.0.0.0",
 * "::1"), or the path of a unix socket, which has a '/', with port 0. Port 0 of an address: any
 * free one. Returns the port (of a path: 0), or a code: BSK_EADDRINUSE, BSK_EACCES, BSK_EADDR (no
 * such address here), BSK_ENOTFOUND (no such directory), BSK_EMFILE, BSK_EINVAL (also: .tls without
 * a certificate), bsk_spawn's; then nobody listens. From any thread.
 *
 * The listener is an actor under the root, the connections are its children. They run on the
 * listener's loop while that has time left, later ones on the least busy loop; and when a loop is
 * full, another is not and cores are idle, connections move there while their actors wait, unless
 * these have more open or are .pinned. Stopping the listener closes its socket first, then stops the connections. When the
 * process has no descriptors left it accepts again as soon as there are some. */
#define bsk_listen(...) BSK_LISTEN1_(__VA_ARGS__, .end_ = 0)
#define BSK_LISTEN1_(rt, host, port, fn, ...)                                                      \
    bsk_listen_((rt), &(bsk_listen_opts){(host), (port), BSK_BEHAVIOR(fn), __VA_ARGS__})
typedef struct bsk_listen_opts {
    const char *host;
    int port;
    bsk_behavior behavior;
    bsk_opts conn; /* of each connection's actor: no name, "conn" as its label by default; not with
                      a thread of its own (BSK_EINVAL) */
    bsk_stream_opts stream;
    uint32_t max;     /* connections at once, and with them those that are closed and whose last
                         bytes still leave (see bsk_stream_close): these have descriptors, too. One
                         more is closed. Default: no limit */
    int backlog;      /* default 1024 */
    const char *name; /* of the listener, registered */
    bsk_addr *who;    /* bsk_listen writes the listener's address there; may be NULL */
    int fd;           /* listens already: > 0; then host and port say nothing */
    char end_;
} bsk_listen_opts;
/* A listener as a supervisor's child: bsk_child(bsk_listener, BSK_LISTEN("::", 80, conn, ...)).
 * What the options point to must live as long as the supervisor. */
BSK_API void bsk_listener(bsk_self *self, bsk_msg *m);
BSK_API void bsk_listener_init(bsk_self *self);
#define BSK_LISTEN(...) BSK_LISTEN2_(__VA_ARGS__, .end_ = 0)
#define BSK_LISTEN2_(host, port, fn, ...)                                                          \
    .init = bsk_listener_init, .trap_stop = true,                                                  \
    BSK_STATE(bsk_listen_opts, (host), (port), BSK_BEHAVIOR(fn), __VA_ARGS__)

/* A listener answers where it listens: bsk_call(self, listener, 1000, bsk_where). */
BSK_MSG(bsk_listens, (str, host), (i64, port));
BSK_CALL(bsk_where, bsk_listens);

/* The stream that the actor was started for; zero: none. */
BSK_API bsk_stream bsk_conn(const bsk_self *self);

/* Waits up to ms for bytes of the actor's own connection. The number of bytes, at least one; 0 at
 * the peer's end; or a code: BSK_ETIMEDOUT, BSK_ECANCELED, BSK_ERESET, BSK_EIO, BSK_ELIMIT (a limit
 * of its options), BSK_ETLS, BSK_EINVAL (not a fiber, or message mode). Bytes are borrowed until
 * the next read. */
BSK_API int bsk_read(bsk_self *self, bsk_bytes *out, int64_t ms) BSK_MUST_;
/* Writes all of it, or returns a code: those of bsk_read, BSK_EPIPE (the peer takes no more). Bytes
 * are copied, and leave when the actor waits for input, or soon; the word waits only while more
 * than write_high bytes have not left yet. After a failure some may have, and it is not known how
 * many: who wants to go on after a time that passed uses bsk_stream_try. */
BSK_API int bsk_write(bsk_self *self, bsk_bytes b, int64_t ms) BSK_MUST_;
#define BSK_BYTES(text) ((bsk_bytes){(text), sizeof(text) - 1}) /* of a string literal */

/* The same for any stream of the actor. */
BSK_API int bsk_stream_read(bsk_self *self, bsk_stream s, bsk_bytes *out, int64_t ms) BSK_MUST_;
BSK_API int bsk_stream_write(bsk_self *self, bsk_stream s, bsk_bytes b, int64_t ms) BSK_MUST_;
/* Reads exactly n bytes into the caller's buffer; 0, BSK_EEOF if the stream ends before, or
 * bsk_read's codes: then what came is lost. */
BSK_API int bsk_stream_fill(bsk_self *self, bsk_stream s, void *to, size_t n, int64_t ms) BSK_MUST_;
/* Waits until all that was written has been given to the system. 0, or bsk_write's codes: then some
 * may have been, and the rest still leaves unless the stream is broken. */
BSK_API int bsk_stream_flush(bsk_self *self, bsk_stream s, int64_t ms) BSK_MUST_;
/* Takes all of it to be written, or nothing; never waits: 0, BSK_EFULL (more than write_high bytes
 * would not have left yet: one bsk_drained comes when half of them have), BSK_ENOMEM, BSK_EPIPE (the
 * stream takes no more, for whatever reason: a reader is told which).
 * For handlers, and fibers that get messages. */
BSK_API int bsk_stream_try(bsk_self *self, bsk_stream s, bsk_bytes b) BSK_MUST_;
/* Ends the sending side once all is written; reading goes on. A stream that is only written is
 * closed. 0, or BSK_EPIPE: it has ended already. */
BSK_API int bsk_stream_shut(bsk_self *self, bsk_stream s) BSK_MUST_;
/* Closes it. What was written before still leaves, for up to 5 seconds, unless the actor was killed
 * or failed, or the stream was given up by bsk_stream_reset. Closing a closed one does nothing. */
BSK_API void bsk_stream_close(bsk_self *self, bsk_stream s);
BSK_API void bsk_stream_reset(bsk_self *self, bsk_stream s);

/* A connection's handler gets its stream as messages; so does a fiber, once it asks for them: then
 * it receives them and does not read. The next bsk_data comes when the one before was received,
 * so an actor that does not keep up stops its peer. They take no place of the mailbox. */
BSK_MSG(bsk_data, (u64, stream), (bytes, data)); /* bytes have come; borrowed as the message is */
BSK_MSG(bsk_drained, (u64, stream));             /* there is room for writes again */
BSK_MSG(bsk_closed, (u64, stream), (i64, code)); /* nothing more comes: BSK_EEOF, or why */
/* Asks for them, for good. 0, or BSK_ENOMEM: it goes on by bsk_read. */
BSK_API int bsk_stream_messages(bsk_self *self, bsk_stream s) BSK_MUST_;
/* Stops the data messages, and lets them come again. 0, or BSK_EBADF. */
BSK_API int bsk_stream_pause(bsk_self *self, bsk_stream s, bool on) BSK_MUST_;

/* What is known of a stream. */
typedef struct bsk_stream_info_out {
    char peer[112], here[112]; /* "address:port", "[address]:port", or a path; "" if it has none */
    uint64_t received, sent;   /* bytes, as the system counts them */
    uint32_t unread, unsent;   /* bytes waiting for the actor, and for the peer */
    char tls[16], alpn[64];    /* "TLSv1.3" and the protocol agreed upon; "" */
} bsk_stream_info_out;
/* 0, or BSK_EBADF. */
BSK_API int bsk_stream_info(bsk_self *self, bsk_stream s, bsk_stream_info_out *out) BSK_MUST_;

/* Who the peer of a stream that speaks TLS is, by the certificate that it has shown: a server has
 * shown one, a client where .ask_client demands it. Texts and bytes are borrowed until the stream
 * is closed. 0; BSK_ENOTFOUND (it has shown none, the two have not agreed yet, or there is no TLS),
 * BSK_EBADF, BSK_ENOMEM: then *out stays as it was.
 *
 * No name is cut. One that holds bytes which do not belong into a name is left out. */
typedef struct bsk_stream_peer_out {
    bool verified;       /* an authority that one trusts vouches for it; false: it was let
                                    in by .trust_anyone only */
    const char *name;    /* the last common name of its subject, UTF-8; "" */
    const char *subject; /* in whole, as RFC 2253 has it: "CN=till,O=Shop" */
    const char *issuer;  /* the same */
    const char *names;   /* the alternative ones: "DNS:shop.test", "IP:192.0.2.7",
                                    "URI:spiffe://shop/till", "email:till@shop.test"; each ends with
                                    '\0', and an empty one ends them all */
    int64_t from, until; /* when it is valid: seconds since 1970 */
    char sha256[65];     /* of all of it, in hexadecimal */
    bsk_bytes der;       /* all of it, as X.509 writes it */
} bsk_stream_peer_out;
BSK_API int bsk_stream_peer(bsk_self *self, bsk_stream s, bsk_stream_peer_out *out) BSK_MUST_;

/* bsk_connect(self, host, port, ms, &stream, .idle_ms = ...) resolves the name, tries its addresses
 * in turn, and connects within ms. Fibers only. 0, or BSK_EHOST (no such name, or no way to it),
 * BSK_EREFUSED, BSK_ERESET, BSK_ENOTFOUND and BSK_EACCES (a path), BSK_EADDR, BSK_ETIMEDOUT,
 * BSK_ECANCELED, BSK_EMFILE, BSK_ETLS, BSK_EINVAL (no host, no such port or name), BSK_EIO (what the
 * system says and has no code here), BSK_ENOMEM; bsk_error_text says more.
 *
 * Names go to the system's resolver as they are: an international one is given in its ASCII form.
 * The resolver cannot be called back, but nobody waits for it longer than ms, and the end of the
 * runtime not at all: a thread of the process does, and throws away what it says. */
#define bsk_connect(...) BSK_CONNECT_(__VA_ARGS__, .end_ = 0)
#define BSK_CONNECT_(self, host, port, ms, out, ...)                                               \
    bsk_connect_((self), (host), (port), (ms), (out), &(bsk_stream_opts){__VA_ARGS__})
/* bsk_dial(self, host, port, ms, .idle_ms = ...) does not wait: one bsk_dialed comes, and if its
 * code is 0 the stream's messages after it. Else the code is one of bsk_connect's, and the stream no
 * more. 0, or BSK_ENOMEM, BSK_EINVAL: then none comes. */
BSK_MSG(bsk_dialed, (u64, stream), (i64, code), (str, text));
#define bsk_dial(...) BSK_DIAL_(__VA_ARGS__, .end_ = 0)
#define BSK_DIAL_(self, host, port, ms, ...)                                                       \
    bsk_dial_((self), (host), (port), (ms), &(bsk_stream_opts){__VA_ARGS__})

/* A listening socket of a fiber that takes connections itself: bsk_gate_open(self, host, port,
 * &gate) is bsk_listen without actors (returns the port, or its codes), bsk_gate_accept(self, gate,
 * ms, &stream, .tls = ...) waits for the next connection, also while there are no descriptors for
 * it: 0, BSK_ETIMEDOUT, BSK_ECANCELED, BSK_EINVAL (not a fiber, .tls without a certificate),
 * BSK_ENOMEM, BSK_ELIMIT: with the last two that one connection is closed. */
typedef struct bsk_gate {
    uint64_t id;
} bsk_gate;
BSK_API int bsk_gate_open(bsk_self *self, const char *host, int port, bsk_gate *out) BSK_MUST_;
#define bsk_gate_accept(...) BSK_ACCEPT_(__VA_ARGS__, .end_ = 0)
#define BSK_ACCEPT_(self, gate, ms, out, ...)                                                      \
    bsk_gate_accept_((self), (gate), (ms), (out), &(bsk_stream_opts){__VA_ARGS__})
BSK_API void bsk_gate_close(bsk_self *self, bsk_gate gate);

/* TLS 1.2 and 1.3. Who one is, and whom one trusts: counted, for any number of streams, from any
 * thread. Files are PEM. Without `ca` the system's authorities are trusted.
 *
 * bsk_connect and bsk_dial return, or tell, when the two have agreed and the server's certificate
 * is found good; a server's stream is there before: what is written meanwhile waits, and counts as
 * unsent. A greeting that fails closes with its alert, with BSK_ETLS for who reads or writes. In
 * TLS 1.3 a client has its word before the server has looked at its certificate: refused, it reads
 * BSK_ETLS. first_byte_ms runs until the peer's first byte inside of TLS, so that the greeting
 * counts in. A stream that ends without TLS's farewell, which may be cut short, ends with BSK_ETLS;
 * bsk_stream_shut and bsk_stream_close say it. */
typedef struct bsk_tls_opts {
    const char *certificate, *key; /* files: the chain, one's own first, and its key; servers need
                                      both */
    const char *ca;                /* a file of authorities to trust, instead of the system's */
    const char *alpn;              /* protocols in order of preference: "h2,http/1.1"; the server
                                      chooses by its own, and refuses who has none of them */
    bool ask_client;               /* servers: clients must have a certificate, too */
    bool trust_anyone;             /* do not check certificates: for tests only */
    char end_;
} bsk_tls_opts;
/* bsk_tls_new(.certificate = "c.pem", .key = "k.pem"): NULL on failure, bsk_error(NULL or of the
 * calling actor) is BSK_ETLS, BSK_ENOTFOUND, BSK_EACCES, BSK_EINVAL (one without the other, no list
 * of protocols), BSK_ENOMEM; bsk_error_text says more. Reads files: not for a handler in a
 * hurry. */
#define bsk_tls_new(...) bsk_tls_new_(&(bsk_tls_opts){.end_ = 0, __VA_ARGS__})
BSK_API bsk_tls *bsk_tls_hold(bsk_tls *t);
BSK_API void bsk_tls_drop(bsk_tls *t);
/* Reads the files again: streams opened from now on use what they say now, others go on. 0, or
 * bsk_tls_new's codes, with bsk_error_text: then nothing changes. */
BSK_API int bsk_tls_reload(bsk_tls *t) BSK_MUST_;
BSK_API bsk_tls *bsk_tls_new_(const bsk_tls_opts *);

/* Files.
 *
 * What touches a file runs on the runtime's blocking pool, and the words wait for it up to ms:
 * fibers only (BSK_EINVAL). Who gives up or is cancelled hears so at once (BSK_ETIMEDOUT,
 * BSK_ECANCELED); what had begun may still happen, and what it made for the asker is freed. Other
 * codes: BSK_ENOTFOUND, BSK_EEXIST, BSK_EACCES, BSK_EMFILE, BSK_ENOSPC (the disk, a quota or a
 * limit of size), BSK_EIO, BSK_ENOMEM, BSK_EFULL (too much work is queued), BSK_ENOTSUP,
 * BSK_EINVAL. Bytes that are given are copied; bytes that come back are borrowed until the fiber's
 * next wait. */
typedef struct bsk_file {
    uint64_t id;
} bsk_file;                    /* zero: none */
#define BSK_HERE ((int64_t)-1) /* as a place: where the file stands, and moves it on */

/* bsk_file_open(self, path, ms, &file, .write = true, .create = true) opens a file, a directory (to
 * sync it), or a device that does not make one wait; pipes, sockets and terminals are streams:
 * BSK_ENOTSUP. */
typedef struct bsk_file_opts {
    bool write;     /* and read; default: read only */
    bool append;    /* each write goes to the end, wherever it says; implies `write` */
    bool create;    /* if it is not there */
    bool exclusive; /* it must not be there (BSK_EEXIST) */
    bool truncate;  /* what is in it goes */
    unsigned mode;  /* of a new one, less the umask; default 0666 */
    char end_;
} bsk_file_opts;
#define bsk_file_open(...) BSK_FILE_OPEN_(__VA_ARGS__, .end_ = 0)
#define BSK_FILE_OPEN_(self, path, ms, out, ...)                                                   \
    bsk_file_open_((self), (path), (ms), (out), &(bsk_file_opts){__VA_ARGS__})
/* Takes a copy of a descriptor as a file: what standard input or output may be. Does not wait.
 * BSK_ENOTSUP for what is a stream, BSK_EMFILE, BSK_EINVAL (none is open there). */
BSK_API int bsk_file_take(bsk_self *self, int fd, bsk_file *out) BSK_MUST_;
/* Closes it at once, or as soon as what the pool does with it has ended. What a failed write-back
 * would lose is heard of by who syncs it before. Closing a closed one does nothing. */
BSK_API void bsk_file_close(bsk_self *self, bsk_file f);

/* Reads up to n bytes, at most 1 GiB, from `at`; less only at the end. How many; 0: the end. */
BSK_API int bsk_file_read(bsk_self *self, bsk_file f, int64_t at, size_t n, bsk_bytes *out,
                          int64_t ms) BSK_MUST_;
/* Writes all of it at `at`. On failure some may have been. */
BSK_API int bsk_file_write(bsk_self *self, bsk_file f, int64_t at, bsk_bytes b,
                           int64_t ms) BSK_MUST_;
/* Sees that what was written is on the disk; data_only: not the times and such. */
BSK_API int bsk_file_sync(bsk_self *self, bsk_file f, bool data_only, int64_t ms) BSK_MUST_;
/* Cuts it, or fills it up with zeroes. */
BSK_API int bsk_file_resize(bsk_self *self, bsk_file f, int64_t size, int64_t ms) BSK_MUST_;

/* The same without waiting, for handlers and fibers that get messages: the result comes as
 * bsk_on_reply(bsk_file_get, r), or bsk_on_no_reply(bsk_file_get, rc) when its time is over. Of two
 * at once either may be done first. The fields of the requests are the library's. The words return
 * 0, or BSK_EINVAL (no such place, too much), BSK_EFULL (too much work is queued), BSK_ENOMEM: then
 * nothing comes, and nothing happens. */
BSK_MSG(bsk_file_got, (u64, file), (i64, at), (i64, code), (blob, data)); /* code: how many */
BSK_MSG(bsk_file_done, (u64, file), (i64, at), (i64, code));
BSK_CALL(bsk_file_get, bsk_file_got, (u64, file), (i64, at), (u64, n), (blob, fd));
BSK_CALL(bsk_file_put, bsk_file_done, (u64, file), (i64, at), (bytes, data), (blob, fd));
BSK_CALL(bsk_file_flush, bsk_file_done, (u64, file), (bool, data_only), (blob, fd));
BSK_API int bsk_file_ask_read(bsk_self *self, bsk_file f, int64_t at, size_t n,
                              int64_t ms) BSK_MUST_;
BSK_API int bsk_file_ask_write(bsk_self *self, bsk_file f, int64_t at, bsk_bytes b,
                               int64_t ms) BSK_MUST_;
BSK_API int bsk_file_ask_sync(bsk_self *self, bsk_file f, bool data_only, int64_t ms) BSK_MUST_;

/* What is known of a file. */
typedef struct bsk_file_info_out {
    char kind;     /* as `ls -l` has it: '-' 'd' 'l' 'p' 's' 'c' 'b' */
    unsigned mode; /* permission bits */
    unsigned uid, gid;
    int64_t size, modified_ns; /* bytes; since 1970 */
    uint64_t device, inode, links;
} bsk_file_info_out;
BSK_API int bsk_file_info(bsk_self *self, bsk_file f, bsk_file_info_out *out, int64_t ms) BSK_MUST_;
BSK_API int bsk_path_info(bsk_self *self, const char *path, bsk_file_info_out *out,
                          int64_t ms) BSK_MUST_;
/* Renames; what was at `to` is replaced. It is on the disk once the directory was synced. */
BSK_API int bsk_path_rename(bsk_self *self, const char *from, const char *to, int64_t ms) BSK_MUST_;
/* Removes a file, or a directory that is empty (else BSK_EEXIST). */
BSK_API int bsk_path_remove(bsk_self *self, const char *path, int64_t ms) BSK_MUST_;
BSK_API int bsk_path_mkdir(bsk_self *self, const char *path, unsigned mode, int64_t ms) BSK_MUST_;
/* Lists a directory, by name, without "." and "..". The list is borrowed:
 *     for (const char *name; (name = bsk_list_next(&list, &kind));) ... */
typedef struct bsk_list {
    const char *at, *end;
} bsk_list;
BSK_API int bsk_path_list(bsk_self *self, const char *path, bsk_list *out, int64_t ms) BSK_MUST_;
/* Returns the next name, or NULL, and what it is: as bsk_file_info_out.kind. */
BSK_API const char *bsk_list_next(bsk_list *list, char *kind);
/* Reads a whole file of at most `most` bytes (else BSK_ELIMIT). How many. */
BSK_API int bsk_file_load(bsk_self *self, const char *path, size_t most, bsk_bytes *out,
                          int64_t ms) BSK_MUST_;
/* Writes a whole file so that, whatever happens, either the old or the new one is there, and the
 * new one is on the disk when this returns 0. `mode` is of a new one, 0: 0666 less the umask; one
 * that was there leaves its mode. A symbolic link is replaced, not followed. */
BSK_API int bsk_file_save(bsk_self *self, const char *path, bsk_bytes b, unsigned mode,
                          int64_t ms) BSK_MUST_;

/* Processes.
 *
 * A child process belongs to its actor, and with it all that it starts in its process group: when
 * the actor ends, when the process is closed, and when the process itself has ended, what is left
 * of the group is killed. If the program is killed the child is, too. It gets no descriptor but its
 * standard streams, and no signal setting of the program's. Linux 5.3 or later: else
 * BSK_ENOTSUP. */
typedef struct bsk_process {
    uint64_t id;
} bsk_process; /* zero: none */

/* What a standard stream of a process is. */
enum bsk_stdio {
    BSK_STDIO_NULL,    /* /dev/null */
    BSK_STDIO_PIPE,    /* a stream of the actor's */
    BSK_STDIO_INHERIT, /* the program's own */
    BSK_STDIO_OUT      /* of `err`: where `out` goes */
};

/* bsk_process_start(self, &started, .argv = BSK_ARGV("gzip", "-c"), .in = BSK_STDIO_PIPE, ...)
 * starts a process; from handlers and fibers. The loop stands still until the system has loaded the
 * program, about a millisecond. 0, or BSK_ENOTFOUND, BSK_EACCES (the program, the directory, the
 * user, a limit), BSK_EMFILE, BSK_ENOMEM, BSK_ELIMIT, BSK_EINVAL: then nothing was started. A
 * handler gets what comes out as bsk_data. */
typedef struct bsk_process_opts {
    const char *const *argv;     /* ends with NULL; a program without a '/' is sought in PATH */
    const char *const *env;      /* "NAME=value"..., NULL; default: the program's */
    const char *dir;             /* default: the program's */
    enum bsk_stdio in, out, err; /* default: none */
    uint64_t max_cpu_s;          /* seconds of processor time: SIGXCPU, a second later SIGKILL */
    uint64_t max_memory;         /* bytes of address space */
    uint64_t max_files;          /* open descriptors */
    uint32_t uid, gid;           /* who it runs as; default: as the program */
    bsk_stream_opts stream;      /* of the pipes */
    bool messages;               /* a fiber gets bsk_exited, and does not wait */
    char end_;
} bsk_process_opts;
typedef struct bsk_process_out {
    bsk_process process;
    int64_t pid;
    bsk_stream in, out, err; /* of those that are pipes; `in` is written only, the others read */
} bsk_process_out;
#define BSK_ARGV(...) ((const char *const[]){__VA_ARGS__, NULL})
#define bsk_process_start(...) BSK_PROCESS_START_(__VA_ARGS__, .end_ = 0)
#define BSK_PROCESS_START_(self, out, ...)                                                         \
    bsk_process_start_((self), (out), &(bsk_process_opts){__VA_ARGS__})

/* The process has ended: its exit status, or the signal that ended it; status -1 and no signal if
 * somebody else has waited for it. Comes once, to handlers, and fibers with .messages; its memory
 * is set aside before. It may come before the last of what the process wrote. Then the process is
 * closed. */
BSK_MSG(bsk_exited, (u64, process), (i64, status), (i64, signal));
/* Waits for the same; fibers. 0, and the process is closed; BSK_ETIMEDOUT, BSK_ECANCELED. */
typedef struct bsk_exit_out {
    int64_t status, signal;
} bsk_exit_out;
BSK_API int bsk_process_wait(bsk_self *self, bsk_process p, bsk_exit_out *out,
                             int64_t ms) BSK_MUST_;
/* Sends a signal to the process alone. 0, BSK_EDEAD (it has ended), BSK_EINVAL, BSK_EACCES. */
BSK_API int bsk_process_signal(bsk_self *self, bsk_process p, int signum) BSK_MUST_;
/* Kills it, if it has not ended, and forgets it: no bsk_exited comes. Its streams stay. Closing a
 * closed one does nothing. */
BSK_API void bsk_process_close(bsk_self *self, bsk_process p);

/* Signals of the system as messages: bsk_on_signal(self, SIGHUP) has each told to this actor, until
 * bsk_off_signal or its end; then, if nobody else wants it, the system does again what it does by
 * default. The next bsk_signal comes when the one before was received: what arrives in between is
 * told once; none is lost. Any number of actors may want the same. 0, BSK_EEXIST (this actor has
 * it), BSK_EINVAL (no such signal, one that cannot be caught, a fault's, or one that the runtime
 * has for itself: SIGINT and SIGTERM unless .no_signals, SIGUSR1 with .dump_on_usr1, SIGURG with
 * .contain_faults), BSK_ENOMEM. */
BSK_MSG(bsk_signal, (i64, number));
BSK_API int bsk_on_signal(bsk_self *self, int signum) BSK_MUST_;
BSK_API void bsk_off_signal(bsk_self *self, int signum);

/* The user's own libuv handles, on an actor's loop. (Who uses this includes <uv.h>, too.)
 *
 * bsk_uv_loop: the loop that the actor runs on, NULL in a seeded runtime. A handle is initialised
 * on it and given to bsk_uv_own before the next wait or return. Then the actor stays on that loop,
 * and the handle is closed there with the actor, however it ends; `closed` runs when the loop has
 * let go of it, to free it (NULL: nothing does). Its `data` is the user's; uv_close is not:
 * bsk_uv_close does the same before the end. 0, BSK_ENOTSUP, BSK_EINVAL (of another loop, owned, or
 * closing), BSK_ENOMEM, BSK_ELIMIT: then the handle stays the caller's, who closes it.
 *
 * Its memory must stay until then: it is not the actor's own (bsk_alloc, its state), nor on its
 * stack.
 *
 * The handle's callbacks run on the loop's thread, between actors. They must not wait; of this
 * library they may use what any thread may (bsk_tell, bsk_try, bsk_stop, ...), and bsk_uv_wake. The
 * actor's state is theirs to use as long as the handle is not closed. */
struct uv_loop_s;
struct uv_handle_s;
BSK_API struct uv_loop_s *bsk_uv_loop(bsk_self *self);
BSK_API int bsk_uv_own(bsk_self *self, struct uv_handle_s *handle,
                       void (*closed)(struct uv_handle_s *handle)) BSK_MUST_;
BSK_API void bsk_uv_close(bsk_self *self, struct uv_handle_s *handle);
/* From a callback: ends the wait in bsk_uv_wait of the fiber that owns the handle, or the next. */
BSK_API void bsk_uv_wake(bsk_self *self, struct uv_handle_s *handle);
/* Waits until that: 0, BSK_ETIMEDOUT, BSK_ECANCELED, BSK_EBADF (not one of the fiber's own). */
BSK_API int bsk_uv_wait(bsk_self *self, struct uv_handle_s *handle, int64_t ms) BSK_MUST_;

/* Datagrams: bsk_udp_open(self, host, port, &udp, .queue = 100) takes datagrams at an address
 * ("0.0.0.0", "::", port 0: any free one). Returns the port, or a code: BSK_EADDRINUSE, BSK_EADDR,
 * BSK_EACCES, BSK_EMFILE, BSK_EINVAL. Datagrams that the actor has not taken wait for it, in order,
 * up to a number; what comes then is dropped and counted. A handler gets them as messages, a fiber
 * that opened with .messages, too. */
typedef struct bsk_udp {
    uint64_t id;
} bsk_udp; /* zero: none */
typedef struct bsk_udp_opts {
    uint32_t queue; /* datagrams not taken yet; default 256 */
    bool broadcast; /* may send to broadcast addresses */
    bool reuse;     /* shares the port with others that say so, as for multicast */
    bool messages;
    char end_;
} bsk_udp_opts;
#define bsk_udp_open(...) BSK_UDP_OPEN_(__VA_ARGS__, .end_ = 0)
#define BSK_UDP_OPEN_(self, host, port, out, ...)                                                  \
    bsk_udp_open_((self), (host), (port), (out), &(bsk_udp_opts){__VA_ARGS__})
BSK_API void bsk_udp_close(bsk_self *self, bsk_udp u);

/* Waits for the next datagram. 0, and it is borrowed until the next bsk_udp_recv; BSK_ETIMEDOUT,
 * BSK_ECANCELED, BSK_EREFUSED (connected: nobody is there; told once for each time that one heard
 * of it), BSK_EINVAL (not a fiber, or message mode). */
typedef struct bsk_udp_from {
    const char *host; /* an address */
    int port;
    bsk_bytes data;
} bsk_udp_from;
BSK_API int bsk_udp_recv(bsk_self *self, bsk_udp u, bsk_udp_from *out, int64_t ms) BSK_MUST_;
/* The same as messages. The next comes when the one before was received; none takes a place of the
 * mailbox. code: 0, or BSK_EREFUSED. */
BSK_MSG(bsk_datagram, (u64, udp), (str, host), (i64, port), (bytes, data), (i64, code));

/* Sends one datagram to an address; host NULL: to whom it is connected. Fibers wait while the
 * system takes no more, up to ms; then it may still leave. bsk_udp_try does not wait: BSK_EFULL. 0
 * says that the system has it, not that it arrives. BSK_EINVAL (no address, too long), BSK_EREFUSED
 * (connected: one before was refused), BSK_EHOST, BSK_EACCES (broadcast), BSK_ENOMEM. */
BSK_API int bsk_udp_send(bsk_self *self, bsk_udp u, const char *host, int port, bsk_bytes b,
                         int64_t ms) BSK_MUST_;
BSK_API int bsk_udp_try(bsk_self *self, bsk_udp u, const char *host, int port,
                        bsk_bytes b) BSK_MUST_;
/* From now on takes from, and sends to, this address only. 0, BSK_EINVAL (no address), BSK_EHOST,
 * BSK_EACCES: as before. */
BSK_API int bsk_udp_connect(bsk_self *self, bsk_udp u, const char *host, int port) BSK_MUST_;
/* Joins or leaves a multicast group, at an interface, given by its address; NULL: any. 0, BSK_EINVAL
 * (no address), BSK_EADDR (no such interface, not joined, joined already), BSK_ENOMEM. */
BSK_API int bsk_udp_join(bsk_self *self, bsk_udp u, const char *group, const char *interface,
                         bool on) BSK_MUST_;
/* How far multicast goes, 1 to 255 routers, and whether it comes back to this host. 0, or
 * BSK_EINVAL. */
BSK_API int bsk_udp_multicast(bsk_self *self, bsk_udp u, int ttl, bool loops) BSK_MUST_;
typedef struct bsk_udp_info_out {
    char here[112];                   /* "address:port" */
    uint64_t received, sent, dropped; /* datagrams */
    uint32_t queued;
} bsk_udp_info_out;
/* 0, or BSK_EBADF. */
BSK_API int bsk_udp_info(bsk_self *self, bsk_udp u, bsk_udp_info_out *out) BSK_MUST_;

/* Names: writes up to `max` different addresses of a host, as text, in the order in which they
 * should be tried. How many there are; BSK_EHOST (none), BSK_ETIMEDOUT, BSK_ECANCELED, BSK_EINVAL,
 * BSK_EMFILE, BSK_ENOMEM. Fibers only. The process looks up to 16 names at once, on threads that do
 * nothing else; more wait their turn. See bsk_connect. */
typedef struct bsk_host_address {
    char text[64];
} bsk_host_address;
BSK_API int bsk_resolve(bsk_self *self, const char *host, int64_t ms, bsk_host_address *out,
                        int max) BSK_MUST_;

/* Standard streams: bsk_stream_open_fd(self, 0, &in, .read_ahead = 4096) makes a stream of a pipe,
 * a terminal or a socket that the program has open; it is used the way it was opened. The
 * descriptor stays the program's: closing the stream does not close it. Of a pipe or a terminal the
 * stream has a description of its own where the system allows it; else, and of a socket, the shared
 * one does not block while the stream is open: who else reads or writes it, also in other
 * processes, gets EAGAIN meanwhile. 0, BSK_ENOTSUP (a file, a directory or a device as /dev/null:
 * see bsk_file_take), BSK_EINVAL, BSK_EMFILE, BSK_ENOMEM. */
#define bsk_stream_open_fd(...) BSK_OPEN_FD_(__VA_ARGS__, .end_ = 0)
#define BSK_OPEN_FD_(self, fd, out, ...)                                                           \
    bsk_stream_open_fd_((self), (fd), (out), &(bsk_stream_opts){__VA_ARGS__})
/* The size of the terminal, in characters. BSK_ENOTSUP: the stream is none. A change is told by
 * SIGWINCH. */
BSK_API int bsk_tty_size(bsk_self *self, bsk_stream s, int *columns, int *rows) BSK_MUST_;
/* Has each key come at once, unseen and uninterpreted, until it is set off, the actor ends, or the
 * program calls exit: then the terminal is as it was. 0, BSK_ENOTSUP (the stream is none), BSK_EIO,
 * BSK_EMFILE, BSK_ENOMEM: it is as it was. */
BSK_API int bsk_tty_raw(bsk_self *self, bsk_stream s, bool on) BSK_MUST_;

/* Tells of changes of a file, or of the names in a directory and their files: bsk_file_changed,
 * with the name within the directory ("" if it is not known). Changes that follow each other
 * closely may be told as one. The next comes when the one before was received; of too many in
 * between some are left out, and the last that is told says `lost`: look at everything. 0,
 * BSK_ENOTFOUND, BSK_EACCES, BSK_EMFILE, BSK_ENOSPC (the system watches no more), BSK_ENOMEM. */
typedef struct bsk_watched {
    uint64_t id;
} bsk_watched; /* zero: none */
BSK_MSG(bsk_file_changed, (u64, watched), (str, name), (bool, renamed), (bool, lost));
BSK_API int bsk_file_watch(bsk_self *self, const char *path, bsk_watched *out) BSK_MUST_;
BSK_API void bsk_file_unwatch(bsk_self *self, bsk_watched w);

/* Counters of the runtime's streams and listeners. */
typedef struct bsk_net_stats_out {
    uint64_t open, accepted, connected;
    uint64_t refused;        /* by .max of a listener */
    uint64_t idle, silent;   /* closed by idle_ms, by first_byte_ms */
    uint64_t no_descriptors; /* times that accepting paused for want of descriptors */
    uint64_t received, sent; /* bytes */
    uint64_t moved;          /* connections, to another loop */
} bsk_net_stats_out;
BSK_API void bsk_net_stats(bsk_rt *rt, bsk_net_stats_out *out);

BSK_API int bsk_listen_(bsk_rt *, const bsk_listen_opts *) BSK_MUST_;
BSK_API int bsk_connect_(bsk_self *, const char *, int, int64_t, bsk_stream *,
                         const bsk_stream_opts *) BSK_MUST_;
BSK_API int bsk_dial_(bsk_self *, const char *, int, int64_t, const bsk_stream_opts *) BSK_MUST_;
BSK_API int bsk_gate_accept_(bsk_self *, bsk_gate, int64_t, bsk_stream *,
                             const bsk_stream_opts *) BSK_MUST_;
BSK_API int bsk_file_open_(bsk_self *, const char *, int64_t, bsk_file *,
                           const bsk_file_opts *) BSK_MUST_;
BSK_API int bsk_process_start_(bsk_self *, bsk_process_out *, const bsk_process_opts *) BSK_MUST_;
BSK_API int bsk_udp_open_(bsk_self *, const char *, int, bsk_udp *, const bsk_udp_opts *) BSK_MUST_;
BSK_API int bsk_stream_open_fd_(bsk_self *, int, bsk_stream *, const bsk_stream_opts *) BSK_MUST_;

BSK_EXTERN_C_END_

#endif
