/* SPDX-License-Identifier: MIT */
/*
** certificate.h: X.509 certificates on P-256, made in process in less than a
** millisecond: for tests and for the mock server, whose certificates are never
** shipped. What they say may be wrong on purpose.
*/
#ifndef SMTP_NET_CERTIFICATE_H
#define SMTP_NET_CERTIFICATE_H

#include "../core/buf.h"
#include "../core/smtp.h"

#include <stdbool.h>

typedef enum smtp_certificate_purpose {
  SMTP_CERTIFICATE_BOTH,
  SMTP_CERTIFICATE_SERVER,
  SMTP_CERTIFICATE_CLIENT
} smtp_certificate_purpose;

/* A list of names; any byte may be in them, NUL too. */
typedef struct smtp_certificate_names {
  const smtp_slice *list;
  size_t n;
} smtp_certificate_names;

typedef struct smtp_certificate_request {
  smtp_slice common_name;                          /* may be empty */
  smtp_certificate_names names, addresses, emails; /* subjectAltName */
  bool ca;
  smtp_certificate_purpose purpose;
  smtp_slice issuer, issuer_key;   /* PEM; empty: it signs itself */
  long long not_before, not_after; /* seconds from now */
} smtp_certificate_request;

/*
** Appends certificate and private key, both PEM. SMTP_EINVALID: an address or
** the issuer is none; SMTP_ECRYPTO; SMTP_ENOMEM, SMTP_ETOOBIG of a buffer.
*/
SMTP_FUNC int smtp_certificate_make(const smtp_certificate_request *request,
                                    smtp_buf *certificate, smtp_buf *key);

#endif
