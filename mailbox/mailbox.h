/* SPDX-License-Identifier: MIT */
/* mailbox.h - floor 0: addresses, errors, message types and blobs.
 *
 * Included by buskin.h. Strict C11; as C++17 all but the declaring macros' designated values. */
#ifndef BSK_MAILBOX_H
#define BSK_MAILBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define BSK_API __attribute__((visibility("default")))
/* One descriptor per program, whoever includes the declaration. */
#define BSK_ONE_ __attribute__((weak, visibility("default")))
#define BSK_NORETURN_ __attribute__((noreturn))
#define BSK_MUST_ __attribute__((warn_unused_result))
#define BSK_PRINTF_(a, b) __attribute__((format(printf, a, b)))
#else
#error "Buskin needs weak symbols: gcc or clang"
#endif
#if defined(__cplusplus)
#define BSK_EXTERN_C_BEGIN_ extern "C" {
#define BSK_EXTERN_C_END_ }
#else
#define BSK_EXTERN_C_BEGIN_
#define BSK_EXTERN_C_END_
#endif

BSK_EXTERN_C_BEGIN_

/* An actor's address: a value to copy, compare and send. Zero is nobody. Sending to an actor
 * that has ended is safe and never reaches the next actor in its slot. `node` is the incarnation
 * of the runtime, random at each start. */
typedef struct bsk_addr {
    uint64_t node;
    uint32_t slot, gen;
} bsk_addr;

/* Tells whether `a` is the address of nobody (not whether the actor still lives). */
static inline bool bsk_is_nobody(bsk_addr a)
{
    return a.gen == 0;
}

/* Tells whether both are the address of one and the same actor. */
static inline bool bsk_same(bsk_addr a, bsk_addr b)
{
    return a.node == b.node && a.slot == b.slot && a.gen == b.gen;
}

/* A function that can fail returns 0 or one of these, negative, and leaves its outputs
 * untouched. */
#define BSK_ERRORS(X)                                                                              \
    X(EFULL, "mailbox full")                                                                       \
    X(EDEAD, "no such actor")                                                                      \
    X(ETIMEDOUT, "timed out")                                                                      \
    X(ECANCELED, "cancelled")                                                                      \
    X(ENOMEM, "out of memory")                                                                     \
    X(EINVAL, "invalid argument")                                                                  \
    X(EEOF, "end of stream")                                                                       \
    X(EIO, "input/output error")                                                                   \
    X(EDEADLK, "would wait for itself")                                                            \
    X(ECLOSED, "mailbox closed")                                                                   \
    X(ENOREPLY, "request dropped without a reply")                                                 \
    X(EEXIST, "already exists")                                                                    \
    X(ELIMIT, "limit reached")                                                                     \
    X(ESTOPPING, "runtime is stopping")                                                            \
    X(ECHILD, "a child failed")                                                                    \
    X(ENOTFOUND, "not found")                                                                      \
    X(ERUNNING, "still running")                                                                   \
    X(ERESTARTING, "restarting")                                                                   \
    X(EDYNAMIC, "not for a dynamic supervisor")                                                    \
    X(EBADF, "not an open handle of this actor")                                                   \
    X(ENOTSUP, "not supported here")                                                               \
    X(ERESET, "connection reset")                                                                  \
    X(EREFUSED, "connection refused")                                                              \
    X(EPIPE, "the peer takes no more")                                                             \
    X(EADDRINUSE, "address in use")                                                                \
    X(EADDR, "no such address here")                                                               \
    X(EHOST, "host not found or not reachable")                                                    \
    X(EACCES, "permission denied")                                                                 \
    X(EMFILE, "too many open files")                                                               \
    X(ETLS, "TLS failed")                                                                          \
    X(ENOSPC, "no space left")
