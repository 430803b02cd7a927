/* SPDX-License-Identifier: MIT */
/* check_tls.c - TLS against OpenSSL itself, and against itself: who is let in and who is not, what
 * arrives, what waits, and how it ends.
 *
 * ctest: timeout=120 */
#include "pki.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/sslerr.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#define MUCH ((size_t)20 * 1024 * 1024)
#define LITTLE 16384
#define OPEN 1 /* what a connection has come to, before it has come to anything */

static const struct raw_opts plain = {.name = "shop.test", .ca = "ca.pem"};

static bsk_rt *rt;
static _Atomic int port, ended = OPEN;
static bsk_tls *server, *client;
static _Atomic uint64_t most; /* bytes that have waited at once */

static bsk_tls *good(bsk_tls *t)
{
    ck_assert_msg(t != NULL, "%s: %s", bsk_errname(bsk_error(NULL)), bsk_error_text(NULL));
    return t;
}

static void echo(bsk_self *self)
{
    bsk_bytes b;
    int rc;
    while ((rc = bsk_read(self, &b, BSK_FOREVER)) > 0)
        if ((rc = bsk_write(self, b, BSK_FOREVER)) < 0) break;
    atomic_store(&ended, rc);
}

static void setup_with(bsk_fiber *conn, bsk_tls *as, bsk_stream_opts o)
{
    rt = bsk_start(.workers = 2, FIX_HOOKS);
    ck_assert_ptr_nonnull(rt);
    server = as;
    client = good(bsk_tls_new(.ca = pki("ca.pem"), .alpn = "h2,http/1.1"));
    o.tls = server;
    port = bsk_listen(rt, "127.0.0.1", 0, conn, .stream = o);
    ck_assert_int_gt(port, 0);
}

static bsk_tls *shop(void)
{
    return good(bsk_tls_new(.certificate = pki("shop.pem"), .key = pki("shop.key")));
}

static void setup(bsk_fiber *conn)
{
    setup_with(conn, shop(), (bsk_stream_opts){0});
}

static void finish(void)
{
    fix_stop(rt, 0);
    bsk_tls_drop(server);
    bsk_tls_drop(client);
}

/* A client of the library's. */

static struct attempt {
    const char *host, *name;
    bsk_tls *tls;
    int port, code, heard; /* what connecting, and reading an echo gave */
    char text[256];
    bsk_stream_info_out info;
} it;

static void attempt_it(bsk_self *self)
{
    bsk_stream s;
    char said[5];
    it.code = bsk_connect(self, it.host, it.port, 10000, &s, .tls = it.tls, .tls_name = it.name);
    snprintf(it.text, sizeof it.text, "%s", it.code ? bsk_error_text(self) : "");
    if (it.code == 0) {
        ck_assert_int_eq(bsk_stream_info(self, s, &it.info), 0);
        it.heard = bsk_stream_write(self, s, BSK_BYTES("hello"), 10000);
        if (it.heard == 0) it.heard = bsk_stream_fill(self, s, said, sizeof said, 10000);
        if (it.heard == 0) ck_assert_mem_eq(said, "hello", 5);
        bsk_stream_close(self, s);
    }
    fix_hit();
}

static int attempt_at(int to, const char *host, const char *name, bsk_tls *tls)
{
    unsigned before = fix_hits();
    it = (struct attempt){.host = host, .name = name, .tls = tls, .port = to};
    fix_born(bsk_spawn(rt, attempt_it));
    fix_await(before + 1);
    return it.code;
}

static int attempt(const char *name, bsk_tls *tls)
{
    return attempt_at(port, "127.0.0.1", name, tls);
}

static void refused_for(int code, const char *text)
{
    ck_assert_int_eq(code, BSK_ETLS);
    ck_assert_msg(strstr(it.text, text) != NULL, "%s", it.text);
    ck_assert_msg(strstr(it.text, "127.0.0.1: ") == it.text, "%s", it.text);
}

START_TEST(a_client_and_a_server_agree)
{
    setup(echo);
    ck_assert_int_eq(attempt("shop.test", client), 0);
    ck_assert_int_eq(it.heard, 0);
    ck_assert_str_eq(it.info.tls, "TLSv1.3");
    ck_assert_str_eq(it.info.alpn, "");
    UNTIL(ended != OPEN);
    ck_assert_int_eq(ended, 0);
    ck_assert_int_eq(attempt_at(port, "localhost", NULL, client), 0);
    ck_assert_int_eq(it.heard, 0);
    finish();
}
END_TEST

START_TEST(a_wrong_name_is_refused)
{
    setup(echo);
    refused_for(attempt("other.test", client), "hostname mismatch");
    refused_for(attempt("127.0.0.2", client), "IP address mismatch");
    refused_for(attempt("a.b.shop.test", client), "hostname mismatch");
    ck_assert_int_eq(attempt("till.shop.test", client), 0);
    ck_assert_int_eq(attempt("127.0.0.1", client), 0);
    ck_assert_int_eq(attempt(NULL, client), 0);
    ck_assert_int_eq(attempt("::1", client), 0);
    ck_assert_int_eq(attempt("", client), BSK_EINVAL);
    finish();
}
END_TEST

START_TEST(an_unknown_authority_is_refused)
{
    bsk_tls *wary = good(bsk_tls_new(.ca = pki("other_ca.pem")));
    bsk_tls *system = good(bsk_tls_new());
    setup(echo);
    refused_for(attempt("shop.test", wary), "unable to get local issuer certificate");
    UNTIL(ended != OPEN);
    ck_assert_int_eq(ended, BSK_ETLS);
    refused_for(attempt("shop.test", system), "unable to get");
    bsk_tls_drop(wary);
    bsk_tls_drop(system);
    finish();
}
END_TEST

START_TEST(an_expired_certificate_is_refused)
{
    setup_with(echo,
               good(bsk_tls_new(.certificate = pki("expired.pem"), .key = pki("expired.key"))),
               (bsk_stream_opts){0});
    refused_for(attempt("shop.test", client), "certificate has expired");
    finish();
}
END_TEST

