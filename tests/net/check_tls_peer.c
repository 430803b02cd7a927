/* SPDX-License-Identifier: MIT */
/* check_tls_peer.c - what one learns of the other's certificate, and when there is none; and who
 * cannot be a server for want of one.
 *
 * ctest: timeout=120 */
#include "open.h"
#include "pki.h"

#include <openssl/crypto.h>
#include <openssl/pem.h>
#include <signal.h>
#include <time.h>

static bsk_rt *rt;
static _Atomic int port;
static bsk_tls *server;

/* What a connection has learnt: copies, since the stream is closed by the time they are looked at. */
static struct {
    int at_once, code, again, closed;
    bool verified, same;
    char name[64], subject[128], issuer[64], names[256], sha256[65];
    size_t names_size, der_size;
    unsigned char der[2048];
    int64_t from, until;
} seen;

static void copy_names(const char *all)
{
    const char *at = all;
    while (*at) at += strlen(at) + 1;
    seen.names_size = (size_t)(at + 1 - all);
    ck_assert_uint_le(seen.names_size, sizeof seen.names);
    memcpy(seen.names, all, seen.names_size);
}

static void copy(const bsk_stream_peer_out *p)
{
    seen.verified = p->verified;
    snprintf(seen.name, sizeof seen.name, "%s", p->name);
    snprintf(seen.subject, sizeof seen.subject, "%s", p->subject);
    snprintf(seen.issuer, sizeof seen.issuer, "%s", p->issuer);
    memcpy(seen.sha256, p->sha256, sizeof seen.sha256);
    copy_names(p->names);
    seen.from = p->from;
    seen.until = p->until;
    seen.der_size = p->der.len;
    ck_assert_uint_le(p->der.len, sizeof seen.der);
    memcpy(seen.der, p->der.ptr, p->der.len);
}

static void look(bsk_self *self, bsk_stream s)
{
    bsk_stream_peer_out p = {.from = 77}, more;
    seen.code = bsk_stream_peer(self, s, &p);
    if (seen.code) {
        ck_assert(p.from == 77 && !p.name);
        return;
    }
    copy(&p);
    seen.again = bsk_stream_peer(self, s, &more);
    seen.same = more.name == p.name && more.der.ptr == p.der.ptr && p.verified == more.verified;
}

static void look_and_echo(bsk_self *self)
{
    bsk_bytes b;
    bsk_stream_peer_out p;
    bsk_stream s = bsk_conn(self);
    seen.at_once = bsk_stream_peer(self, s, &p);
    if (bsk_read(self, &b, BSK_FOREVER) > 0) {
        look(self, s);
        (void)!bsk_write(self, b, BSK_FOREVER);
    }
    bsk_stream_close(self, s);
    seen.closed = bsk_stream_peer(self, s, &p);
    fix_hit();
}

static bsk_tls *tls(const bsk_tls_opts *o)
{
    bsk_tls *t = bsk_tls_new_(o);
    ck_assert_msg(t != NULL, "%s", bsk_error_text(NULL));
    return t;
}

static bsk_tls *shop(bool ask_client, bool trust_anyone)
{
    return tls(&(bsk_tls_opts){.certificate = pki("shop.pem"),
                               .key = pki("shop.key"),
                               .ca = pki("ca.pem"),
                               .ask_client = ask_client,
                               .trust_anyone = trust_anyone});
}

static void start(bsk_tls *as)
{
    rt = bsk_start(.workers = 2, FIX_HOOKS);
    ck_assert_ptr_nonnull(rt);
    server = as;
    port = bsk_listen(rt, "127.0.0.1", 0, look_and_echo, .stream = {.tls = as});
    ck_assert_int_gt(port, 0);
}

static void finish(void)
{
    fix_stop(rt, 0);
    bsk_tls_drop(server);
}

/* A client with that certificate comes and is served. */
static void come_as(const char *who, int most)
{
    unsigned before = fix_hits();
    SSL *ssl = raw_dial(port, &(struct raw_opts){.is = who, .most = most});
    raw_say(ssl, "hello");
    raw_hear(ssl, "hello");
    fix_await(before + 1);
    raw_close(ssl);
}

static X509 *file(const char *name)
{
    FILE *f = fopen(pki(name), "r");
    ck_assert_ptr_nonnull(f);
    X509 *x = PEM_read_X509(f, NULL, NULL, NULL);
    ck_assert_ptr_nonnull(x);
    fclose(f);
    return x;
}

/* All of it is that file's. */
static void is_whole(const char *name)
{
    unsigned char sum[32], *der = NULL;
    char text[65];
    X509 *x = file(name);
    int n = i2d_X509(x, &der);
    ck_assert_uint_eq(seen.der_size, (size_t)n);
    ck_assert_mem_eq(seen.der, der, seen.der_size);
    ck_assert_int_eq(X509_digest(x, EVP_sha256(), sum, NULL), 1);
    for (int i = 0; i < 32; i++) snprintf(text + (size_t)2 * i, 3, "%02x", sum[i]);
    ck_assert_str_eq(seen.sha256, text);
    OPENSSL_free(der);
    X509_free(x);
}

