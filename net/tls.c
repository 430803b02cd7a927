/* SPDX-License-Identifier: MIT */
/* TLS, by OpenSSL, which sees no socket: it takes the peer's bytes out of what the loop has just
 * read, and puts its own where the stream sends from.
 *
 *     loop --bytes--> tls_input: [taken by the BIO] --> SSL_read --> stream_input --> the actor
 *
 *     the actor --> tls_write: plain o o o --> SSL_write --> [put by the BIO] --> s->out --> loop
 *                              wait for the greeting, and for each other: small
 *                              ones share a record when the stream is flushed
 *
 * The BIO copies nothing aside: all that was read is taken before tls_input returns, since OpenSSL
 * keeps a record that is not whole; and putting never has to wait. What waits in `plain` is unsent
 * as what waits in s->out is, so that who writes has to wait for a peer that does not greet as for
 * one that does not read.
 *
 * The greeting is the loop's work, for which a fiber's stack may be too small; what is written is
 * sealed on the writer's.
 *
 * A bsk_tls has one context of OpenSSL's at a time, for clients and servers alike. A stream holds
 * the one that it began with: reading the files again puts another in its place. */
#include "tls.h"

#include "cert.h"
#include "connect.h"
#include "error.h"

#include "actors/thread.h"
#include "mailbox/lock.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#define PIECE 16384            /* bytes of a whole record */
#define AT_ONCE ((size_t)4096) /* from so many bytes on a write is a record of its own */

struct bsk_tls {
    _Atomic uint32_t count;
    struct lock lock; /* of ctx */
    SSL_CTX *ctx;     /* of streams opened now */
    BIO_METHOD *bio;
    bsk_tls_opts opts;   /* own copies of all it points to */
    unsigned char *alpn; /* as it is said: each name after its length; NULL: none */
    unsigned int alpn_size;
};

struct tls_session {
    bsk_tls *tls;
    SSL *ssl;
    const char *in; /* read, and not taken yet */
    size_t left;
    struct chunks plain; /* written, and not sealed yet */
    bool client;
    bool greeted;      /* the two agree */
    bool shut, said;   /* farewell is to be said; and was */
    bool heard;        /* the peer has said something to the actor */
    bool failed;       /* nothing more is done with it */
    bool nomem;        /* since there was no memory for what it says */
    const char *why;   /* the greeting failed; static */
    struct cert *peer; /* what the other's certificate says; NULL: not asked for yet */
};

/* What OpenSSL says of its failures. Its queue of them is the thread's: who calls OpenSSL
 * clears it first, lest it speak of somebody else's, and takes all afterwards. */

/* The oldest of them is the cause of the others. */
static int take_errors(const char **why)
{
    unsigned long e;
    int code = BSK_ETLS;
    *why = NULL;
    while ((e = ERR_get_error())) {
        if (ERR_GET_REASON(e) == ERR_R_MALLOC_FAILURE) code = BSK_ENOMEM;
        if (!*why) *why = ERR_reason_error_string(e);
    }
    return code;
}

/* What was wrong with it. */
struct flaw {
    int code;
    const char *file; /* NULL: with none */
    const char *why;  /* static */
};

static bool flawed(struct flaw *f, const char *file)
{
    f->code = take_errors(&f->why);
    f->file = file;
    return false;
}

static bool readable(struct flaw *f, const char *file)
{
    if (access(file, R_OK) == 0) return true;
    *f = (struct flaw){net_code(-errno), file, NULL};
    return false;
}

/* A key that wants a pass phrase is of no use to who cannot be asked. */
static int no_phrase(char *to, int size, int writing, void *arg)
{
    (void)to;
    (void)size;
    (void)writing;
    (void)arg;
    return -1;
}

static bool identify(SSL_CTX *c, const bsk_tls_opts *o, struct flaw *f)
{
    if (!o->certificate) return true;
    SSL_CTX_set_default_passwd_cb(c, no_phrase);
    if (!readable(f, o->certificate) || !readable(f, o->key)) return false;
    if (SSL_CTX_use_certificate_chain_file(c, o->certificate) != 1)
        return flawed(f, o->certificate);
    if (SSL_CTX_use_PrivateKey_file(c, o->key, SSL_FILETYPE_PEM) != 1) return flawed(f, o->key);
    return true;
}

