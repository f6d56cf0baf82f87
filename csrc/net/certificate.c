/* SPDX-License-Identifier: MIT */
/* certificate.c: see certificate.h for what this promises. */
#include "feature.h"

#include "certificate.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

/* An address as text has at most this, with its end. */
#define ADDRESS_SIZE 64

/* Whoever signs: a key and a certificate, or the new ones themselves. */
typedef struct issuer {
  X509 *x509;
  EVP_PKEY *key;
} issuer;

static void issuer_clear(issuer *i) {
  X509_free(i->x509);
  EVP_PKEY_free(i->key);
}

static BIO *reader(smtp_slice pem) {
  return BIO_new_mem_buf(pem.p, (int)pem.n);
}

static int issuer_read(issuer *i, const smtp_certificate_request *r) {
  BIO *in;
  i->x509 = NULL;
  i->key = NULL;
  if (r->issuer.n == 0) return 0;
  in = reader(r->issuer);
  if (in != NULL) i->x509 = PEM_read_bio_X509(in, NULL, NULL, NULL);
  BIO_free(in);
  in = reader(r->issuer_key);
  if (in != NULL) i->key = PEM_read_bio_PrivateKey(in, NULL, NULL, NULL);
  BIO_free(in);
  return i->x509 == NULL || i->key == NULL ? SMTP_EINVALID : 0;
}

/* ---- subjectAltName -------------------------------------------------- */

/* A name that takes over its value; both are freed if that fails. */
static int push(GENERAL_NAMES *all, int type, ASN1_STRING *value) {
  GENERAL_NAME *one = value == NULL ? NULL : GENERAL_NAME_new();
  if (one == NULL) {
    ASN1_STRING_free(value);
    return SMTP_ECRYPTO;
  }
  GENERAL_NAME_set0_value(one, type, value);
  if (sk_GENERAL_NAME_push(all, one) > 0) return 0;
  GENERAL_NAME_free(one);
  return SMTP_ECRYPTO;
}

/* The bytes as they are: ASN1_STRING_set does not stop at NUL. */
static int push_text(GENERAL_NAMES *all, int type, smtp_slice text) {
  ASN1_STRING *s = ASN1_IA5STRING_new();
  if (s != NULL && ASN1_STRING_set(s, text.p, (int)text.n) != 1) {
    ASN1_STRING_free(s);
    s = NULL;
  }
  return push(all, type, s);
}

static int push_address(GENERAL_NAMES *all, smtp_slice text) {
  char address[ADDRESS_SIZE];
  ASN1_OCTET_STRING *value;
  if (text.n >= sizeof address) return SMTP_EINVALID;
  memcpy(address, text.p, text.n);
  address[text.n] = '\0';
  value = a2i_IPADDRESS(address);
  return value == NULL ? SMTP_EINVALID : push(all, GEN_IPADD, value);
}

static int add_names(X509 *x, const smtp_certificate_request *r) {
  GENERAL_NAMES *all = GENERAL_NAMES_new();
  int e = all == NULL ? SMTP_ECRYPTO : 0;
  size_t i;
  for (i = 0; e == 0 && i < r->names.n; i++)
    e = push_text(all, GEN_DNS, r->names.list[i]);
  for (i = 0; e == 0 && i < r->emails.n; i++)
    e = push_text(all, GEN_EMAIL, r->emails.list[i]);
  for (i = 0; e == 0 && i < r->addresses.n; i++)
    e = push_address(all, r->addresses.list[i]);
  if (e == 0 && sk_GENERAL_NAME_num(all) > 0 &&
      X509_add1_ext_i2d(x, NID_subject_alt_name, all, 0, 0) != 1)
    e = SMTP_ECRYPTO;
  GENERAL_NAMES_free(all);
  return e;
}

/* ---- the other extensions -------------------------------------------- */

static int add(X509 *x, X509V3_CTX *ctx, int nid, const char *value) {
  X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, ctx, nid, value);
  int ok = e != NULL && X509_add_ext(x, e, -1) == 1;
  X509_EXTENSION_free(e);
  return ok ? 0 : SMTP_ECRYPTO;
}