#define BSK_ERR_(n, s) BSK_N_##n,
enum { BSK_N_OK, BSK_ERRORS(BSK_ERR_) BSK_N_COUNT };
#undef BSK_ERR_
enum {
    BSK_OK = 0,
    BSK_EFULL = -BSK_N_EFULL,
    BSK_EDEAD = -BSK_N_EDEAD,
    BSK_ETIMEDOUT = -BSK_N_ETIMEDOUT,
    BSK_ECANCELED = -BSK_N_ECANCELED,
    BSK_ENOMEM = -BSK_N_ENOMEM,
    BSK_EINVAL = -BSK_N_EINVAL,
    BSK_EEOF = -BSK_N_EEOF,
    BSK_EIO = -BSK_N_EIO,
    BSK_EDEADLK = -BSK_N_EDEADLK,
    BSK_ECLOSED = -BSK_N_ECLOSED,
    BSK_ENOREPLY = -BSK_N_ENOREPLY,
    BSK_EEXIST = -BSK_N_EEXIST,
    BSK_ELIMIT = -BSK_N_ELIMIT,
    BSK_ESTOPPING = -BSK_N_ESTOPPING,
    BSK_ECHILD = -BSK_N_ECHILD,
    BSK_ENOTFOUND = -BSK_N_ENOTFOUND,
    BSK_ERUNNING = -BSK_N_ERUNNING,
    BSK_ERESTARTING = -BSK_N_ERESTARTING,
    BSK_EDYNAMIC = -BSK_N_EDYNAMIC,
    BSK_EBADF = -BSK_N_EBADF,
    BSK_ENOTSUP = -BSK_N_ENOTSUP,
    BSK_ERESET = -BSK_N_ERESET,
    BSK_EREFUSED = -BSK_N_EREFUSED,
    BSK_EPIPE = -BSK_N_EPIPE,
    BSK_EADDRINUSE = -BSK_N_EADDRINUSE,
    BSK_EADDR = -BSK_N_EADDR,
    BSK_EHOST = -BSK_N_EHOST,
    BSK_EACCES = -BSK_N_EACCES,
    BSK_EMFILE = -BSK_N_EMFILE,
    BSK_ETLS = -BSK_N_ETLS,
    BSK_ENOSPC = -BSK_N_ENOSPC
};

/* Returns the text of a code, "unknown error" for what is none. Never NULL; static storage. */
BSK_API const char *bsk_strerror(int rc);
/* Returns the name of a code ("EFULL"), "EUNKNOWN" for what is none. Never NULL; static storage. */
BSK_API const char *bsk_errname(int rc);

/* Bytes that somebody else owns. In a message they are copied with it and live as long as it. */
typedef struct bsk_bytes {
    const void *ptr;
    size_t len;
} bsk_bytes;

/* A counted, immutable run of bytes: sending one sends a count, not a copy. A message holds one
 * count for each blob field and drops it when the message is freed; who keeps the blob longer
 * holds it. */
typedef struct bsk_blob bsk_blob;

/* Returns a blob with a copy of `len` bytes, its count 1, or NULL for want of memory. */
BSK_API bsk_blob *bsk_blob_new(const void *data, size_t len);
/* Returns a blob that takes `data` over without a copy: `undo(data, arg)` runs when the last
 * count is dropped, on the thread that drops it. NULL for want of memory; then `data` stays the
 * caller's. */
BSK_API bsk_blob *bsk_blob_take(void *data, size_t len, void (*undo)(void *data, void *arg),
                                void *arg);
/* Adds a count and returns the blob. From any thread that has a count. NULL is passed through. */
BSK_API bsk_blob *bsk_blob_hold(bsk_blob *blob);
/* Drops a count; the last one frees. From any thread. One drop too many is caught in debug
 * builds. */
BSK_API void bsk_blob_drop(bsk_blob *blob);
/* Returns the bytes; borrowed for as long as the caller has a count. */
BSK_API bsk_bytes bsk_blob_bytes(const bsk_blob *blob);

/* One field of a message, for codecs, traces and documentation. Kinds: i u f b s y a B. */
typedef struct bsk_field {
    const char *name;
    char kind;
    uint32_t off;
} bsk_field;

/* A message type; its address is its identity within the process. */
typedef struct bsk_type {
    const char *name;
    uint32_t size, nfields;
    uint32_t tails; /* fields whose bytes or counts lie outside the struct */
    uint32_t reserved;
    const bsk_field *fields;      /* NULL: local only, never leaves the process */
    const struct bsk_type *reply; /* what a request is answered with; NULL: no request */
    void (*drop)(void *body);     /* what frees a local message's contents; or NULL */
} bsk_type;

/* A message as it is received: borrowed until the next wait (a fiber) or the return (a handler). */
typedef struct bsk_msg bsk_msg;