START_TEST(who_trusts_anyone_takes_any_certificate)
{
    bsk_tls *easy = good(bsk_tls_new(.trust_anyone = true));
    setup_with(echo,
               good(bsk_tls_new(.certificate = pki("expired.pem"), .key = pki("expired.key"))),
               (bsk_stream_opts){0});
    ck_assert_int_eq(attempt("other.test", easy), 0);
    ck_assert_int_eq(it.heard, 0);
    bsk_tls_drop(easy);
    finish();
}
END_TEST

/* Versions. */

START_TEST(who_knows_tls_1_2_only_is_served)
{
    setup(echo);
    SSL *ssl = raw_dial(
        port, &(struct raw_opts){.name = "shop.test", .ca = "ca.pem", .most = TLS1_2_VERSION});
    ck_assert_str_eq(SSL_get_version(ssl), "TLSv1.2");
    raw_say(ssl, "good day");
    raw_hear(ssl, "good day");
    raw_close(ssl);
    finish();
}
END_TEST

START_TEST(who_knows_tls_1_1_only_is_refused_by_an_alert)
{
    setup(echo);
    int fd = peer_dial(port);
    SSL *ssl = raw_new(fd, false, &(struct raw_opts){.most = TLS1_1_VERSION});
    ck_assert_int_eq(raw_greet(ssl), SSL_R_TLSV1_ALERT_PROTOCOL_VERSION);
    UNTIL(ended != OPEN);
    ck_assert_int_eq(ended, BSK_ETLS);
    raw_close(ssl);
    finish();
}
END_TEST

START_TEST(a_client_that_renegotiates_is_not_heard)
{
    setup(echo);
    SSL *ssl = raw_dial(port, &(struct raw_opts){.most = TLS1_2_VERSION});
    ck_assert_int_eq(SSL_renegotiate(ssl), 1);
    ck_assert_int_ne(raw_greet(ssl), 1);
    raw_close(ssl);
    finish();
}
END_TEST

START_TEST(keys_are_changed_underway)
{
    setup(echo);
    SSL *ssl = raw_dial(port, &plain);
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED), 1);
        raw_say(ssl, "with another key");
        raw_hear(ssl, "with another key");
    }
    raw_close(ssl);
    finish();
}
END_TEST

/* OpenSSL's servers, one connection each, on a thread. */

struct host {
    pthread_t thread;
    int listener, port, greeted, end;
    struct raw_opts o;
    const char *says; /* then it leaves: NULL: it hears, and says the same */
    bool rude;        /* without farewell */
};

static void *host_one(void *arg)
{
    struct host *h = arg;
    size_t rest;
    SSL *ssl = raw_new(peer_accept(h->listener), true, &h->o);
    h->greeted = raw_greet(ssl);
    if (h->greeted == 1 && h->says) raw_say(ssl, h->says);
    if (h->greeted == 1 && !h->says) {
        raw_hear(ssl, "hello");
        raw_say(ssl, "hello");
        h->end = raw_end(ssl);
    }
    if (!h->rude) SSL_shutdown(ssl);
    if (h->rude) peer_shut(SSL_get_fd(ssl));
    if (h->rude) (void)peer_drain(SSL_get_fd(ssl), -1, &rest);
    raw_close(ssl);
    return NULL;
}

static void host(struct host *h)
{
    h->listener = peer_listen(&h->port);
    ck_assert_int_eq(pthread_create(&h->thread, NULL, host_one, h), 0);
}

static void host_done(struct host *h)
{
    pthread_join(h->thread, NULL);
    close(h->listener);
}

START_TEST(a_server_that_knows_tls_1_2_only_is_spoken_to)
{
    struct host h = {.o = {.is = "shop", .most = TLS1_2_VERSION}};
    setup(echo);
    host(&h);
    ck_assert_int_eq(attempt_at(h.port, "127.0.0.1", "shop.test", client), 0);
    ck_assert_int_eq(it.heard, 0);
    ck_assert_str_eq(it.info.tls, "TLSv1.2");
    ck_assert_str_eq(it.info.alpn, "h2");
    host_done(&h);
    ck_assert_int_eq(h.end, 0);
    finish();
}
END_TEST

START_TEST(a_server_learns_by_an_alert_why_it_is_refused)
{
    struct host h = {.o = {.is = "stranger"}}, old = {.o = {.is = "shop", .most = TLS1_1_VERSION}};
    setup(echo);
    host(&h);
    refused_for(attempt_at(h.port, "127.0.0.1", "shop.test", client), "unable to get local issuer");
    host_done(&h);
    ck_assert_int_eq(h.greeted, SSL_R_TLSV1_ALERT_UNKNOWN_CA);
    host(&old);
    ck_assert_int_eq(attempt_at(old.port, "127.0.0.1", "shop.test", client), BSK_ETLS);
    host_done(&old);
    ck_assert_int_ne(old.greeted, 1);
    finish();
}
END_TEST

/* Protocols. */

static bsk_tls *shop_alpn(const char *alpn)
{
    return good(bsk_tls_new(.certificate = pki("shop.pem"), .key = pki("shop.key"), .alpn = alpn));
}

START_TEST(the_server_chooses_the_protocol)
{
    bsk_tls *less = good(bsk_tls_new(.ca = pki("ca.pem"), .alpn = "http/1.1,h2,h3"));
    setup_with(echo, shop_alpn("h2,http/1.1"), (bsk_stream_opts){0});
    ck_assert_int_eq(attempt("shop.test", less), 0);
    ck_assert_str_eq(it.info.alpn, "h2");
    bsk_tls_drop(less);
    less = good(bsk_tls_new(.ca = pki("ca.pem")));
    ck_assert_int_eq(attempt("shop.test", less), 0);
    ck_assert_str_eq(it.info.alpn, "");
    bsk_tls_drop(less);
    finish();
}
END_TEST

START_TEST(who_has_no_protocol_in_common_is_refused)
{
    bsk_tls *less = good(bsk_tls_new(.ca = pki("ca.pem"), .alpn = "gopher"));
    setup_with(echo, shop_alpn("h2,http/1.1"), (bsk_stream_opts){0});
    refused_for(attempt("shop.test", less), "no application protocol");
    bsk_tls_drop(less);
    finish();
}
END_TEST

/* Clients with certificates. */

