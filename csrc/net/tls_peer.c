/* SPDX-License-Identifier: MIT */
/* tls_peer.c: see tls_peer.h for what this promises. */
#include "feature.h"

#include "tls_peer.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

/* OpenSSL does not store a refused certificate as the peer's, but keeps its
** chain. */
X509 *smtp_tls_peer_certificate(const smtp_tls *t) {
  SSL *ssl = smtp_tls_ssl(t);
  X509 *x509;
  ERR_clear_error();
  x509 = SSL_get0_peer_certificate(ssl);
  if (x509 == NULL && !SSL_is_server(ssl))
    x509 = sk_X509_value(SSL_get0_verified_chain(ssl), 0);
  return x509;
}

void smtp_tls_peer_init(smtp_tls_peer *peer, const smtp_tls *t) {
  peer->x509 = smtp_tls_peer_certificate(t);
  peer->names =
      peer->x509 == NULL
          ? NULL
          : X509_get_ext_d2i(peer->x509, NID_subject_alt_name, NULL, NULL);
  ERR_clear_error();
}

void smtp_tls_peer_clear(smtp_tls_peer *peer) {
  GENERAL_NAMES_free(peer->names);
  peer->names = NULL;
}

static int put_name(const X509_NAME *name, smtp_buf *out) {
  BIO *bio = BIO_new(BIO_s_mem());
  char *p = NULL;
  long n;
  int r = SMTP_ENOMEM;
  if (bio != NULL && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) >= 0) {
    n = BIO_get_mem_data(bio, &p);
    r = n > 0 ? smtp_buf_append(out, p, (size_t)n) : 0;
  }
  BIO_free(bio);
  ERR_clear_error();
  return r;
}

int smtp_tls_peer_subject(const smtp_tls_peer *peer, smtp_buf *out) {
  return put_name(X509_get_subject_name(peer->x509), out);
}

int smtp_tls_peer_issuer(const smtp_tls_peer *peer, smtp_buf *out) {
  return put_name(X509_get_issuer_name(peer->x509), out);
}

bool smtp_tls_peer_fingerprint(const smtp_tls_peer *peer,
                               unsigned char out[32]) {
  unsigned n = 0;
  int r = X509_digest(peer->x509, EVP_sha256(), out, &n);
  ERR_clear_error();
  return r == 1 && n == 32;
}

long long smtp_tls_peer_left(const smtp_tls_peer *peer) {
  int days = 0, seconds = 0;
  ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(peer->x509));
  ERR_clear_error();
  return (long long)days * 86400 + seconds;
}

static int put_string(const ASN1_STRING *s, smtp_buf *out) {
  const unsigned char *p = ASN1_STRING_get0_data(s);
  int n = ASN1_STRING_length(s);
  return n > 0 ? smtp_buf_append(out, (const char *)p, (size_t)n) : 0;
}

static int put_address(const ASN1_STRING *s, smtp_buf *out) {
  char text[INET6_ADDRSTRLEN];
  int n = ASN1_STRING_length(s);
  int family = n == 4 ? AF_INET : AF_INET6;
  if ((n != 4 && n != 16) ||
      inet_ntop(family, ASN1_STRING_get0_data(s), text, sizeof text) == NULL)
    return 0;
  return smtp_buf_append(out, text, strnlen(text, sizeof text));
}

int smtp_tls_peer_name(const smtp_tls_peer *peer, int i,
                       smtp_tls_name_type *type, smtp_buf *out) {
  const GENERAL_NAME *one;
  int r = 0;
  if (i >= sk_GENERAL_NAME_num(peer->names)) return SMTP_ESTATE;
  one = sk_GENERAL_NAME_value(peer->names, i);
  switch (one->type) {
  case GEN_DNS:
    *type = SMTP_TLS_NAME_DNS;
    r = put_string(one->d.dNSName, out);
    break;
  case GEN_EMAIL:
    *type = SMTP_TLS_NAME_EMAIL;
    r = put_string(one->d.rfc822Name, out);
    break;
  case GEN_IPADD:
    *type = SMTP_TLS_NAME_ADDRESS;
    r = put_address(one->d.iPAddress, out);
    break;
  default: return 0;
  }
  return r < 0 ? r : 1;
}