#define BSK_CTYPE_i64 int64_t
#define BSK_CTYPE_u64 uint64_t
#define BSK_CTYPE_f64 double
#define BSK_CTYPE_bool bool
#define BSK_CTYPE__Bool bool /* stdbool's bool is a macro: it is expanded before it is pasted */
#define BSK_CTYPE_str const char *
#define BSK_CTYPE_bytes bsk_bytes
#define BSK_CTYPE_addr bsk_addr
#define BSK_CTYPE_blob bsk_blob *
#define BSK_KIND_i64 'i'
#define BSK_KIND_u64 'u'
#define BSK_KIND_f64 'f'
#define BSK_KIND_bool 'b'
#define BSK_KIND__Bool 'b'
#define BSK_KIND_str 's'
#define BSK_KIND_bytes 'y'
#define BSK_KIND_addr 'a'
#define BSK_KIND_blob 'B'
#define BSK_TAIL_i64 0
#define BSK_TAIL_u64 0
#define BSK_TAIL_f64 0
#define BSK_TAIL_bool 0
#define BSK_TAIL__Bool 0
#define BSK_TAIL_str 1
#define BSK_TAIL_bytes 1
#define BSK_TAIL_addr 0
#define BSK_TAIL_blob 1

#define BSK_CAT_(a, b) a##b
#define BSK_CAT(a, b) BSK_CAT_(a, b)
#define BSK_NTH_(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, ...) r
#define BSK_NF_(...)                                                                               \
    BSK_NTH_(__VA_ARGS__, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, ~)
#define BSK_EACH_0(F, T, z)
#define BSK_EACH_1(F, T, a, z) F(T, BSK_KN_ a)
#define BSK_EACH_2(F, T, a, ...) F(T, BSK_KN_ a) BSK_EACH_1(F, T, __VA_ARGS__)
#define BSK_EACH_3(F, T, a, ...) F(T, BSK_KN_ a) BSK_EACH_2(F, T, __VA_ARGS__)
#define BSK_EACH_4(F, T, a, ...) F(T, BSK_KN_ a) BSK_EACH_3(F, T, __VA_ARGS__)
#define BSK_EACH_5(F, T, a, ...) F(T, BSK_KN_ a) BSK_EACH_4(F, T, __VA_ARGS__)
#define BSK_EACH_6(F, T, a, ...) F(T, BSK_KN_ a) BSK_EACH_5(F, T, __VA_ARGS__)
#define BSK_EACH_7(F, T, a, ...) F(T, BSK_KN_ a) BSK_EACH_6(F, T, __VA_ARGS__)
#define BSK_EACH_8(F, T, a, ...) F(T, BSK_KN_ a) BSK_EACH_7(F, T, __VA_ARGS__)
#define BSK_EACH_9(F, T, a, ...) F(T, BSK_KN_ a) BSK_EACH_8(F, T, __VA_ARGS__)
#define BSK_EACH_10(F, T, a, ...) F(T, BSK_KN_ a) BSK_EACH_9(F, T, __VA_ARGS__)
#define BSK_EACH_11(F, T, a, ...) F(T, BSK_KN_ a) BSK_EACH_10(F, T, __VA_ARGS__)
#define BSK_EACH_12(F, T, a, ...) F(T, BSK_KN_ a) BSK_EACH_11(F, T, __VA_ARGS__)
#define BSK_EACH_13(F, T, a, ...) F(T, BSK_KN_ a) BSK_EACH_12(F, T, __VA_ARGS__)
#define BSK_EACH_14(F, T, a, ...) F(T, BSK_KN_ a) BSK_EACH_13(F, T, __VA_ARGS__)
#define BSK_EACH_15(F, T, a, ...) F(T, BSK_KN_ a) BSK_EACH_14(F, T, __VA_ARGS__)
#define BSK_EACH_16(F, T, a, ...) F(T, BSK_KN_ a) BSK_EACH_15(F, T, __VA_ARGS__)
#define BSK_KN_(kind, name) kind, name
#define BSK_F_DECL(T, kn) BSK_F_DECL_(kn)
#define BSK_F_DECL_(...) BSK_F_DECL__(__VA_ARGS__)
#define BSK_F_DECL__(kind, name) BSK_CTYPE_##kind name;
#define BSK_F_DESC(T, kn) BSK_F_DESC_(T, kn)
#define BSK_F_DESC_(T, ...) BSK_F_DESC__(T, __VA_ARGS__)
#define BSK_F_DESC__(T, kind, name) {#name, BSK_KIND_##kind, (uint32_t)offsetof(T, name)},
#define BSK_F_TAIL(T, kn) BSK_F_TAIL_(kn)
#define BSK_F_TAIL_(...) BSK_F_TAIL__(__VA_ARGS__)
#define BSK_F_TAIL__(kind, name) +BSK_TAIL_##kind
#define BSK_F_CDECL(T, kn) BSK_F_CDECL_(kn)
#define BSK_F_CDECL_(...) BSK_F_CDECL__(__VA_ARGS__)
#define BSK_F_CDECL__(ctype, name) ctype name;
#define BSK_FOR_FIELDS_(F, T, ...) BSK_CAT(BSK_EACH_, BSK_NF_(__VA_ARGS__))(F, T, __VA_ARGS__)