static bsk_tls *strict(void)
{
    return good(bsk_tls_new(.certificate = pki("shop.pem"), .key = pki("shop.key"),
                            .ca = pki("ca.pem"), .ask_client = true));
}

START_TEST(a_client_shows_its_certificate)
{
    bsk_tls *known = good(bsk_tls_new(.ca = pki("ca.pem"), .certificate = pki("client.pem"),
                                      .key = pki("client.key")));
    setup_with(echo, strict(), (bsk_stream_opts){0});
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(attempt("shop.test", known), 0);
        ck_assert_int_eq(it.heard, 0);
    }
    bsk_tls_drop(known);
    finish();
}
END_TEST

START_TEST(a_client_without_certificate_is_refused)
{
    setup_with(echo, strict(), (bsk_stream_opts){0});
    ck_assert_int_eq(attempt("shop.test", client), 0);
    ck_assert(it.heard == BSK_ETLS || it.heard == BSK_ERESET);
    UNTIL(ended != OPEN);
    ck_assert_int_eq(ended, BSK_ETLS);
    SSL *ssl = raw_dial(port, &plain);
    ck_assert_int_eq(raw_end(ssl), SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED);
    raw_close(ssl);
    ssl = raw_new(peer_dial(port), false, &(struct raw_opts){.most = TLS1_2_VERSION});
    ck_assert_int_ne(raw_greet(ssl), 1);
    raw_close(ssl);
    finish();
}
END_TEST

START_TEST(a_client_of_an_unknown_authority_is_refused)
{
    setup_with(echo, strict(), (bsk_stream_opts){0});
    SSL *ssl = raw_dial(port, &(struct raw_opts){.is = "stranger"});
    ck_assert_int_eq(raw_end(ssl), SSL_R_TLSV1_ALERT_UNKNOWN_CA);
    raw_close(ssl);
    finish();
}
END_TEST

START_TEST(a_resumed_session_is_let_in_again)
{
    setup_with(echo, strict(), (bsk_stream_opts){0});
    const struct raw_opts o = {.is = "client", .most = TLS1_2_VERSION};
    SSL *ssl = raw_dial(port, &o);
    SSL_SESSION *session = SSL_get1_session(ssl);
    SSL_shutdown(ssl);
    raw_close(ssl);
    ssl = raw_new(peer_dial(port), false, &o);
    ck_assert_int_eq(SSL_set_session(ssl, session), 1);
    ck_assert_int_eq(raw_greet(ssl), 1);
    ck_assert_int_eq(SSL_session_reused(ssl), 1);
    raw_say(ssl, "again");
    raw_hear(ssl, "again");
    raw_close(ssl);
    SSL_SESSION_free(session);
    finish();
}
END_TEST

/* What cannot be used. */

static void no_tls(const bsk_tls_opts *o, int code, const char *text)
{
    ck_assert_ptr_null(bsk_tls_new_(o));
    ck_assert_int_eq(bsk_error(NULL), code);
    ck_assert_msg(strstr(bsk_error_text(NULL), text) != NULL, "%s", bsk_error_text(NULL));
}

START_TEST(files_that_are_no_use_are_named)
{
    const char *cert = pki("shop.pem"), *key = pki("shop.key"), *none = pki("none.pem");
    no_tls(&(bsk_tls_opts){.certificate = none, .key = key}, BSK_ENOTFOUND, none);
    no_tls(&(bsk_tls_opts){.certificate = cert, .key = none}, BSK_ENOTFOUND, none);
    no_tls(&(bsk_tls_opts){.ca = none}, BSK_ENOTFOUND, none);
    no_tls(&(bsk_tls_opts){.certificate = pki("empty"), .key = key}, BSK_ETLS, "empty: ");
    no_tls(&(bsk_tls_opts){.ca = pki("empty")}, BSK_ETLS, "empty: ");
    no_tls(&(bsk_tls_opts){.certificate = cert, .key = pki("client.key")}, BSK_ETLS,
           "client.key: key values mismatch");
    no_tls(&(bsk_tls_opts){.certificate = cert, .key = pki("locked.key")}, BSK_ETLS,
           "locked.key: ");
    no_tls(&(bsk_tls_opts){.certificate = cert}, BSK_EINVAL, "invalid argument");
    no_tls(&(bsk_tls_opts){.key = key}, BSK_EINVAL, "");
}
END_TEST

START_TEST(a_list_of_protocols_has_names)
{
    char longest[260];
    memset(longest, 'x', sizeof longest);
    longest[255] = '\0';
    bsk_tls_drop(good(bsk_tls_new(.alpn = longest)));
    longest[255] = 'x';
    longest[256] = '\0';
    const char *bad[] = {"", ",", "h2,", ",h2", "h2,,h3", longest};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        no_tls(&(bsk_tls_opts){.alpn = bad[i]}, BSK_EINVAL, "");
}
END_TEST

/* Other files. */

static void use(const char *who)
{
    char name[64];
    snprintf(name, sizeof name, "%s.pem", who);
    pki_put(name, "used.pem");
    snprintf(name, sizeof name, "%s.key", who);
    pki_put(name, "used.key");
}

static bsk_tls *used(void)
{
    use("shop");
    return good(bsk_tls_new(.certificate = pki("used.pem"), .key = pki("used.key")));
}

START_TEST(files_are_read_again_while_connections_go_on)
{
    setup_with(echo, used(), (bsk_stream_opts){0});
    SSL *before = raw_dial(port, &plain);
    ck_assert_str_eq(raw_peer_name(before), "shop");
    use("later");
    SSL *between = raw_dial(port, &plain);
    ck_assert_str_eq(raw_peer_name(between), "shop");
    ck_assert_int_eq(bsk_tls_reload(server), 0);
    SSL *after = raw_dial(port, &plain), *all[] = {before, between, after};
    ck_assert_str_eq(raw_peer_name(after), "later");
    for (int i = 0; i < 3; i++) {
        raw_say(all[i], "still here");
        raw_hear(all[i], "still here");
        raw_close(all[i]);
    }
    finish();
}
END_TEST

