/* SPDX-License-Identifier: MIT */
/* tls_dane.c: see tls_dane.h for what this promises. */
#include "feature.h"

#include "tls_dane.h"

#include <openssl/err.h>
#include <string.h>

enum usage { DANE_TA = 2, DANE_EE = 3 };

int smtp_tls_dane_begin(smtp_tls *t) {
  SSL *ssl = smtp_tls_ssl(t);
  bool ok;
  ERR_clear_error();
  /* NULL where the name is an address, which is checked as before. */
  ok = SSL_dane_enable(ssl,
                       SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name)) == 1;
  ERR_clear_error();
  /* RFC 7672 section 3.1.1: neither names nor dates count for usage 3. */
  if (ok) SSL_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
  return ok ? 0 : SMTP_ETLS;
}

int smtp_tls_dane_name(smtp_tls *t, smtp_slice name) {
  char text[SMTP_DOMAIN_MAX + 1];
  if (name.n == 0 || name.n > SMTP_DOMAIN_MAX || memchr(name.p, 0, name.n))
    return SMTP_EINVALID;
  memcpy(text, name.p, name.n);
  text[name.n] = '\0';
  return SSL_add1_host(smtp_tls_ssl(t), text) == 1 ? 0 : SMTP_ETLS;
}

int smtp_tls_dane_add(smtp_tls *t, unsigned usage, unsigned selector,
                      unsigned matching, smtp_slice data) {
  SSL *ssl = smtp_tls_ssl(t);
  int r;
  if (usage != DANE_TA && usage != DANE_EE) return 0;
  if (selector > 255 || matching > 255 || data.n == 0) return 0;
  ERR_clear_error();
  r = SSL_dane_tlsa_add(ssl, (uint8_t)usage, (uint8_t)selector,
                        (uint8_t)matching, (const unsigned char *)data.p,
                        data.n);
  ERR_clear_error();
  if (r > 0) SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
  return r < 0 ? SMTP_ENOMEM : r;
}

bool smtp_tls_is_dane(const smtp_tls *t) {
  return SSL_get0_dane_authority(smtp_tls_ssl(t), NULL, NULL) >= 0;
}
