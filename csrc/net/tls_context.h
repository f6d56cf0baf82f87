/* SPDX-License-Identifier: MIT */
/*
** tls_context.h: the common part of many TLS connections: certificate and key,
** trusted authorities, and the rules: TLS 1.2 or later, forward secrecy and
** authenticated encryption on a server, no renegotiation, no compression.
**
** PEM is a path or the PEM text itself.
*/
#ifndef SMTP_NET_TLS_CONTEXT_H
#define SMTP_NET_TLS_CONTEXT_H

#include "../core/smtp.h"

#include <openssl/ssl.h>
#include <stdbool.h>

/* A server's wish for a certificate of the client. */
typedef enum smtp_tls_client_certificate {
  SMTP_TLS_UNASKED,
  SMTP_TLS_OPTIONAL, /* one that cannot be verified is told, not refused */
  SMTP_TLS_REQUIRED
} smtp_tls_client_certificate;

typedef struct smtp_tls_config {
  bool server;
  smtp_slice cert; /* PEM, the chain behind it; required for a server */
  smtp_slice key;  /* PEM; empty: it is in cert */
  smtp_slice ca;   /* PEM, or a folder of hashed names; empty: the system's, and
                      for a server that asks for certificates: none */
  bool verify;     /* client: a chain or name that does not fit ends it */
  smtp_tls_client_certificate client;
  bool tls13; /* nothing older than TLS 1.3 */
} smtp_tls_config;

/* Room for a sentence about a failure, with OpenSSL's reason. */
#define SMTP_TLS_TEXT 512

/*
** A new context, or NULL and a sentence in why. Files are read here and not
** later. Free it by SSL_CTX_free; engines keep it for themselves.
*/
SMTP_FUNC SSL_CTX *smtp_tls_context_new(const smtp_tls_config *config,
                                        char why[SMTP_TLS_TEXT]);

/* Call it before the other functions: it switches off OpenSSL's clean-up at
** exit, since connections and threads may still be at work then. */
SMTP_FUNC void smtp_tls_prepare(void);

/* Writes "what: reason of OpenSSL's last error" and clears its queue. */
SMTP_FUNC void smtp_tls_explain(char why[SMTP_TLS_TEXT], const char *what);

#endif