START_TEST(bad_files_read_again_change_nothing)
{
    setup_with(echo, used(), (bsk_stream_opts){0});
    pki_put("client.key", "used.key");
    ck_assert_int_eq(bsk_tls_reload(server), BSK_ETLS);
    ck_assert_ptr_nonnull(strstr(bsk_error_text(NULL), "used.key: key values mismatch"));
    ck_assert_int_eq(unlink(pki("used.pem")), 0);
    ck_assert_int_eq(bsk_tls_reload(server), BSK_ENOTFOUND);
    ck_assert_int_eq(attempt("shop.test", client), 0);
    ck_assert_int_eq(it.heard, 0);
    finish();
}
END_TEST

static _Atomic bool enough;

static void *reload_on(void *arg)
{
    while (!enough) ck_assert_int_eq(bsk_tls_reload(arg), 0);
    return NULL;
}

static void connect_on(bsk_self *self)
{
    for (int i = 0; i < 25; i++) {
        bsk_stream s;
        char said[2];
        int rc = bsk_connect(self, "127.0.0.1", port, 20000, &s, .tls = client);
        if (rc) bsk_fail(self, "%s", bsk_error_text(self));
        if (bsk_stream_write(self, s, BSK_BYTES("hi"), 20000) ||
            bsk_stream_fill(self, s, said, 2, 20000))
            bsk_fail(self, "no echo");
        bsk_stream_close(self, s);
    }
    fix_hit();
}

START_TEST(files_are_read_again_while_others_connect)
{
    pthread_t threads[2];
    setup(echo);
    for (int i = 0; i < 2; i++) pthread_create(&threads[i], NULL, reload_on, i ? server : client);
    for (int i = 0; i < 4; i++) fix_born(bsk_spawn(rt, connect_on));
    fix_await(4);
    enough = true;
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    finish();
}
END_TEST

/* How it ends. */

START_TEST(an_end_without_farewell_is_no_clean_end)
{
    setup(echo);
    SSL *ssl = raw_dial(port, &plain);
    raw_say(ssl, "all of i");
    raw_hear(ssl, "all of i");
    raw_close(ssl);
    UNTIL(ended != OPEN);
    ck_assert_int_eq(ended, BSK_ETLS);
    finish();
}
END_TEST

START_TEST(a_farewell_is_a_clean_end)
{
    setup(echo);
    SSL *ssl = raw_dial(port, &plain);
    raw_say(ssl, "all");
    raw_hear(ssl, "all");
    SSL_shutdown(ssl);
    ck_assert_int_eq(raw_end(ssl), 0);
    peer_hear_end(SSL_get_fd(ssl));
    ck_assert_int_eq(ended, 0);
    raw_close(ssl);
    finish();
}
END_TEST

static void shut_then_read(bsk_self *self)
{
    bsk_bytes b;
    int rc = bsk_write(self, BSK_BYTES("that is all"), 1000);
    if (rc == 0) rc = bsk_stream_shut(self, bsk_conn(self));
    ck_assert_int_eq(rc, 0);
    ck_assert_int_eq(bsk_write(self, BSK_BYTES("!"), 1000), BSK_EPIPE);
    ck_assert_int_eq(bsk_stream_shut(self, bsk_conn(self)), BSK_EPIPE);
    while ((rc = bsk_read(self, &b, 10000)) > 0) most += b.len;
    atomic_store(&ended, rc);
}

START_TEST(the_sending_side_ends_alone)
{
    setup(shut_then_read);
    SSL *ssl = raw_dial(port, &plain);
    raw_hear(ssl, "that is all");
    ck_assert_int_eq(raw_end(ssl), 0);
    peer_hear_end(SSL_get_fd(ssl));
    ck_assert_int_eq(ended, OPEN);
    raw_say(ssl, "I go on");
    SSL_shutdown(ssl);
    UNTIL(ended != OPEN);
    ck_assert_int_eq(ended, 0);
    ck_assert_uint_eq(most, 7);
    raw_close(ssl);
    finish();
}
END_TEST

static void shut_at_once(bsk_self *self)
{
    bsk_bytes b;
    ck_assert_int_eq(bsk_stream_shut(self, bsk_conn(self)), 0);
    fix_hit();
    atomic_store(&ended, bsk_read(self, &b, 10000));
}

START_TEST(the_sending_side_ends_before_the_two_have_agreed)
{
    setup(shut_at_once);
    int fd = peer_dial(port);
    fix_await(1);
    SSL *ssl = raw_new(fd, false, &plain);
    ck_assert_int_eq(raw_greet(ssl), 1);
    ck_assert_int_eq(raw_end(ssl), 0);
    raw_say(ssl, "??");
    UNTIL(ended != OPEN);
    ck_assert_int_eq(ended, 2);
    raw_close(ssl);
    finish();
}
END_TEST

static void write_and_go(bsk_self *self)
{
    static char bytes[100000];
    run_fill(bytes, 0, sizeof bytes);
    ck_assert_int_eq(bsk_write(self, (bsk_bytes){bytes, sizeof bytes}, 1000), 0);
    fix_hit();
}

START_TEST(what_was_written_before_the_two_agree_arrives)
{
    char bytes[100000];
    setup(write_and_go);
    int fd = peer_dial(port);
    fix_await(1);
    SSL *ssl = raw_new(fd, false, &plain);
    ck_assert_int_eq(raw_greet(ssl), 1);
    for (size_t n = 0; n < sizeof bytes;) {
        int got = SSL_read(ssl, bytes + n, (int)(sizeof bytes - n));
        ck_assert_int_gt(got, 0);
        n += (size_t)got;
    }
    ck_assert(run_holds(bytes, 0, sizeof bytes));
    ck_assert_int_eq(raw_end(ssl), 0);
    raw_close(ssl);
    UNTIL(open_now(rt) == 1);
    finish();
}
END_TEST

START_TEST(what_was_written_to_who_does_not_agree_is_given_up)
{
    setup(write_and_go);
    for (unsigned i = 0; i < 3; i++) {
        int fd = peer_dial(port);
        fix_await(i + 1);
        if (i == 1) peer_say(fd, "good day to you");
        if (i == 2)
            peer_reset(fd);
        else
            peer_shut(fd);
        UNTIL(open_now(rt) == 1);
        if (i < 2) peer_close(fd);
    }
    finish();
}
END_TEST