static void has_names(const char *names, size_t size)
{
    ck_assert_uint_eq(seen.names_size, size);
    ck_assert_mem_eq(seen.names, names, size);
}

static const char till_names[] = "URI:spiffe://shop.test/till\0email:till@shop.test\0"
                                 "DNS:till.shop.test\0IP:::1\0IP:192.0.2.7\0";

static void is_till(void)
{
    IS(0, seen.code);
    ck_assert(seen.verified);
    ck_assert_str_eq(seen.name, "till");
    ck_assert_str_eq(seen.subject, "CN=till,CN=tills,O=Shop\\, Ltd");
    ck_assert_str_eq(seen.issuer, "CN=ca");
    has_names(till_names, sizeof till_names);
    int64_t now = (int64_t)time(NULL), day = 86400;
    ck_assert(seen.from > now - 11 * day && seen.from < now - 9 * day);
    ck_assert(seen.until > now + 9 * day && seen.until < now + 11 * day);
    is_whole("till.pem");
}

START_TEST(a_server_learns_who_its_client_is)
{
    start(shop(true, false));
    come_as("till", 0);
    is_till();
    ck_assert(seen.same);
    IS(0, seen.again);
    IS(BSK_ENOTFOUND, seen.at_once);
    IS(BSK_EBADF, seen.closed);
    come_as("till", TLS1_2_VERSION);
    is_till();
    finish();
}
END_TEST

START_TEST(who_comes_again_by_a_ticket_is_known)
{
    start(shop(true, false));
    const struct raw_opts o = {.is = "till", .most = TLS1_2_VERSION};
    SSL *ssl = raw_dial(port, &o);
    SSL_SESSION *session = SSL_get1_session(ssl);
    raw_say(ssl, "hello");
    raw_hear(ssl, "hello");
    fix_await(1);
    SSL_shutdown(ssl);
    raw_close(ssl);
    memset(&seen, 0, sizeof seen);
    ssl = raw_new(peer_dial(port), false, &o);
    ck_assert_int_eq(SSL_set_session(ssl, session), 1);
    ck_assert_int_eq(raw_greet(ssl), 1);
    ck_assert_int_eq(SSL_session_reused(ssl), 1);
    raw_say(ssl, "hello");
    raw_hear(ssl, "hello");
    fix_await(2);
    is_till();
    raw_close(ssl);
    SSL_SESSION_free(session);
    finish();
}
END_TEST

START_TEST(who_was_not_asked_for_one_has_shown_none)
{
    start(shop(false, false));
    come_as("till", 0);
    IS(BSK_ENOTFOUND, seen.code);
    finish();
}
END_TEST

START_TEST(who_was_let_in_by_trusting_anyone_is_not_verified)
{
    start(shop(true, true));
    come_as("stranger", 0);
    IS(0, seen.code);
    ck_assert(!seen.verified);
    ck_assert_str_eq(seen.name, "stranger");
    is_whole("stranger.pem");
    come_as("till", 0);
    ck_assert(seen.verified);
    finish();
}
END_TEST

START_TEST(names_that_hold_what_does_not_belong_there_are_left_out)
{
    static const char names[] = "DNS:plain.test\0";
    start(shop(true, false));
    come_as("sly", 0);
    IS(0, seen.code);
    ck_assert_str_eq(seen.name, "");
    ck_assert_str_eq(seen.subject, "CN=client\\00.shop.test");
    has_names(names, sizeof names);
    is_whole("sly.pem");
    finish();
}
END_TEST

START_TEST(without_tls_there_is_none)
{
    rt = bsk_start(.workers = 1, FIX_HOOKS);
    port = bsk_listen(rt, "127.0.0.1", 0, look_and_echo);
    int fd = peer_dial(port);
    peer_say(fd, "hello");
    peer_hear(fd, "hello");
    fix_await(1);
    IS(BSK_ENOTFOUND, seen.code);
    peer_close(fd);
    fix_stop(rt, 0);
}
END_TEST

/* The client's side. */

static bsk_tls *client;
static _Atomic uint64_t asked, failing; /* OpenSSL's allocations, and which of them fails */

static void connect_and_look(bsk_self *self)
{
    bsk_stream s;
    OK(bsk_connect(self, "127.0.0.1", port, 10000, &s, .tls = client, .tls_name = "shop.test"));
    look(self, s);
    bsk_stream_close(self, s);
    fix_hit();
}

START_TEST(a_client_learns_who_the_server_is)
{
    start(shop(false, false));
    client = tls(&(bsk_tls_opts){.ca = pki("ca.pem")});
    /* On a small stack, too. */
    fix_born(bsk_spawn(rt, connect_and_look, .stack = 16384));
    fix_await(2);
    IS(0, seen.code);
    ck_assert(seen.verified);
    ck_assert_str_eq(seen.name, "shop");
    ck_assert_str_eq(seen.issuer, "CN=between");
    is_whole("shop.pem");
    bsk_tls_drop(client);
    finish();
}
END_TEST