static bool trust(SSL_CTX *c, const bsk_tls_opts *o, struct flaw *f)
{
    if (!o->ca) return SSL_CTX_set_default_verify_paths(c) == 1 || flawed(f, NULL);
    if (!readable(f, o->ca)) return false;
    if (SSL_CTX_load_verify_file(c, o->ca) != 1) return flawed(f, o->ca);
    if (!o->ask_client) return true;
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(o->ca);
    if (!names) return flawed(f, o->ca);
    SSL_CTX_set_client_CA_list(c, names);
    return true;
}

/* The server's choice is the first of its own that the client has, too. */
static int choose(SSL *ssl, const unsigned char **out, unsigned char *size,
                  const unsigned char *theirs, unsigned int n, void *arg)
{
    const bsk_tls *t = arg;
    unsigned char *found;
    (void)ssl;
    int rc = SSL_select_next_proto(&found, size, t->alpn, t->alpn_size, theirs, n);
    if (rc != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = found;
    return SSL_TLSEXT_ERR_OK;
}

static bool offer(SSL_CTX *c, bsk_tls *t, struct flaw *f)
{
    if (!t->alpn) return true;
    SSL_CTX_set_alpn_select_cb(c, choose, t);
    /* Unlike others it returns 0 when it is done. */
    return SSL_CTX_set_alpn_protos(c, t->alpn, t->alpn_size) == 0 || flawed(f, NULL);
}

/* Tickets are sealed by keys of the context, so none outlives a change of whom one trusts; a cache
 * of sessions besides would be a lock among all loops. */
static bool set_up(SSL_CTX *c, struct flaw *f)
{
    SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
    return (SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION) == 1 &&
            SSL_CTX_set_session_id_context(c, (const unsigned char *)"buskin", 6) == 1) ||
           flawed(f, NULL);
}

/* A context from what the files say now, or NULL. */
static SSL_CTX *read_files(bsk_tls *t, struct flaw *f)
{
    *f = (struct flaw){BSK_ENOMEM, NULL, NULL};
    ERR_clear_error();
    SSL_CTX *c = SSL_CTX_new(TLS_method());
    if (!c) {
        flawed(f, NULL);
        return NULL;
    }
    bool good = set_up(c, f) && identify(c, &t->opts, f) && trust(c, &t->opts, f) && offer(c, t, f);
    ERR_clear_error();
    if (good) return c;
    SSL_CTX_free(c);
    return NULL;
}

static void explain(const struct flaw *f)
{
    const char *why = f->why ? f->why : bsk_strerror(f->code);
    if (f->file)
        thread_set_detail("%s: %s", f->file, why);
    else
        thread_set_detail("%s", why);
}

static int bio_puts_out(BIO *b, const char *bytes, size_t n, size_t *done);
static int bio_takes_in(BIO *b, char *to, size_t n, size_t *done);

static long bio_control(BIO *b, int what, long number, void *arg)
{
    (void)b;
    (void)number;
    (void)arg;
    return what == BIO_CTRL_FLUSH;
}

static BIO_METHOD *bio_new(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "stream");
    if (m && BIO_meth_set_write_ex(m, bio_puts_out) && BIO_meth_set_read_ex(m, bio_takes_in) &&
        BIO_meth_set_ctrl(m, bio_control))
        return m;
    BIO_meth_free(m);
    return NULL;
}

/* "h2,http/1.1" as TLS says it: a length before each name. Returns false if that is no list. */
static bool spell(unsigned char *to, const char *list)
{
    unsigned char *length = to++;
    for (;; list++) {
        if (*list && *list != ',') {
            *to++ = (unsigned char)*list;
            continue;
        }
        if (to - length < 2 || to - length > 256) return false;
        *length = (unsigned char)(to - length - 1);
        if (!*list) return true;
        length = to++;
    }
}

static int copy_alpn(bsk_tls *t, const char *list)
{
    if (!list) return 0;
    size_t n = strlen(list) + 1;
    if (n > UINT16_MAX) return BSK_EINVAL;
    t->alpn = mem_alloc(n);
    t->alpn_size = (unsigned int)n;
    if (!t->alpn) return BSK_ENOMEM;
    return spell(t->alpn, list) ? 0 : BSK_EINVAL;
}