START_TEST(who_leaves_before_the_two_agree_is_let_go)
{
    setup(echo);
    for (int i = 0; i < 3; i++) {
        int fd = peer_dial(port);
        if (i) peer_send(fd, "\x16\x03\x01\x02", 4);
        atomic_store(&ended, OPEN);
        UNTIL(open_now(rt) == 2);
        if (i == 2)
            peer_reset(fd);
        else
            peer_close(fd);
        UNTIL(ended != OPEN);
        ck_assert_int_eq(ended, i == 2 ? BSK_ERESET : BSK_ETLS);
    }
    finish();
}
END_TEST

/* Messages. */

BSK_MSG(begin);

static void on_echo(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(bsk_data, d) {
            int rc = bsk_stream_try(self, (bsk_stream){d->stream}, d->data);
            ck_assert_int_eq(rc, 0);
        }
        bsk_on(bsk_closed, c) {
            atomic_store(&ended, (int)c->code);
            bsk_exit(self);
        }
    }
}

static void on_dialling(bsk_self *self, bsk_msg *m)
{
    struct attempt *a = *(struct attempt **)bsk_state(self);
    bsk_match(m) {
        bsk_on(begin, b) {
            int rc = bsk_dial(self, a->host, a->port, 10000, .tls = a->tls, .tls_name = a->name);
            ck_assert_int_eq(rc, 0);
        }
        bsk_on(bsk_dialed, d) {
            a->code = (int)d->code;
            snprintf(a->text, sizeof a->text, "%s", d->text);
            if (a->code) fix_hit();
            if (a->code) bsk_exit(self);
            bsk_stream s = {d->stream};
            ck_assert_int_eq(bsk_stream_try(self, s, BSK_BYTES("hello")), 0);
            ck_assert_int_eq(bsk_stream_shut(self, s), 0);
        }
        bsk_on(bsk_data, d) a->heard += (int)d->data.len;
        bsk_on(bsk_closed, c) {
            a->code = (int)c->code;
            fix_hit();
            bsk_exit(self);
        }
    }
}

static int dial_at(int to, const char *name)
{
    unsigned before = fix_hits();
    struct attempt *a = &it;
    it = (struct attempt){.host = "127.0.0.1", .name = name, .tls = client, .port = to};
    bsk_addr who = fix_born(bsk_spawn(rt, on_dialling, BSK_STATE(struct attempt *, a)));
    bsk_tell(who, begin);
    fix_await(before + 1);
    return it.code;
}

static void setup_messages(void)
{
    rt = bsk_start(.workers = 2, FIX_HOOKS);
    server = shop();
    client = good(bsk_tls_new(.ca = pki("ca.pem")));
    port = bsk_listen(rt, "127.0.0.1", 0, on_echo, .stream = {.tls = server});
    ck_assert_int_gt(port, 0);
}

START_TEST(handlers_speak_it_by_messages)
{
    setup_messages();
    ck_assert_int_eq(dial_at(port, "shop.test"), BSK_EEOF);
    ck_assert_int_eq(it.heard, 5);
    UNTIL(ended != OPEN);
    ck_assert_int_eq(ended, BSK_EEOF);
    finish();
}
END_TEST

START_TEST(a_handler_learns_why_it_is_refused)
{
    setup_messages();
    ck_assert_int_eq(dial_at(port, "other.test"), BSK_ETLS);
    ck_assert_str_eq(it.text, "hostname mismatch");
    finish();
}
END_TEST

START_TEST(a_handler_learns_that_the_end_was_cut)
{
    struct host h = {.o = {.is = "shop"}, .says = "half of", .rude = true};
    setup_messages();
    host(&h);
    ck_assert_int_eq(dial_at(h.port, "shop.test"), BSK_ETLS);
    ck_assert_int_eq(it.heard, 7);
    host_done(&h);
    finish();
}
END_TEST

/* Much. */

static void remember(_Atomic uint64_t *highest, uint64_t n)
{
    if (n > *highest) *highest = n;
}

static void write_much(bsk_self *self)
{
    static char bytes[70000];
    for (size_t at = 0; at < MUCH; at += sizeof bytes) {
        bsk_stream_info_out i;
        run_fill(bytes, at, sizeof bytes);
        int rc = bsk_write(self, (bsk_bytes){bytes, sizeof bytes}, BSK_FOREVER);
        if (rc) bsk_fail(self, "%s", bsk_strerror(rc));
        ck_assert_int_eq(bsk_stream_info(self, bsk_conn(self), &i), 0);
        remember(&most, i.unsent);
    }
}

START_TEST(much_is_written_no_faster_than_it_is_read)
{
    static char bytes[50000];
    size_t at = 0;
    int got, pauses = 0;
    setup_with(write_much, shop(), (bsk_stream_opts){.write_high = 100000});
    SSL *ssl = raw_new(peer_dial_narrow(port), false, &plain);
    ck_assert_int_eq(raw_greet(ssl), 1);
    while ((got = SSL_read(ssl, bytes, sizeof bytes)) > 0) {
        ck_assert(run_holds(bytes, at, (size_t)got));
        at += (size_t)got;
        if (at / 1000000 > (size_t)pauses && ++pauses) usleep(5000);
    }
    ck_assert_uint_ge(at, MUCH);
    ck_assert_int_eq(SSL_get_error(ssl, got), SSL_ERROR_ZERO_RETURN);
    ck_assert_uint_gt(most, 50000);
    ck_assert_uint_le(most, 101000);
    raw_close(ssl);
    finish();
}
END_TEST

static void read_much(bsk_self *self)
{
    uint64_t at = 0;
    bsk_bytes b;
    int rc;
    for (int i = 0; (rc = bsk_read(self, &b, 30000)) > 0; i++) {
        bsk_stream_info_out info;
        if (!run_holds(b.ptr, at, b.len)) bsk_fail(self, "other bytes");
        at += b.len;
        if (i % 64) continue;
        ck_assert_int_eq(bsk_sleep(self, 2), 0);
        ck_assert_int_eq(bsk_stream_info(self, bsk_conn(self), &info), 0);
        remember(&most, info.unread);
    }
    if (at < MUCH) bsk_fail(self, "only %d: %s", (int)at, bsk_strerror(rc));
    atomic_store(&ended, rc);
}

