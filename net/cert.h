/* SPDX-License-Identifier: MIT */
/* cert.h - what a certificate says, as text. */
#ifndef BSK_CERT_H
#define BSK_CERT_H

#include "net.h"

#include <openssl/x509.h>

struct cert;

/* Reads the certificate; NULL for want of memory. */
struct cert *cert_new(X509 *x);
void cert_free(struct cert *c);
/* All but `verified`; it points into the cert. */
const bsk_stream_peer_out *cert_says(const struct cert *c);

#endif