static bool copy(const char **to, const char *text)
{
    *to = text ? mem_text(text) : NULL;
    return !text || *to;
}

static int copy_all(bsk_tls *t, const bsk_tls_opts *o)
{
    if (!o->certificate != !o->key) return BSK_EINVAL;
    t->opts = (bsk_tls_opts){.ask_client = o->ask_client, .trust_anyone = o->trust_anyone};
    bool all = copy(&t->opts.certificate, o->certificate) && copy(&t->opts.key, o->key) &&
               copy(&t->opts.ca, o->ca);
    return all ? copy_alpn(t, o->alpn) : BSK_ENOMEM;
}

static void tls_free(bsk_tls *t)
{
    SSL_CTX_free(t->ctx);
    BIO_meth_free(t->bio);
    mem_free((void *)(uintptr_t)t->opts.certificate);
    mem_free((void *)(uintptr_t)t->opts.key);
    mem_free((void *)(uintptr_t)t->opts.ca);
    mem_free(t->alpn);
    mem_free(t);
}

static bool fill_in(bsk_tls *t, const bsk_tls_opts *o, struct flaw *f)
{
    atomic_init(&t->count, 1);
    f->code = copy_all(t, o);
    if (f->code) return false;
    f->code = BSK_ENOMEM;
    t->bio = bio_new();
    ERR_clear_error();
    return t->bio && (t->ctx = read_files(t, f));
}

bsk_tls *bsk_tls_new_(const bsk_tls_opts *o)
{
    struct flaw f = {BSK_ENOMEM, NULL, NULL};
    bsk_tls *t = mem_zalloc(sizeof *t);
    if (t && fill_in(t, o, &f)) return t;
    act_tell_error(rt_worker(), f.code);
    explain(&f);
    if (t) tls_free(t);
    return NULL;
}

bsk_tls *bsk_tls_hold(bsk_tls *t)
{
    /* Relaxed: the caller has it already. */
    atomic_fetch_add_explicit(&t->count, 1, memory_order_relaxed);
    return t;
}

void bsk_tls_drop(bsk_tls *t)
{
    /* Release: what others did with it comes before it is freed; acquire sees that. */
    if (t && atomic_fetch_sub_explicit(&t->count, 1, memory_order_acq_rel) == 1) tls_free(t);
}

int bsk_tls_reload(bsk_tls *t)
{
    struct flaw f;
    SSL_CTX *now = read_files(t, &f);
    if (!now) {
        explain(&f);
        return f.code;
    }
    lock_take(&t->lock);
    SSL_CTX *before = t->ctx;
    t->ctx = now;
    lock_give(&t->lock);
    SSL_CTX_free(before);
    return 0;
}

bool tls_serves(const bsk_tls *t)
{
    return t->opts.certificate;
}

/* A session of the context that there is now. */
static SSL *session_new(bsk_tls *t)
{
    lock_take(&t->lock);
    SSL_CTX *c = t->ctx;
    SSL_CTX_up_ref(c);
    lock_give(&t->lock);
    SSL *ssl = SSL_new(c);
    SSL_CTX_free(c);
    return ssl;
}

static int bio_puts_out(BIO *b, const char *bytes, size_t n, size_t *done)
{
    struct stream *s = BIO_get_data(b);
    *done = n;
    if (s->broken) return 1; /* nobody would hear it */
    if (chunks_append(s->h.worker, &s->out, bytes, n)) {
        s->tls->nomem = true;
        return 0;
    }
    s->unsent += n;
    return 1;
}

static int bio_takes_in(BIO *b, char *to, size_t n, size_t *done)
{
    struct tls_session *t = ((struct stream *)BIO_get_data(b))->tls;
    BIO_clear_retry_flags(b);
    if (!t->left) {
        BIO_set_retry_read(b);
        return 0;
    }
    *done = n < t->left ? n : t->left;
    memcpy(to, t->in, *done);
    t->in += *done;
    t->left -= *done;
    return 1;
}

static int attach(struct stream *s)
{
    struct tls_session *t = s->tls;
    BIO *b = BIO_new(t->tls->bio);
    if (!b) return BSK_ENOMEM;
    BIO_set_data(b, s);
    BIO_set_init(b, 1);
    SSL_set_bio(t->ssl, b, b);
    return 0;
}

static int trust_it(int good, X509_STORE_CTX *chain)
{
    (void)good;
    (void)chain;
    return 1;
}