START_TEST(much_is_taken_no_faster_than_it_is_used)
{
    static char bytes[50000];
    setup_with(read_much, shop(), (bsk_stream_opts){.read_ahead = 30000});
    SSL *ssl = raw_dial(port, &plain);
    for (size_t at = 0; at < MUCH; at += sizeof bytes) {
        run_fill(bytes, at, sizeof bytes);
        ck_assert_int_eq(SSL_write(ssl, bytes, sizeof bytes), (int)sizeof bytes);
    }
    SSL_shutdown(ssl);
    UNTIL(ended != OPEN);
    ck_assert_int_eq(ended, 0);
    ck_assert_uint_le(most, 30000 + 64 * 1024 + 16384);
    raw_close(ssl);
    finish();
}
END_TEST

/* A fiber's least stack is enough to speak, and a usual one to read files. */
static void speak_on_little(bsk_self *self)
{
    static char bytes[60000], back[60000];
    bsk_stream s;
    int rc =
        bsk_connect(self, "127.0.0.1", port, 20000, &s, .tls = client, .tls_name = "shop.test");
    if (rc) bsk_fail(self, "%s", bsk_error_text(self));
    for (uint64_t at = 0; at < MUCH / 4; at += sizeof bytes) {
        run_fill(bytes, at, sizeof bytes);
        rc = bsk_stream_write(self, s, (bsk_bytes){bytes, sizeof bytes}, 20000);
        if (rc == 0) rc = bsk_stream_fill(self, s, back, sizeof back, 20000);
        if (rc || memcmp(bytes, back, sizeof back)) bsk_fail(self, "%s", bsk_strerror(rc));
    }
    fix_hit();
}

static void read_files(bsk_self *self)
{
    bsk_tls *t = bsk_tls_new(.certificate = pki("shop.pem"), .key = pki("shop.key"),
                             .ca = pki("ca.pem"), .ask_client = true);
    if (!t || bsk_tls_reload(t)) bsk_fail(self, "%s", bsk_error_text(self));
    bsk_tls_drop(t);
    ck_assert_ptr_null(bsk_tls_new(.ca = pki("none")));
    ck_assert_int_eq(bsk_error(self), BSK_ENOTFOUND);
    fix_hit();
}

START_TEST(stacks_are_large_enough)
{
    setup(echo);
    fix_born(bsk_spawn(rt, read_files));
    fix_await(1);
    fix_born(bsk_spawn(rt, speak_on_little, .stack = LITTLE));
    fix_await(2);
    finish();
}
END_TEST

/* Peers that do not keep to it. */

START_TEST(garbage_is_no_greeting)
{
    unsigned char said[7];
    setup(echo);
    int fd = peer_dial(port);
    peer_say(fd, "GET / HTTP/1.0\r\n\r\n");
    peer_hear_over(fd);
    peer_close(fd);
    UNTIL(ended != OPEN);
    ck_assert_int_eq(ended, BSK_ETLS);
    fd = peer_dial(port);
    peer_send(fd, "\x16\x03\x01\0\x0bgood day sir", 17);
    ck_assert_int_eq(recv(fd, said, sizeof said, MSG_WAITALL), (int)sizeof said);
    ck_assert_mem_eq(said, "\x15\x03", 2);
    peer_hear_over(fd);
    peer_close(fd);
    finish();
}
END_TEST

START_TEST(garbage_underway_is_answered_by_an_alert)
{
    setup(echo);
    SSL *ssl = raw_dial(port, &plain);
    raw_say(ssl, "good day");
    raw_hear(ssl, "good day");
    peer_send(SSL_get_fd(ssl), "\x17\x03\x03\0\x20 these are thirty-two bytes of it", 37);
    ck_assert_int_eq(raw_end(ssl), SSL_R_SSLV3_ALERT_BAD_RECORD_MAC);
    UNTIL(ended != OPEN);
    ck_assert_int_eq(ended, BSK_ETLS);
    raw_close(ssl);
    finish();
}
END_TEST

START_TEST(random_bytes_do_no_harm)
{
    unsigned char bytes[2000];
    uint32_t x = 1;
    size_t n;
    setup(echo);
    for (int i = 0; i < 50; i++) {
        int fd = peer_dial(port);
        for (size_t k = 0; k < sizeof bytes; k++) {
            x = x * 1664525 + 1013904223;
            bytes[k] = (unsigned char)(x >> 24);
        }
        if (i % 2) memcpy(bytes, "\x16\x03\x01\x05\xdc\x01\x00\x05\xd8\x03\x03", 11);
        peer_send(fd, bytes, sizeof bytes);
        peer_shut(fd);
        (void)peer_drain(fd, -1, &n);
        peer_close(fd);
    }
    finish();
}
END_TEST

static uint64_t silent(void)
{
    bsk_net_stats_out out;
    bsk_net_stats(rt, &out);
    return out.silent;
}

START_TEST(who_stalls_in_the_greeting_is_closed)
{
    setup_with(echo, shop(), (bsk_stream_opts){.first_byte_ms = 150});
    int fd = peer_dial(port);
    for (int i = 0; i < 3; i++) {
        peer_send(fd, &"\x16\x03\x01"[i], 1);
        usleep(10000);
    }
    peer_hear_over(fd);
    UNTIL(ended != OPEN);
    ck_assert_int_eq(ended, BSK_ELIMIT);
    ck_assert_uint_eq(silent(), 1);
    peer_close(fd);
    /* Nor does it help to greet, and say nothing. */
    atomic_store(&ended, OPEN);
    SSL *ssl = raw_dial(port, &plain);
    UNTIL(ended != OPEN);
    ck_assert_int_eq(ended, BSK_ELIMIT);
    ck_assert_uint_eq(silent(), 2);
    raw_close(ssl);
    finish();
}
END_TEST

static void connect_in_vain(bsk_self *self)
{
    bsk_stream s;
    it.code = bsk_connect(self, "127.0.0.1", it.port, 100, &s, .tls = client);
    fix_hit();
    it.code = bsk_connect(self, "127.0.0.1", it.port, BSK_FOREVER, &s, .tls = client);
    fix_hit();
}

