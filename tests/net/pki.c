/* SPDX-License-Identifier: MIT */
#include "pki.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

static char dir[] = "/tmp/buskin-tls-XXXXXX";

const char *pki(const char *file)
{
    static char paths[8][128];
    static _Atomic unsigned next;
    char *p = paths[atomic_fetch_add(&next, 1) % 8];
    snprintf(p, sizeof paths[0], "%s/%s", dir, file);
    return p;
}

/* Files are made before there is a test that could fail. */
static void must(bool done)
{
    if (done) return;
    fputs("no certificates for the tests\n", stderr);
    abort();
}

struct party {
    EVP_PKEY *key;
    X509 *cert;
};

static void extend(X509 *cert, X509 *issuer, int what, const char *value)
{
    X509V3_CTX c;
    X509V3_set_ctx(&c, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &c, what, value);
    must(e != NULL);
    must(X509_add_ext(cert, e, -1) == 1);
    X509_EXTENSION_free(e);
}

static void add_name(X509 *cert, const char *kind, const char *name, size_t size)
{
    X509_NAME *n = X509_get_subject_name(cert);
    must(X509_NAME_add_entry_by_txt(n, kind, MBSTRING_UTF8, (const unsigned char *)name, (int)size,
                                    -1, 0) == 1);
}

static void set_name(X509 *cert, const char *name)
{
    static const char organisation[] = "Shop, Ltd", deceives[] = "client\0.shop.test";
    if (strcmp(name, "till") == 0) {
        add_name(cert, "O", organisation, sizeof organisation - 1);
        add_name(cert, "CN", "tills", 5);
    }
    if (strcmp(name, "sly") == 0)
        add_name(cert, "CN", deceives, sizeof deceives - 1);
    else
        add_name(cert, "CN", name, strlen(name));
}

/* A certificate of that issuer, NULL: of its own; `names` NULL: of an authority. */
static struct party issue(const char *name, const struct party *by, const char *names, long days)
{
    static long serial;
    struct party p = {EVP_EC_gen("P-256"), X509_new()};
    if (!by) by = &p;
    X509_set_version(p.cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(p.cert), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(p.cert), -10L * 86400);
    X509_gmtime_adj(X509_getm_notAfter(p.cert), days * 86400);
    set_name(p.cert, name);
    X509_set_issuer_name(p.cert, X509_get_subject_name(by->cert));
    X509_set_pubkey(p.cert, p.key);
    extend(p.cert, by->cert, NID_basic_constraints, names ? "CA:FALSE" : "critical,CA:TRUE");
    if (names) extend(p.cert, by->cert, NID_subject_alt_name, names);
    must(X509_sign(p.cert, by->key, EVP_sha256()) > 0);
    return p;
}

static FILE *create(const char *name, const char *suffix)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s%s", dir, name, suffix);
    FILE *f = fopen(path, "w");
    must(f != NULL);
    return f;
}

static void save(const char *name, const struct party *p, const struct party *by)
{
    FILE *f = create(name, ".pem");
    PEM_write_X509(f, p->cert);
    if (by) PEM_write_X509(f, by->cert);
    fclose(f);
    f = create(name, ".key");
    PEM_write_PrivateKey(f, p->key, NULL, NULL, 0, NULL, NULL);
    fclose(f);
}

static void save_locked_key(const struct party *p)
{
    FILE *f = create("locked", ".key");
    PEM_write_PrivateKey(f, p->key, EVP_aes_128_cbc(), NULL, 0, NULL, (void *)(uintptr_t) "phrase");
    fclose(f);
}

static void make_as(const char *name, const char *names, const struct party *by,
                    const struct party *chain, long days)
{
    struct party p = issue(name, by, names, days);
    save(name, &p, chain);
    if (strcmp(name, "shop") == 0) save_locked_key(&p);
    EVP_PKEY_free(p.key);
    X509_free(p.cert);
}

static void make(const char *name, const struct party *by, const struct party *chain, long days)
{
    make_as(name, "DNS:shop.test,DNS:*.shop.test,DNS:localhost,IP:127.0.0.1,IP:0:0:0:0:0:0:0:1", by,
            chain, days);
}

void pki_make(void)
{
    must(mkdtemp(dir) != NULL);
    struct party ca = issue("ca", NULL, NULL, 10), rival = issue("other", NULL, NULL, 10);
    struct party between = issue("between", &ca, NULL, 10);
    save("ca", &ca, NULL);
    save("other_ca", &rival, NULL);
    make("shop", &between, &between, 10);
    make("later", &between, &between, 10);
    make("expired", &between, &between, -1);
    make("client", &ca, NULL, 10);
    make_as("till",
            "URI:spiffe://shop.test/till,email:till@shop.test,DNS:till.shop.test,IP:::1,"
            "IP:192.0.2.7,RID:1.2.3.4",
            &ca, NULL, 10);
    make_as("sly", "DNS:client\001.shop.test,DNS:plain.test,URI:spiffe://client\351", &ca, NULL,
            10);
    make("stranger", &rival, NULL, 10);
    struct party *all[] = {&ca, &rival, &between};
    for (int i = 0; i < 3; i++) {
        EVP_PKEY_free(all[i]->key);
        X509_free(all[i]->cert);
    }
    fclose(create("empty", ""));
    /* In the system's place, so that no test depends on whom that trusts. Reading its hundreds also
     * takes far longer than what is tested. */
    must(setenv("SSL_CERT_FILE", pki("other_ca.pem"), 1) == 0);
    must(setenv("SSL_CERT_DIR", dir, 1) == 0);
}

