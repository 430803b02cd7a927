/* SPDX-License-Identifier: MIT */
/* What a certificate says is gathered in one run of bytes, first by places, since these move:
 *
 *     name \0 subject \0 issuer \0 DNS:a \0 IP:b \0 ... \0 the whole certificate
 *
 * Who decides by a name must not be deceived by another that begins with it: none is cut, and one
 * that holds what does not belong into a name is left out. */
#include "cert.h"

#include "mailbox/memory.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

struct cert {
    BIO *bytes;
    bsk_stream_peer_out out;
};

/* Where the next byte comes to stand. */
static size_t place(BIO *to)
{
    return BIO_pending(to);
}

static void end_text(BIO *to)
{
    BIO_write(to, "", 1);
}

static bool is_plain(const unsigned char *text, int n)
{
    for (int i = 0; i < n; i++)
        if (text[i] < ' ' || text[i] > '~') return false;
    return n > 0;
}

/* The most specific one stands last. */
static void put_common_name(BIO *to, const X509_NAME *subject)
{
    unsigned char *text;
    int at = -1, next;
    while ((next = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >= 0) at = next;
    const X509_NAME_ENTRY *e = at < 0 ? NULL : X509_NAME_get_entry(subject, at);
    int n = e ? ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(e)) : -1;
    if (n >= 0) {
        if (!memchr(text, '\0', (size_t)n)) BIO_write(to, text, n);
        OPENSSL_free(text);
    }
    end_text(to);
}

static void put_plain(BIO *to, const char *kind, const ASN1_STRING *s)
{
    const unsigned char *text = ASN1_STRING_get0_data(s);
    int n = ASN1_STRING_length(s);
    if (!is_plain(text, n)) return;
    BIO_printf(to, "%s:%.*s", kind, n, (const char *)text);
    end_text(to);
}

static void put_address(BIO *to, const ASN1_STRING *s)
{
    char text[INET6_ADDRSTRLEN];
    int n = ASN1_STRING_length(s), family = n == 4 ? AF_INET : AF_INET6;
    if (n != 4 && n != 16) return;
    inet_ntop(family, ASN1_STRING_get0_data(s), text, sizeof text);
    BIO_printf(to, "IP:%s", text);
    end_text(to);
}

static void put_name(BIO *to, const GENERAL_NAME *g)
{
    switch (g->type) {
    case GEN_DNS: put_plain(to, "DNS", g->d.dNSName); break;
    case GEN_URI: put_plain(to, "URI", g->d.uniformResourceIdentifier); break;
    case GEN_EMAIL: put_plain(to, "email", g->d.rfc822Name); break;
    case GEN_IPADD: put_address(to, g->d.iPAddress); break;
    default: break;
    }
}

static void put_names(BIO *to, const X509 *x)
{
    GENERAL_NAMES *all = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(all); i++) put_name(to, sk_GENERAL_NAME_value(all, i));
    GENERAL_NAMES_free(all);
    end_text(to);
}

static size_t put_whole_name(BIO *to, const X509_NAME *name)
{
    size_t at = place(to);
    X509_NAME_print_ex(to, name, 0, XN_FLAG_RFC2253);
    end_text(to);
    return at;
}

static int64_t seconds(const ASN1_TIME *t)
{
    struct tm tm;
    return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static void put_fingerprint(char *to, const X509 *x)
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned int n = 0;
    X509_digest(x, EVP_sha256(), sum, &n);
    for (unsigned int i = 0; i < n; i++) snprintf(to + (size_t)2 * i, 3, "%02x", sum[i]);
}

static void read_all(struct cert *c, X509 *x)
{
    bsk_stream_peer_out *out = &c->out;
    char *base;
    put_common_name(c->bytes, X509_get_subject_name(x));
    size_t subject = put_whole_name(c->bytes, X509_get_subject_name(x));
    size_t issuer = put_whole_name(c->bytes, X509_get_issuer_name(x));
    size_t names = place(c->bytes);
    put_names(c->bytes, x);
    size_t der = place(c->bytes);
    i2d_X509_bio(c->bytes, x);
    put_fingerprint(out->sha256, x);
    out->from = seconds(X509_get0_notBefore(x));
    out->until = seconds(X509_get0_notAfter(x));
    size_t all = (size_t)BIO_get_mem_data(c->bytes, &base);
    out->name = base;
    out->subject = base + subject;
    out->issuer = base + issuer;
    out->names = base + names;
    out->der = (bsk_bytes){base + der, all - der};
}

/* What else OpenSSL did not like is left out. */
static bool wanted_memory(void)
{
    unsigned long e;
    bool any = false;
    while ((e = ERR_get_error()))
        if (ERR_GET_REASON(e) == ERR_R_MALLOC_FAILURE) any = true;
    return any;
}

struct cert *cert_new(X509 *x)
{
    struct cert *c = mem_zalloc(sizeof *c);
    if (!c) return NULL;
    ERR_clear_error();
    c->bytes = BIO_new(BIO_s_mem());
    if (c->bytes) read_all(c, x);
    if (!wanted_memory() && c->bytes) return c;
    cert_free(c);
    return NULL;
}

void cert_free(struct cert *c)
{
    if (!c) return;
    BIO_free(c->bytes);
    mem_free(c);
}

const bsk_stream_peer_out *cert_says(const struct cert *c)
{
    return &c->out;
}