START_TEST(a_server_that_does_not_greet_is_not_waited_for)
{
    setup(echo);
    int listener = peer_listen(&it.port);
    bsk_addr who = fix_born(bsk_spawn(rt, connect_in_vain));
    fix_await(1);
    ck_assert_int_eq(it.code, BSK_ETIMEDOUT);
    UNTIL(open_now(rt) == 2);
    ck_assert_int_eq(bsk_stop(who, 5000), 0);
    fix_await(2);
    ck_assert_int_eq(it.code, BSK_ECANCELED);
    UNTIL(open_now(rt) == 1);
    close(listener);
    finish();
}
END_TEST

/* A gate. */

static void take_one(bsk_self *self)
{
    bsk_gate gate;
    bsk_stream s;
    bsk_bytes b;
    port = bsk_gate_open(self, "127.0.0.1", 0, &gate);
    fix_hit();
    int rc = bsk_gate_accept(self, gate, 10000, &s, .tls = server, .tls_name = "is not looked at");
    ck_assert_int_eq(rc, 0);
    while ((rc = bsk_stream_read(self, s, &b, 10000)) > 0)
        ck_assert_int_eq(bsk_stream_write(self, s, b, 10000), 0);
    atomic_store(&ended, rc);
}

START_TEST(what_a_gate_takes_speaks_it)
{
    setup(echo);
    fix_born(bsk_spawn(rt, take_one));
    fix_await(1);
    ck_assert_int_eq(attempt("shop.test", client), 0);
    ck_assert_int_eq(it.heard, 0);
    UNTIL(ended != OPEN);
    ck_assert_int_eq(ended, 0);
    finish();
}
END_TEST

/* openssl's own programs. */

static void echo_line(bsk_self *self)
{
    bsk_bytes b;
    if (bsk_read(self, &b, 10000) <= 0) return;
    atomic_store(&ended, bsk_write(self, b, 10000));
}

static bool have_openssl(void)
{
    return system("openssl version >/dev/null 2>&1") == 0;
}

START_TEST(s_client_is_served)
{
    const char *versions[] = {"tls1_2", "tls1_3"};
    if (!have_openssl()) return;
    setup(echo_line);
    for (int i = 0; i < 2; i++) {
        char command[512], said[64] = "";
        snprintf(command, sizeof command,
                 "echo hello | timeout 30 openssl s_client -%s -quiet -verify_quiet -CAfile %s "
                 "-connect 127.0.0.1:%d -servername shop.test -verify_hostname shop.test "
                 "-verify_return_error",
                 versions[i], pki("ca.pem"), port);
        FILE *f = popen(command, "r");
        ck_assert_ptr_nonnull(f);
        ck_assert_ptr_nonnull(fgets(said, sizeof said, f));
        ck_assert_str_eq(said, "hello\n");
        ck_assert_int_eq(pclose(f), 0);
    }
    finish();
}
END_TEST

extern char **environ;

static pid_t run_s_server(int at, const char *version)
{
    char address[32];
    pid_t pid;
    snprintf(address, sizeof address, "127.0.0.1:%d", at);
    const char *args[] = {"openssl", "s_server",        version,    "-quiet", "-accept",
                          address,   "-cert",           NULL,       "-key",   NULL,
                          "-rev",    "-no_anti_replay", "-naccept", "2",      NULL};
    args[7] = pki("client.pem");
    args[9] = pki("client.key");
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    for (int fd = 0; fd < 3; fd++)
        posix_spawn_file_actions_addopen(&files, fd, "/dev/null", fd ? O_WRONLY : O_RDONLY, 0);
    int rc = posix_spawnp(&pid, "openssl", &files, NULL, (char **)(uintptr_t)args, environ);
    ck_assert_int_eq(rc, 0);
    posix_spawn_file_actions_destroy(&files);
    return pid;
}

static void ask_s_server(bsk_self *self)
{
    bsk_stream s;
    char said[6] = "";
    do {
        if (bsk_sleep(self, 5)) return;
        it.code = bsk_connect(self, "127.0.0.1", it.port, 10000, &s, .tls = client);
    } while (it.code == BSK_EREFUSED);
    snprintf(it.text, sizeof it.text, "%s", it.code ? bsk_error_text(self) : "");
    if (it.code == 0) it.heard = bsk_stream_write(self, s, BSK_BYTES("hello\n"), 10000);
    if (it.code == 0 && it.heard == 0) it.heard = bsk_stream_fill(self, s, said, 6, 10000);
    snprintf(it.text, sizeof it.text, "%.6s", said);
    fix_hit();
}

