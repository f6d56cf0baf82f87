/* SPDX-License-Identifier: MIT */
/*
** tls_dane.h: a client that knows its server by TLSA records of the DNS (RFC
** 6698, RFC 7672) in place of authorities: OpenSSL's own DANE. Before the
** handshake: begin, then every record and name.
*/
#ifndef SMTP_NET_TLS_DANE_H
#define SMTP_NET_TLS_DANE_H

#include "tls.h"

/*
** The certificate must be for the name of smtp_tls_new, which is the TLSA base
** domain, unless a record of usage 3 says all. 0; SMTP_ETLS if it cannot be.
*/
SMTP_FUNC int smtp_tls_dane_begin(smtp_tls *t);

/* Adds a name that the certificate may have. 0, SMTP_EINVALID or SMTP_ETLS. */
SMTP_FUNC int smtp_tls_dane_name(smtp_tls *t, smtp_slice name);

/*
** Adds a record. 1: it is used, and then only records decide; 0: it is not
** usable (usages 0 and 1 by RFC 7672 section 3.1, or malformed data);
** SMTP_ENOMEM.
*/
SMTP_FUNC int smtp_tls_dane_add(smtp_tls *t, unsigned usage, unsigned selector,
                                unsigned matching, smtp_slice data);

/* Whether a record has matched. */
SMTP_FUNC bool smtp_tls_is_dane(const smtp_tls *t);

#endif
