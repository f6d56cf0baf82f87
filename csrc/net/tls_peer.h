/* SPDX-License-Identifier: MIT */
/*
** tls_peer.h: the certificate of the peer, as facts for people and policies.
** The maker of the certificate chose every byte of it.
*/
#ifndef SMTP_NET_TLS_PEER_H
#define SMTP_NET_TLS_PEER_H

#include "../core/buf.h"
#include "tls.h"

#include <openssl/x509v3.h>

/* One entry of subjectAltName. */
typedef enum smtp_tls_name_type {
  SMTP_TLS_NAME_DNS,
  SMTP_TLS_NAME_ADDRESS, /* of IP, as text */
  SMTP_TLS_NAME_EMAIL
} smtp_tls_name_type;

typedef struct smtp_tls_peer {
  X509 *x509; /* borrowed of the engine; NULL: it showed none */
  GENERAL_NAMES *names;
} smtp_tls_peer;

/* The certificate of the peer, also a refused one; NULL if there is none.
** Borrowed from the engine. */
SMTP_FUNC X509 *smtp_tls_peer_certificate(const smtp_tls *t);

/* Looks at the certificate; clear frees what that took. */
SMTP_FUNC void smtp_tls_peer_init(smtp_tls_peer *peer, const smtp_tls *t);
SMTP_FUNC void smtp_tls_peer_clear(smtp_tls_peer *peer);

/* Names as RFC 2253 writes them. 0, SMTP_ENOMEM, SMTP_ETOOBIG. */
SMTP_FUNC int smtp_tls_peer_subject(const smtp_tls_peer *peer, smtp_buf *out);
SMTP_FUNC int smtp_tls_peer_issuer(const smtp_tls_peer *peer, smtp_buf *out);

/* SHA-256 of it, 32 bytes; false: it cannot be made. */
SMTP_FUNC bool smtp_tls_peer_fingerprint(const smtp_tls_peer *peer,
                                         unsigned char out[32]);

/* Seconds from now until it expires; negative: it has. */
SMTP_FUNC long long smtp_tls_peer_left(const smtp_tls_peer *peer);

/*
** Appends entry i of subjectAltName: 1 and its type; 0 for another kind, to be
** skipped; SMTP_ESTATE if there is no entry i; failures as above.
*/
SMTP_FUNC int smtp_tls_peer_name(const smtp_tls_peer *peer, int i,
                                 smtp_tls_name_type *type, smtp_buf *out);

#endif
