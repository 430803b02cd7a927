/* SPDX-License-Identifier: MIT */
/* pki.h - certificates for tests, made when a program begins, and peers that speak TLS by OpenSSL
 * itself over blocking sockets. */
#ifndef PKI_H
#define PKI_H

#include "peer.h"

#include <openssl/ssl.h>

/* Files of a directory that is made for them. Each name has a .pem, which is the chain, and a .key:
 *     ca, other_ca             authorities
 *     shop, later              of the first, by way of another; for shop.test, *.shop.test,
 *                              localhost, 127.0.0.1, ::1
 *     expired, client          of the first
 *     till                     of the first, with names of many kinds
 *     sly                      of the first, with names that hold what does not belong into them
 *     stranger                 of the other
 * Who names no authority trusts the other one: it stands for the system's. */
void pki_make(void);
void pki_remove(void);
/* The path of one of its files; good until the eighth call after. */
const char *pki(const char *file);
/* Puts a file in the place of another. */
void pki_put(const char *file, const char *as);

/* How a peer is: zero is the default of each. */
struct raw_opts {
    const char *is; /* whose certificate it shows */
    const char *ca; /* whom it trusts; default: everybody */
    const char *name, *alpn;
    int most; /* the highest version it knows */
    bool ask; /* wants the other's certificate */
};
/* A peer on that descriptor, as client or server, not greeted yet. */
SSL *raw_new(int fd, bool server, const struct raw_opts *o);
/* Greets: 1, or OpenSSL's reason. */
int raw_greet(SSL *ssl);
/* The two at once, of a client, which must succeed. */
SSL *raw_dial(int port, const struct raw_opts *o);
void raw_say(SSL *ssl, const char *text);
void raw_hear(SSL *ssl, const char *text);
/* What the next read gives instead of bytes: 0 after a farewell, or OpenSSL's reason. */
int raw_end(SSL *ssl);
/* Frees it, and closes its socket; says nothing. */
void raw_close(SSL *ssl);
/* Who the certificate of the other is of. */
const char *raw_peer_name(SSL *ssl);

#endif