/* Whose certificate it must be: an address's, or a name's, which the server is told. */
static int expect(SSL *ssl, const char *name)
{
    X509_VERIFY_PARAM *p = SSL_get0_param(ssl);
    if (!*name) return BSK_EINVAL; /* to OpenSSL any would do */
    if (X509_VERIFY_PARAM_set1_ip_asc(p, name) == 1) return 0;
    X509_VERIFY_PARAM_set_hostflags(p, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (X509_VERIFY_PARAM_set1_host(p, name, 0) != 1) return BSK_ENOMEM;
    if (strchr(name, '/')) return 0; /* a path: no name to ask for */
    return SSL_set_tlsext_host_name(ssl, name) == 1 ? 0 : BSK_EINVAL;
}

static int set_part(struct tls_session *t, const bsk_stream_opts *o)
{
    const bsk_tls_opts *who = &t->tls->opts;
    t->client = o->tls_name;
    int must = t->client         ? SSL_VERIFY_PEER
               : who->ask_client ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT
                                 : SSL_VERIFY_NONE;
    SSL_set_verify(t->ssl, must, who->trust_anyone ? trust_it : NULL);
    if (!t->client) {
        SSL_set_accept_state(t->ssl);
        return tls_serves(t->tls) ? 0 : BSK_EINVAL;
    }
    SSL_set_connect_state(t->ssl);
    return expect(t->ssl, o->tls_name);
}

int tls_begin(struct stream *s, const bsk_stream_opts *o)
{
    struct tls_session *t = s->tls = mem_zalloc(sizeof *t);
    if (!t) return BSK_ENOMEM;
    t->tls = bsk_tls_hold(o->tls);
    ERR_clear_error();
    t->ssl = session_new(t->tls);
    int rc = t->ssl ? attach(s) : BSK_ENOMEM;
    if (rc == 0) rc = set_part(t, o);
    ERR_clear_error();
    return rc;
}

void tls_end(struct stream *s)
{
    struct tls_session *t = s->tls;
    if (!t) return;
    s->tls = NULL;
    SSL_free(t->ssl);
    ERR_clear_error();
    chunks_free(s->h.worker, &t->plain);
    cert_free(t->peer);
    bsk_tls_drop(t->tls);
    mem_free(t);
}

/* What the certificate's trouble is stands in the session. */
static int find_fault(struct tls_session *t)
{
    unsigned long e = ERR_peek_error();
    bool refused =
        ERR_GET_LIB(e) == ERR_LIB_SSL && ERR_GET_REASON(e) == SSL_R_CERTIFICATE_VERIFY_FAILED;
    int code = take_errors(&t->why);
    if (refused) t->why = X509_verify_cert_error_string(SSL_get_verify_result(t->ssl));
    if (t->nomem) code = BSK_ENOMEM;
    if (code == BSK_ENOMEM) t->why = NULL;
    return code;
}

/* What it says to that, its alert, leaves before. */
static void fail(struct stream *s)
{
    int code = find_fault(s->tls);
    s->tls->failed = true;
    stream_flush(s);
    stream_fail(s, code);
}

static void agreed(struct stream *s)
{
    s->tls->greeted = true;
    if (s->state == STREAM_GREETING) s->state = STREAM_OPEN;
    if (s->dial) dial_done(s, 0);
    stream_steer(s);
}

static void greet(struct stream *s)
{
    struct tls_session *t = s->tls;
    ERR_clear_error();
    int rc = SSL_do_handshake(t->ssl);
    if (rc != 1 && SSL_get_error(t->ssl, rc) != SSL_ERROR_WANT_READ) {
        fail(s);
        return;
    }
    ERR_clear_error();
    if (rc == 1) agreed(s);
    stream_flush(s);
}

void tls_greet(struct stream *s)
{
    if (s->tls->client) greet(s);
}

bool tls_greets(const struct stream *s)
{
    return !s->tls->greeted && !s->tls->failed;
}

/* Reads what there is, up to n bytes; *rc is what the last read said. */
static size_t read_some(SSL *ssl, char *to, size_t n, int *rc)
{
    size_t have = 0;
    while (have < n && (*rc = SSL_read(ssl, to + have, (int)(n - have))) > 0) have += (size_t)*rc;
    return have;
}

/* Nothing more is to be read now; perhaps never. */
static void over(struct stream *s, int rc)
{
    switch (SSL_get_error(s->tls->ssl, rc)) {
    case SSL_ERROR_WANT_READ: break;
    case SSL_ERROR_ZERO_RETURN: stream_ended(s, BSK_EEOF); break;
    default: fail(s); return;
    }
    ERR_clear_error();
}

static void read_all(struct stream *s)
{
    char bytes[PIECE];
    int rc = 1;
    ERR_clear_error();
    while (rc > 0 && !s->end) {
        size_t n = read_some(s->tls->ssl, bytes, sizeof bytes, &rc);
        if (n) s->tls->heard = true;
        if (n) stream_input(s, bytes, n);
        if (rc <= 0) over(s, rc);
    }
    /* Its answers, if any, were not listed. */
    if (s->out.first && !s->listed && !s->busy) stream_flush(s);
}

void tls_input(struct stream *s, const char *bytes, size_t n)
{
    struct tls_session *t = s->tls;
    if (t->failed || s->end) return;
    t->in = bytes;
    t->left = n;
    if (!t->greeted) greet(s);
    if (t->greeted && !t->failed) read_all(s);
    t->left = 0;
}

void tls_eof(struct stream *s)
{
    struct tls_session *t = s->tls;
    if (t->failed || s->end) return;
    if (t->greeted) {
        stream_ended(s, BSK_ETLS);
        return;
    }
    t->failed = true;
    t->why = "the peer left during the handshake";
    stream_fail(s, BSK_ETLS);
}

bool tls_heard(const struct stream *s)
{
    return s->tls->heard;
}

/* Puts records of the bytes to what is to be sent. Without memory for them the peer would miss
 * some: the stream is done for. */
static bool seal(struct stream *s, const void *bytes, size_t n)
{
    ERR_clear_error();
    size_t done;
    if (SSL_write_ex(s->tls->ssl, bytes, n, &done) == 1) {
        assert(done == n);
        return true;
    }
    fail(s);
    return false;
}

static void seal_all(struct stream *s)
{
    struct tls_session *t = s->tls;
    struct chunk *k;
    while ((k = t->plain.first)) {
        size_t n = k->to - k->from;
        if (n && !seal(s, k->bytes + k->from, n)) return;
        s->unsent -= n;
        chunks_drop(s->h.worker, &t->plain, n);
    }
}

int tls_write(struct stream *s, const void *bytes, size_t n)
{
    struct tls_session *t = s->tls;
    if (n >= AT_ONCE && t->greeted && !t->plain.first) return seal(s, bytes, n) ? 0 : s->broken;
    int rc = chunks_append(s->h.worker, &t->plain, bytes, n);
    if (rc == 0) s->unsent += n;
    return rc;
}

void tls_output(struct stream *s)
{
    struct tls_session *t = s->tls;
    if (!t->greeted || t->failed || s->broken) return;
    seal_all(s);
    if (!t->shut || t->said || t->failed) return;
    t->said = true;
    ERR_clear_error();
    SSL_shutdown(t->ssl);
    ERR_clear_error();
}

void tls_shut(struct stream *s)
{
    s->tls->shut = true;
}

const char *tls_why(const struct stream *s)
{
    return s->tls ? s->tls->why : NULL;
}

void tls_info(struct stream *s, bsk_stream_info_out *out)
{
    struct tls_session *t = s->tls;
    const unsigned char *name;
    unsigned int n;
    if (!t->greeted) return;
    snprintf(out->tls, sizeof out->tls, "%s", SSL_get_version(t->ssl));
    SSL_get0_alpn_selected(t->ssl, &name, &n);
    snprintf(out->alpn, sizeof out->alpn, "%.*s", (int)n, n ? (const char *)name : "");
}

int tls_peer(struct stream *s, bsk_stream_peer_out *out)
{
    struct tls_session *t = s->tls;
    X509 *x = t->greeted ? SSL_get0_peer_certificate(t->ssl) : NULL;
    if (!x) return BSK_ENOTFOUND;
    if (!t->peer && !(t->peer = cert_new(x))) return BSK_ENOMEM;
    *out = *cert_says(t->peer);
    out->verified = SSL_get_verify_result(t->ssl) == X509_V_OK;
    return 0;
}
