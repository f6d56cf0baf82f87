/* SPDX-License-Identifier: MIT */
/*
** certificate.h: X.509 certificates made on the spot, for tests and for a test
** server: a fresh key on P-256, signed by itself or by an issuer that was made
** before. It also makes certificates that a client must refuse: expired ones,
** ones for nobody, names with NUL inside (RFC 5280; RFC 6125 for the names).
*/
#ifndef SMTP_NET_CERTIFICATE_H
#define SMTP_NET_CERTIFICATE_H

#include "../core/buf.h"
#include "../core/smtp.h"

#include <stdbool.h>

/* The purposes of an end entity, as bits. */
#define SMTP_CERTIFICATE_SERVER 1u
#define SMTP_CERTIFICATE_CLIENT 2u

#define SMTP_CERTIFICATE_DAY 86400
/* Times lie within this many seconds of now: a hundred years. */
#define SMTP_CERTIFICATE_TIME_MAX ((int64_t)36525 * SMTP_CERTIFICATE_DAY)

/* All slices and lists are borrowed for the time of the call. */
typedef struct smtp_certificate_request {
  smtp_slice common_name;      /* UTF-8, 64 characters; p is NULL: no subject */
  const smtp_slice *names;     /* dNSName: any bytes, written as they are */
  const smtp_slice *addresses; /* iPAddress, from the text of IPv4 or IPv6 */
  const smtp_slice *emails;    /* rfc822Name: any bytes */
  size_t names_n;
  size_t addresses_n;
  size_t emails_n;
  bool ca;               /* it may issue, and is for nothing else */
  unsigned purpose;      /* 0: both, and in a CA no limit to what it issues */
  smtp_slice issuer;     /* PEM, its first certificate; p NULL: self-signed */
  smtp_slice issuer_key; /* PEM, not encrypted */
  int64_t not_before;    /* seconds from now, negative for the past */
  int64_t not_after;
} smtp_certificate_request;

/* Sets only the times: valid since yesterday and for 30 days. */
SMTP_FUNC void smtp_certificate_request_init(smtp_certificate_request *r);

/*
** Appends the certificate and its private key (PKCS#8), both in PEM. On
** failure *why is a static sentence: SMTP_EINVALID for the request (an issuer
** need not be a CA, so that such a chain can be tested), SMTP_ECRYPTO for
** OpenSSL, or an error of smtp_buf_append. The buffers are then unchanged.
*/
SMTP_FUNC int smtp_certificate_make(const smtp_certificate_request *r,
                                    smtp_buf *certificate, smtp_buf *key,
                                    const char **why);

#endif