/* BSK_MSG(add, (i64, n), (str, note)); declares the message type `add`, up to 16 fields of the
 * kinds i64 u64 f64 bool str bytes addr blob. It expands to `typedef struct add {...} add;` with
 * a hidden last byte (so that an empty message and positional values are ISO C) and the
 * descriptor `add_bsk`. */
#define BSK_MSG(...) BSK_MSG_(__VA_ARGS__, ~)
#define BSK_MSG_(T, ...) BSK_DECLARE_(T, NULL, __VA_ARGS__)
/* BSK_CALL(get, total, ...fields): the same, and `get` is a request that a `total` answers. */
#define BSK_CALL(...) BSK_CALL_(__VA_ARGS__, ~)
#define BSK_CALL_(T, R, ...)                                                                       \
    typedef R T##_bsk_reply;                                                                       \
    BSK_DECLARE_(T, &R##_bsk, __VA_ARGS__)
#define BSK_DECLARE_(T, REPLY, ...)                                                                \
    typedef struct T {                                                                             \
        BSK_FOR_FIELDS_(BSK_F_DECL, T, __VA_ARGS__)                                                \
        char bsk_end_;                                                                             \
    } T;                                                                                           \
    BSK_EXTERN_C_BEGIN_                                                                            \
    extern BSK_ONE_ const bsk_field T##_bsk_fields[];                                              \
    const bsk_field T##_bsk_fields[] = {BSK_FOR_FIELDS_(BSK_F_DESC, T, __VA_ARGS__){NULL, 0, 0}};  \
    extern BSK_ONE_ const bsk_type T##_bsk;                                                        \
    const bsk_type T##_bsk = {#T,                                                                  \
                              sizeof(T),                                                           \
                              sizeof(T##_bsk_fields) / sizeof(bsk_field) - 1,                      \
                              0 BSK_FOR_FIELDS_(BSK_F_TAIL, T, __VA_ARGS__),                       \
                              0,                                                                   \
                              T##_bsk_fields,                                                      \
                              REPLY,                                                               \
                              NULL};                                                               \
    BSK_EXTERN_C_END_                                                                              \
    struct bsk_semicolon_
/* BSK_LOCAL(job, job_drop, (FILE *, file), (int, n)); declares a message that may carry any C
 * type and never leaves the process. `void job_drop(void *job)`, not static, frees what it
 * carries; it runs once for each message that was accepted or dropped by the receiver, and not
 * after a failed bsk_try, whose contents stay the caller's. */
#define BSK_LOCAL(...) BSK_LOCAL_(__VA_ARGS__, ~)
#define BSK_LOCAL_(T, DROP, ...)                                                                   \
    typedef struct T {                                                                             \
        BSK_FOR_FIELDS_(BSK_F_CDECL, T, __VA_ARGS__)                                               \
        char bsk_end_;                                                                             \
    } T;                                                                                           \
    BSK_EXTERN_C_BEGIN_                                                                            \
    void DROP(void *body);                                                                         \
    extern BSK_ONE_ const bsk_type T##_bsk;                                                        \
    const bsk_type T##_bsk = {#T, sizeof(T), 0, 0, 0, NULL, NULL, DROP};                           \
    BSK_EXTERN_C_END_                                                                              \
    struct bsk_semicolon_

BSK_EXTERN_C_END_

#endif