void pki_remove(void)
{
    char command[160];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    if (system(command)) perror(command);
}

/* Renamed into its place, as who cares for readers does. */
void pki_put(const char *file, const char *as)
{
    char bytes[8192];
    FILE *from = fopen(pki(file), "r"), *to = create("new", "");
    ck_assert_ptr_nonnull(from);
    fwrite(bytes, 1, fread(bytes, 1, sizeof bytes, from), to);
    fclose(from);
    fclose(to);
    ck_assert_int_eq(rename(pki("new"), pki(as)), 0);
}

static void show(SSL_CTX *c, const char *who)
{
    char name[64];
    snprintf(name, sizeof name, "%s.pem", who);
    ck_assert_int_eq(SSL_CTX_use_certificate_chain_file(c, pki(name)), 1);
    snprintf(name, sizeof name, "%s.key", who);
    ck_assert_int_eq(SSL_CTX_use_PrivateKey_file(c, pki(name), SSL_FILETYPE_PEM), 1);
}

static int choose_first(SSL *ssl, const unsigned char **out, unsigned char *n,
                        const unsigned char *theirs, unsigned int size, void *arg)
{
    (void)ssl;
    (void)size;
    (void)arg;
    *n = *theirs;
    *out = theirs + 1;
    return SSL_TLSEXT_ERR_OK;
}

SSL *raw_new(int fd, bool server, const struct raw_opts *o)
{
    ERR_clear_error();
    SSL_CTX *c = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    ck_assert_ptr_nonnull(c);
    SSL_CTX_set_security_level(c, 0);
    if (o->is) show(c, o->is);
    if (o->ca) ck_assert_int_eq(SSL_CTX_load_verify_file(c, pki(o->ca)), 1);
    SSL_CTX_set_max_proto_version(c, o->most);
    SSL_CTX_set_min_proto_version(c, TLS1_VERSION);
    if (o->ca || o->ask) SSL_CTX_set_verify(c, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_alpn_select_cb(c, choose_first, NULL);
    SSL *ssl = SSL_new(c);
    SSL_CTX_free(c);
    SSL_set_fd(ssl, fd);
    if (o->name) SSL_set_tlsext_host_name(ssl, o->name);
    if (o->name && !server) SSL_set1_host(ssl, o->name);
    if (o->alpn)
        SSL_set_alpn_protos(ssl, (const unsigned char *)o->alpn, (unsigned)strlen(o->alpn));
    if (server)
        SSL_set_accept_state(ssl);
    else
        SSL_set_connect_state(ssl);
    return ssl;
}

static int reason(void)
{
    int r = ERR_GET_REASON(ERR_peek_error());
    ERR_clear_error();
    return r ? r : -1;
}

int raw_greet(SSL *ssl)
{
    ERR_clear_error();
    return SSL_do_handshake(ssl) == 1 ? 1 : reason();
}

SSL *raw_dial(int port, const struct raw_opts *o)
{
    SSL *ssl = raw_new(peer_dial(port), false, o);
    ck_assert_int_eq(raw_greet(ssl), 1);
    return ssl;
}

void raw_say(SSL *ssl, const char *text)
{
    ck_assert_int_eq(SSL_write(ssl, text, (int)strlen(text)), (int)strlen(text));
}

void raw_hear(SSL *ssl, const char *text)
{
    char said[256];
    size_t n = strlen(text), have = 0;
    ERR_clear_error();
    while (have < n) {
        int got = SSL_read(ssl, said + have, (int)(n - have));
        ck_assert_msg(got > 0, "instead of %s: %d", text, reason());
        have += (size_t)got;
    }
    ck_assert_mem_eq(said, text, n);
}

int raw_end(SSL *ssl)
{
    char byte;
    ERR_clear_error();
    int rc = SSL_read(ssl, &byte, 1);
    ck_assert_int_le(rc, 0);
    return SSL_get_error(ssl, rc) == SSL_ERROR_ZERO_RETURN ? 0 : reason();
}

void raw_close(SSL *ssl)
{
    int fd = SSL_get_fd(ssl);
    SSL_free(ssl);
    close(fd);
}

const char *raw_peer_name(SSL *ssl)
{
    static char name[64];
    X509_NAME_get_text_by_NID(X509_get_subject_name(SSL_get0_peer_certificate(ssl)), NID_commonName,
                              name, sizeof name);
    return name;
}