START_TEST(a_server_that_nobody_should_trust_is_not_verified)
{
    bsk_tls *old =
        tls(&(bsk_tls_opts){.certificate = pki("expired.pem"), .key = pki("expired.key")});
    start(old);
    client = tls(&(bsk_tls_opts){.ca = pki("ca.pem"), .trust_anyone = true});
    fix_born(bsk_spawn(rt, connect_and_look));
    fix_await(2);
    IS(0, seen.code);
    ck_assert(!seen.verified);
    ck_assert_str_eq(seen.name, "expired");
    bsk_tls_drop(client);
    finish();
}
END_TEST

/* Each allocation fails once: then it is told, or not one that anything hangs on. */
static void look_without_memory(bsk_self *self)
{
    bsk_stream s;
    bsk_stream_peer_out p;
    int rc = BSK_ENOMEM;
    OK(bsk_connect(self, "127.0.0.1", port, 10000, &s, .tls = client, .tls_name = "shop.test"));
    mem_fail_at(1, 0);
    IS(BSK_ENOMEM, bsk_stream_peer(self, s, &p));
    uint64_t n = 0;
    for (; rc; n++) {
        atomic_store(&failing, atomic_load(&asked) + n + 1);
        rc = bsk_stream_peer(self, s, &p);
        if (rc) IS(BSK_ENOMEM, rc);
    }
    atomic_store(&failing, 0);
    ck_assert_uint_gt(n, 10);
    copy(&p);
    bsk_stream_close(self, s);
    fix_hit();
}

START_TEST(want_of_memory_is_told)
{
    bsk_tls *till = tls(&(bsk_tls_opts){.certificate = pki("till.pem"), .key = pki("till.key")});
    start(till);
    client = tls(&(bsk_tls_opts){.ca = pki("ca.pem"), .trust_anyone = true});
    fix_born(bsk_spawn(rt, look_without_memory));
    fix_await(2);
    has_names(till_names, sizeof till_names);
    ck_assert_str_eq(seen.subject, "CN=till,CN=tills,O=Shop\\, Ltd");
    is_whole("till.pem");
    bsk_tls_drop(client);
    finish();
}
END_TEST

/* Without a certificate nobody is a server. */

static void take_with_tls(bsk_self *self)
{
    bsk_gate g;
    bsk_stream s = {77};
    port = bsk_gate_open(self, "127.0.0.1", 0, &g);
    IS(BSK_EINVAL, bsk_gate_accept(self, g, BSK_FOREVER, &s, .tls = client));
    ck_assert_uint_eq(s.id, 77);
    fix_hit();
}

START_TEST(without_a_certificate_nobody_listens)
{
    rt = bsk_start(.workers = 1, FIX_HOOKS);
    client = tls(&(bsk_tls_opts){.ca = pki("ca.pem")});
    int before = count_descriptors();
    IS(BSK_EINVAL, bsk_listen(rt, "127.0.0.1", 0, look_and_echo, .stream = {.tls = client}));
    ck_assert_int_eq(count_descriptors(), before);
    fix_born(bsk_spawn(rt, take_with_tls));
    fix_await(1);
    ck_assert(bsk_is_nobody(
        bsk_supervise(rt, BSK_SUP(.name = "top"),
                      bsk_child(bsk_listener, BSK_LISTEN("127.0.0.1", 0, look_and_echo,
                                                         .stream = {.tls = client})))));
    ck_assert_ptr_nonnull(strstr(bsk_error_text(NULL), "invalid argument"));
    bsk_shutdown(rt);
    ck_assert_int_le(bsk_wait(rt), 1);
    bsk_tls_drop(client);
}
END_TEST

static void *ssl_alloc(size_t n, const char *where, int line)
{
    (void)where;
    (void)line;
    return atomic_fetch_add(&asked, 1) + 1 == atomic_load(&failing) ? NULL : malloc(n);
}

static void *ssl_realloc(void *p, size_t n, const char *where, int line)
{
    (void)where;
    (void)line;
    return atomic_fetch_add(&asked, 1) + 1 == atomic_load(&failing) ? NULL : realloc(p, n);
}

static void ssl_free(void *p, const char *where, int line)
{
    (void)where;
    (void)line;
    free(p);
}

int main(void)
{
    const TTest *const tests[] = {a_server_learns_who_its_client_is,
                                  who_comes_again_by_a_ticket_is_known,
                                  who_was_not_asked_for_one_has_shown_none,
                                  who_was_let_in_by_trusting_anyone_is_not_verified,
                                  names_that_hold_what_does_not_belong_there_are_left_out,
                                  without_tls_there_is_none,
                                  a_client_learns_who_the_server_is,
                                  a_server_that_nobody_should_trust_is_not_verified,
                                  want_of_memory_is_told,
                                  without_a_certificate_nobody_listens};
    signal(SIGPIPE, SIG_IGN);
    if (CRYPTO_set_mem_functions(ssl_alloc, ssl_realloc, ssl_free) != 1) return 2;
    pki_make();
    int rc = fix_main("tls_peer", tests, sizeof tests / sizeof *tests, 60);
    pki_remove();
    return rc;
}
