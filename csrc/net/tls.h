/* SPDX-License-Identifier: MIT */
/*
** tls.h: one end of a TLS connection, without I/O: bytes of the wire on one
** side, the bytes that they protect on the other (OpenSSL over a BIO of our
** buffers). Two engines can be joined in memory.
**
**   wire:  space/fed (or feed), eof -> [engine] -> peek/sent
**   plain: handshake, then read and write, at last shutdown
**
** Plain bytes come only through TLS: after close_notify or a failure there is
** nothing more to read.
*/
#ifndef SMTP_NET_TLS_H
#define SMTP_NET_TLS_H

#include "tls_context.h"

#include "../core/smtp.h"
#include <sys/types.h>

typedef struct smtp_tls smtp_tls;

/*
** A new engine; its role is that of the context. A client's name goes out as
** SNI and must be in the certificate: a host name (A-labels) or an address,
** which is no SNI; empty: neither. session is a result of smtp_tls_session of
** an earlier connection, or empty. NULL: no memory, or an impossible name.
*/
SMTP_FUNC smtp_tls *smtp_tls_new(SSL_CTX *ctx, smtp_slice name,
                                 smtp_slice session);
/* A server that pauses at the name that the client wants. */
SMTP_FUNC void smtp_tls_ask_name(smtp_tls *t);
SMTP_FUNC void smtp_tls_free(smtp_tls *t);

/* Bytes from the peer; 0, SMTP_ENOMEM, SMTP_ETOOBIG. */
SMTP_FUNC int smtp_tls_feed(smtp_tls *t, const char *p, size_t n);
SMTP_FUNC int smtp_tls_space(smtp_tls *t, char **place, size_t *room);
SMTP_FUNC void smtp_tls_fed(smtp_tls *t, size_t n);
SMTP_FUNC void smtp_tls_eof(smtp_tls *t);

/* Bytes for the peer, and how many of them were written. */
SMTP_FUNC smtp_slice smtp_tls_peek(const smtp_tls *t);
SMTP_FUNC void smtp_tls_sent(smtp_tls *t, size_t n);

enum smtp_tls_result {
  SMTP_TLS_MORE, /* write what peek has; then bytes of the peer are needed */
  SMTP_TLS_DONE,
  SMTP_TLS_NAME /* smtp_tls_wanted is the name; call smtp_tls_choose */
};

/* Goes on with the handshake; SMTP_ETLS: it failed, smtp_tls_error has the
** reason, and the bytes of peek (an alert) should still be written. */
SMTP_FUNC int smtp_tls_handshake(smtp_tls *t);

/* The name in the client's SNI; empty if there was none. */
SMTP_FUNC smtp_slice smtp_tls_wanted(const smtp_tls *t);

/* The context for that name; NULL: the one it has. With refuse the handshake
** ends in the alert unrecognized_name. */
SMTP_FUNC void smtp_tls_choose(smtp_tls *t, SSL_CTX *ctx, bool refuse);

/*
** Up to n bytes: how many; SMTP_EBUSY: more of the wire is needed;
** SMTP_ECLOSED: the peer said close_notify; SMTP_ETLS: the stream was cut off
** or is broken. The last two stick.
*/
SMTP_FUNC ssize_t smtp_tls_read(smtp_tls *t, char *p, size_t n);

/* How many of n bytes were taken, 0: write the bytes of peek first;
** SMTP_ETLS. */
SMTP_FUNC ssize_t smtp_tls_write(smtp_tls *t, const char *p, size_t n);

/* Sends close_notify, once. In a process that did not make t it sends nothing,
** and drops the bytes of peek, since only the maker may send them. */
SMTP_FUNC void smtp_tls_shutdown(smtp_tls *t);

/* A sentence about SMTP_ETLS. */
SMTP_FUNC const char *smtp_tls_error(const smtp_tls *t);

/* After SMTP_ETLS: the cause if the peer only ended the stream; NULL for a
** failure of TLS. Static. */
SMTP_FUNC const char *smtp_tls_end(const smtp_tls *t);

/* After SMTP_ETLS: whether the peer sent an alert, which is a refusal. */
SMTP_FUNC bool smtp_tls_is_alert(const smtp_tls *t);

/* The first bytes of the peer were not TLS but clear text. */
SMTP_FUNC bool smtp_tls_is_clear(const smtp_tls *t);

/* The reason not to trust the peer's certificate; NULL: it is trusted, or there
** is none. Static. */
SMTP_FUNC const char *smtp_tls_distrust(const smtp_tls *t);

/* That reason as a word, for advice: "name" (it is for another host), "date"
** (not yet valid, or expired), "dane" (no TLSA record matches), "certificate"
** (others); NULL. Static. */
SMTP_FUNC const char *smtp_tls_distrust_word(const smtp_tls *t);

SMTP_FUNC SSL *smtp_tls_ssl(const smtp_tls *t);

/* Channel bindings (RFC 9266; RFC 5929 section 4): the bytes written, 0 if
** there is none of the kind. Both parts fit into SMTP_TLS_BINDING. */
#define SMTP_TLS_BINDING 64
SMTP_FUNC size_t smtp_tls_exporter(const smtp_tls *t,
                                   unsigned char out[SMTP_TLS_BINDING]);
SMTP_FUNC size_t smtp_tls_endpoint(const smtp_tls *t,
                                   unsigned char out[SMTP_TLS_BINDING]);

/* The session, to be resumed by a later connection: bytes that OPENSSL_free
** frees, or NULL and 0. TLS 1.3 has one only after the first read. */
SMTP_FUNC unsigned char *smtp_tls_session(const smtp_tls *t, size_t *n);

#endif
