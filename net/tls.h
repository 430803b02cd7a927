/* SPDX-License-Identifier: MIT */
/* tls.h - TLS between a stream's bytes and the actor's. All of it happens on the stream's loop. */
#ifndef BSK_TLS_H
#define BSK_TLS_H

#include "stream.h"

/* Tells whether it can be a server's: it has a certificate. */
bool tls_serves(const bsk_tls *t);
/* The stream speaks TLS, as its options say: a client's part if they name whose certificate it must
 * be. 0, BSK_ENOMEM, BSK_EINVAL, BSK_ETLS. Before it is opened. */
int tls_begin(struct stream *s, const bsk_stream_opts *o);
/* The connection is there: the client's first words leave. */
void tls_greet(struct stream *s);
/* Tells whether the two have not agreed yet: then also a stream that lingers has to read. */
bool tls_greets(const struct stream *s);
/* Bytes of the peer have come. What they say goes on to stream_input; state GREETING ends when the
 * two agree, which a dial is told; what is wrong fails the stream. */
void tls_input(struct stream *s, const char *bytes, size_t n);
/* The peer's connection ended: without a farewell that is BSK_ETLS. */
void tls_eof(struct stream *s);
/* The actor's bytes are to be sent, and are unsent: kept until the greeting is over, and the next
 * tls_output. 0 or BSK_ENOMEM. */
int tls_write(struct stream *s, const void *bytes, size_t n);
/* What is kept goes, sealed, to s->out; or fails the stream. */
void tls_output(struct stream *s);
/* Says farewell once all that was written is sealed. */
void tls_shut(struct stream *s);
/* Tells whether the peer has said a byte that is the actor's. */
bool tls_heard(const struct stream *s);
/* Why the two did not agree; static. NULL: no reason of TLS's. */
const char *tls_why(const struct stream *s);
void tls_end(struct stream *s);
void tls_info(struct stream *s, bsk_stream_info_out *out);
/* As bsk_stream_peer: 0, BSK_ENOTFOUND, BSK_ENOMEM. */
int tls_peer(struct stream *s, bsk_stream_peer_out *out);

#endif