static int add_extensions(X509 *x, X509 *signer,
                          const smtp_certificate_request *r) {
  static const char *const purposes[] = {"serverAuth,clientAuth", "serverAuth",
                                         "clientAuth"};
  X509V3_CTX ctx;
  int e;
  X509V3_set_ctx(&ctx, signer, x, NULL, NULL, 0);
  e = add(x, &ctx, NID_basic_constraints,
          r->ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
  if (e == 0)
    e = add(x, &ctx, NID_key_usage,
            r->ca ? "critical,keyCertSign,cRLSign"
                  : "critical,digitalSignature");
  if (e == 0 && !r->ca)
    e = add(x, &ctx, NID_ext_key_usage, purposes[r->purpose]);
  if (e == 0) e = add(x, &ctx, NID_subject_key_identifier, "hash");
  if (e == 0) e = add(x, &ctx, NID_authority_key_identifier, "keyid");
  return e == 0 ? add_names(x, r) : e;
}

/* ---- the certificate ------------------------------------------------- */

static int set_serial(X509 *x) {
  BIGNUM *n = BN_new();
  int ok = n != NULL && BN_rand(n, 127, 0, BN_RAND_BOTTOM_ANY) == 1 &&
           BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x)) != NULL;
  BN_free(n);
  return ok;
}

static int set_name(X509 *x, smtp_slice name) {
  return name.n == 0 ||
         X509_NAME_add_entry_by_txt(
             X509_get_subject_name(x), "CN", MBSTRING_UTF8,
             (const unsigned char *)name.p, (int)name.n, -1, 0) == 1;
}

static int set_time(ASN1_TIME *t, long long seconds) {
  long long days = seconds / 86400;
  return X509_time_adj_ex(t, (int)days, (long)(seconds - days * 86400), NULL) !=
         NULL;
}

static int fill(X509 *x, EVP_PKEY *key, const issuer *by,
                const smtp_certificate_request *r) {
  X509 *signer = by->x509 == NULL ? x : by->x509;
  EVP_PKEY *with = by->key == NULL ? key : by->key;
  int e;
  if (X509_set_version(x, X509_VERSION_3) != 1 || !set_serial(x) ||
      !set_time(X509_getm_notBefore(x), r->not_before) ||
      !set_time(X509_getm_notAfter(x), r->not_after) ||
      !set_name(x, r->common_name) || X509_set_pubkey(x, key) != 1 ||
      X509_set_issuer_name(x, X509_get_subject_name(signer)) != 1)
    return SMTP_ECRYPTO;
  e = add_extensions(x, signer, r);
  if (e == 0 && X509_sign(x, with, EVP_sha256()) <= 0) e = SMTP_ECRYPTO;
  return e;
}

static int append(smtp_buf *out, BIO *from) {
  char *p;
  long n = BIO_get_mem_data(from, &p);
  return n > 0 ? smtp_buf_append(out, p, (size_t)n) : SMTP_ECRYPTO;
}

static int write_out(X509 *x, EVP_PKEY *key, smtp_buf *certificate,
                     smtp_buf *key_out) {
  BIO *a = BIO_new(BIO_s_mem()), *b = BIO_new(BIO_s_mem());
  int e = SMTP_ECRYPTO;
  if (a != NULL && b != NULL && PEM_write_bio_X509(a, x) == 1 &&
      PEM_write_bio_PrivateKey(b, key, NULL, NULL, 0, NULL, NULL) == 1) {
    e = append(certificate, a);
    if (e == 0) e = append(key_out, b);
  }
  BIO_free(a);
  BIO_free(b);
  return e;
}

int smtp_certificate_make(const smtp_certificate_request *r,
                          smtp_buf *certificate, smtp_buf *key_out) {
  issuer by;
  EVP_PKEY *key = NULL;
  X509 *x = NULL;
  int e;
  ERR_clear_error();
  e = issuer_read(&by, r);
  if (e == 0) {
    key = EVP_EC_gen("P-256");
    x = X509_new();
    e = key == NULL || x == NULL ? SMTP_ECRYPTO : fill(x, key, &by, r);
  }
  if (e == 0) e = write_out(x, key, certificate, key_out);
  X509_free(x);
  EVP_PKEY_free(key);
  issuer_clear(&by);
  ERR_clear_error();
  return e;
}