START_TEST(s_server_is_spoken_to)
{
    if (!have_openssl()) return;
    setup(echo);
    for (unsigned i = 0; i < 2; i++) {
        it = (struct attempt){0};
        close(peer_listen(&it.port));
        pid_t pid = run_s_server(it.port, i ? "-tls1_2" : "-tls1_3");
        fix_born(bsk_spawn(rt, ask_s_server));
        fix_await(i + 1);
        ck_assert_int_eq(it.code, 0);
        ck_assert_str_eq(it.text, "olleh\n");
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    finish();
}
END_TEST

/* Want of memory: the library's, and OpenSSL's. */

static _Atomic uint64_t asked, failing;
static _Atomic bool onward;

static bool refuse(void)
{
    uint64_t n = atomic_fetch_add(&asked, 1) + 1, from = atomic_load(&failing);
    return from && (n == from || (n > from && onward));
}

static void *ssl_alloc(size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    return refuse() ? NULL : malloc(n);
}

static void *ssl_realloc(void *p, size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    return refuse() ? NULL : realloc(p, n);
}

static void ssl_free(void *p, const char *file, int line)
{
    (void)file;
    (void)line;
    free(p);
}

static void may_be(int rc)
{
    const int codes[] = {BSK_ENOMEM, BSK_ETLS,      BSK_ERESET, BSK_EPIPE,   BSK_EEOF,
                         0,          BSK_ETIMEDOUT, BSK_ELIMIT, BSK_EREFUSED};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (rc == codes[i]) return;
    ck_abort_msg("%s", bsk_errname(rc));
}

static void try_all(bsk_self *self)
{
    bsk_stream s;
    char said[1000];
    bsk_stream_info_out info;
    int rc = bsk_connect(self, "127.0.0.1", port, 2000, &s, .tls = client, .tls_name = "shop.test",
                         .idle_ms = 2000);
    may_be(rc);
    if (rc == 0) {
        memset(said, 's', sizeof said);
        for (int i = 0; i < 20 && rc == 0; i++)
            rc = bsk_stream_write(self, s, (bsk_bytes){said, sizeof said}, 2000);
        for (int i = 0; i < 20 && rc == 0; i++)
            rc = bsk_stream_fill(self, s, said, sizeof said, 2000);
        may_be(rc);
        ck_assert_int_eq(bsk_stream_info(self, s, &info), 0);
        bsk_stream_close(self, s);
    }
    fix_hit();
}

static bsk_tls *tls_or_not(const bsk_tls_opts *o)
{
    bsk_tls *t = bsk_tls_new_(o);
    if (!t) may_be(bsk_error(NULL));
    if (!t) ck_assert_int_ne(bsk_error(NULL), 0);
    return t;
}

static bool whole; /* the scenario went all the way */

static void scenario_with(bsk_tls *s, bsk_tls *c)
{
    bsk_addr who = {0, 0, 0};
    unsigned before = fix_hits();
    rt = bsk_start(.workers = 1, FIX_HOOKS, .quiet = true);
    if (!rt) return;
    client = c;
    port = bsk_listen(rt, "127.0.0.1", 0, echo, .stream = {.tls = s, .idle_ms = 2000});
    if (port > 0) who = bsk_spawn(rt, try_all);
    UNTIL(fix_hits() > before || !bsk_alive(who));
    whole = !bsk_is_nobody(who);
    bsk_shutdown(rt);
    ck_assert_int_ge(bsk_wait(rt), 0);
}

static void *scenario(void *ok)
{
    bsk_tls *s = tls_or_not(&(bsk_tls_opts){
        .certificate = pki("shop.pem"), .key = pki("shop.key"), .alpn = "h2,http/1.1"});
    bsk_tls *c = s ? tls_or_not(&(bsk_tls_opts){.ca = pki("ca.pem"), .alpn = "h2"}) : NULL;
    if (c) may_be(bsk_tls_reload(s));
    if (c) scenario_with(s, c);
    bsk_tls_drop(c);
    bsk_tls_drop(s);
    return ok;
}

static void run_once(void)
{
    pthread_t t;
    int64_t live = mem_live(), mapped = mem_mapped();
    ck_assert_int_eq(pthread_create(&t, NULL, scenario, NULL), 0);
    pthread_join(t, NULL);
    mem_fail_at(0, 0);
    atomic_store(&failing, 0);
    ck_assert_int_eq(mem_live(), live);
    ck_assert_int_eq(mem_mapped(), mapped);
}

START_TEST(the_library_wants_memory)
{
    for (int all = 0; all < 2; all++) {
        uint64_t n = 0, before;
        do {
            before = mem_asked();
            mem_fail_at(n += all ? 5 : 1, all);
            run_once();
        } while (mem_asked() - before >= n);
        ck_assert(whole);
        ck_assert_uint_gt(n, 30);
    }
}
END_TEST

/* Each of the first, then with growing steps: there are thousands. */
START_TEST(openssl_wants_memory)
{
    run_once();
    uint64_t before = atomic_load(&asked);
    run_once();
    uint64_t n = atomic_load(&asked) - before;
    ck_assert_uint_gt(n, 1000);
    for (uint64_t i = 1, k = 0; i <= n; i += 1 + n / 60 + k++ % 3) {
        atomic_store(&onward, k % 5 == 4);
        atomic_store(&failing, atomic_load(&asked) + i);
        run_once();
    }
    run_once();
    ck_assert(whole);
}
END_TEST

int main(void)
{
    /* clang-format off */
    const TTest *const tests[] = {
        a_client_and_a_server_agree, a_wrong_name_is_refused, an_unknown_authority_is_refused,
        an_expired_certificate_is_refused, who_trusts_anyone_takes_any_certificate,
        who_knows_tls_1_2_only_is_served, who_knows_tls_1_1_only_is_refused_by_an_alert,
        a_client_that_renegotiates_is_not_heard, keys_are_changed_underway,
        a_server_that_knows_tls_1_2_only_is_spoken_to, a_server_learns_by_an_alert_why_it_is_refused,
        the_server_chooses_the_protocol, who_has_no_protocol_in_common_is_refused,
        a_client_shows_its_certificate, a_client_without_certificate_is_refused,
        a_client_of_an_unknown_authority_is_refused, a_resumed_session_is_let_in_again,
        files_that_are_no_use_are_named, a_list_of_protocols_has_names,
        files_are_read_again_while_connections_go_on, bad_files_read_again_change_nothing,
        files_are_read_again_while_others_connect,
        an_end_without_farewell_is_no_clean_end, a_farewell_is_a_clean_end, the_sending_side_ends_alone,
        the_sending_side_ends_before_the_two_have_agreed, what_was_written_before_the_two_agree_arrives,
        what_was_written_to_who_does_not_agree_is_given_up,
        who_leaves_before_the_two_agree_is_let_go,
        handlers_speak_it_by_messages, a_handler_learns_why_it_is_refused,
        a_handler_learns_that_the_end_was_cut,
        much_is_written_no_faster_than_it_is_read, much_is_taken_no_faster_than_it_is_used,
        stacks_are_large_enough,
        garbage_is_no_greeting, garbage_underway_is_answered_by_an_alert,
        random_bytes_do_no_harm, who_stalls_in_the_greeting_is_closed,
        a_server_that_does_not_greet_is_not_waited_for, what_a_gate_takes_speaks_it,
        s_client_is_served, s_server_is_spoken_to,
        the_library_wants_memory, openssl_wants_memory,
    };
    /* clang-format on */
    signal(SIGPIPE, SIG_IGN);
    if (CRYPTO_set_mem_functions(ssl_alloc, ssl_realloc, ssl_free) != 1) return 2;
    pki_make();
    int rc = fix_main("tls", tests, sizeof tests / sizeof *tests, 60);
    pki_remove();
    return rc;
}
