/* SPDX-License-Identifier: MIT */
/*
** certificate.c: RFC 5280 section 4 by OpenSSL's constructors, not by its
** configuration language, which can hold no NUL and would let a comma in a
** name add another one.
*/
#include "feature.h"

#include "certificate.h"

#include "../core/ascii.h"
#include "address.h"

#include <limits.h>
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>

#define COMMON_NAME_MAX 64 /* ub-common-name */
#define KEY_ID_SIZE 20
#define SERIAL_BITS 127 /* with the sign at most 16 octets */

/* Bits of keyUsage. */
#define DIGITAL_SIGNATURE 0
#define KEY_CERT_SIGN 5
#define CRL_SIGN 6

/* Objects of one call; all are freed at the end. */
typedef struct work {
  const smtp_certificate_request *request;
  const char *why;
  X509 *certificate;
  EVP_PKEY *key;
  X509 *issuer; /* NULL: signed by itself */
  EVP_PKEY *issuer_key;
} work;

void smtp_certificate_request_init(smtp_certificate_request *r) {
  memset(r, 0, sizeof *r);
  r->not_before = -SMTP_CERTIFICATE_DAY;
  r->not_after = 30 * SMTP_CERTIFICATE_DAY;
}

static int refuse(work *w, const char *why) {
  w->why = why;
  return SMTP_EINVALID;
}

/* The result of an OpenSSL call; a failure is in its error queue. */
static int checked(bool well) {
  return well ? 0 : SMTP_ECRYPTO;
}

/* ---- the issuer ---- */

/* Instead of asking at the terminal. */
static int nopassword(char *to, int size, int writing, void *data) {
  (void)to;
  (void)size;
  (void)writing;
  (void)data;
  return -1;
}

static int readissuer(work *w) {
  smtp_slice certificate = w->request->issuer, key = w->request->issuer_key;
  BIO *from = NULL;
  if (!certificate.p && !key.p) return 0;
  if (!certificate.p || !key.p)
    return refuse(w, "an issuer is a certificate and its key");
  if (certificate.n > INT_MAX || key.n > INT_MAX)
    return refuse(w, "the issuer is too long");
  if (!(from = BIO_new_mem_buf(certificate.p, (int)certificate.n)))
    return SMTP_ECRYPTO;
  w->issuer = PEM_read_bio_X509(from, NULL, nopassword, NULL);
  BIO_free(from);
  if (!w->issuer) return refuse(w, "the issuer is no certificate in PEM");
  if (!(from = BIO_new_mem_buf(key.p, (int)key.n))) return SMTP_ECRYPTO;
  w->issuer_key = PEM_read_bio_PrivateKey(from, NULL, nopassword, NULL);
  BIO_free(from);
  if (!w->issuer_key) return refuse(w, "the issuer's key is no key in PEM");
  if (X509_check_private_key(w->issuer, w->issuer_key) != 1)
    return refuse(w, "the issuer's key is not that of its certificate");
  return 0;
}

/* ---- the fields ---- */

static int setserial(work *w) {
  BIGNUM *serial = BN_new();
  bool well =
      serial &&
      BN_rand(serial, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
      BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(w->certificate));
  BN_free(serial);
  return checked(well);
}

static bool settime(ASN1_TIME *time, int64_t seconds) {
  return X509_time_adj_ex(time, (int)(seconds / SMTP_CERTIFICATE_DAY),
                          (long)(seconds % SMTP_CERTIFICATE_DAY), NULL) != NULL;
}

static int settimes(work *w) {
  int64_t from = w->request->not_before, to = w->request->not_after;
  if (from < -SMTP_CERTIFICATE_TIME_MAX || to > SMTP_CERTIFICATE_TIME_MAX)
    return refuse(w, "a time is more than a hundred years away");
  if (from > to) return refuse(w, "not_after is before not_before");
  return checked(settime(X509_getm_notBefore(w->certificate), from) &&
                 settime(X509_getm_notAfter(w->certificate), to));
}

static size_t characters(smtp_slice text) {
  size_t count = 0;
  for (size_t i = 0; i < text.n; i++)
    if (((unsigned char)text.p[i] & 0xc0) != 0x80) count++;
  return count;
}

static int setnames(work *w) {
  smtp_slice name = w->request->common_name;
  X509_NAME *subject = X509_get_subject_name(w->certificate);
  if (name.p) {
    if (name.n == 0 || !smtp_utf8_valid(name) ||
        characters(name) > COMMON_NAME_MAX)
      return refuse(w, "a common name is 1 to 64 characters of UTF-8");
    if (X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8,
                                   (const unsigned char *)name.p, (int)name.n,
                                   -1, 0) != 1)
      return SMTP_ECRYPTO;
  }
  if (w->issuer) subject = X509_get_subject_name(w->issuer);
  return checked(X509_set_issuer_name(w->certificate, subject) == 1);
}

static int makekey(work *w) {
  w->key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
  return checked(w->key && X509_set_pubkey(w->certificate, w->key) == 1);
}

/* ---- the extensions ---- */

static bool extend(X509 *x, int nid, void *value, bool critical) {
  return X509_add1_ext_i2d(x, nid, value, critical, X509V3_ADD_DEFAULT) == 1;
}

static int addconstraints(work *w) {
  BASIC_CONSTRAINTS *constraints = BASIC_CONSTRAINTS_new();
  bool well = false;
  if (constraints) {
    constraints->ca = w->request->ca ? 0xff : 0; /* DER's TRUE */
    well = extend(w->certificate, NID_basic_constraints, constraints, true);
  }
  BASIC_CONSTRAINTS_free(constraints);
  return checked(well);
}

static int addusage(work *w) {
  ASN1_BIT_STRING *usage = ASN1_BIT_STRING_new();
  bool well;
  if (w->request->ca)
    well = usage && ASN1_BIT_STRING_set_bit(usage, KEY_CERT_SIGN, 1) == 1 &&
           ASN1_BIT_STRING_set_bit(usage, CRL_SIGN, 1) == 1;
  else
    well = usage && ASN1_BIT_STRING_set_bit(usage, DIGITAL_SIGNATURE, 1) == 1;
  well = well && extend(w->certificate, NID_key_usage, usage, true);
  ASN1_BIT_STRING_free(usage);
  return checked(well);
}

/* These objects are OpenSSL's own: freeing them with the list does nothing. */
static bool pushpurpose(EXTENDED_KEY_USAGE *list, int nid) {
  ASN1_OBJECT *purpose = OBJ_nid2obj(nid);
  return purpose && sk_ASN1_OBJECT_push(list, purpose) > 0;
}

static int addpurpose(work *w) {
  unsigned purpose = w->request->purpose;
  EXTENDED_KEY_USAGE *list;
  bool well;
  if (!purpose && w->request->ca)
    return 0; /* it would limit its certificates */
  if (!purpose) purpose = SMTP_CERTIFICATE_SERVER | SMTP_CERTIFICATE_CLIENT;
  list = sk_ASN1_OBJECT_new_null();
  well = list != NULL;
  if (purpose & SMTP_CERTIFICATE_SERVER)
    well = well && pushpurpose(list, NID_server_auth);
  if (purpose & SMTP_CERTIFICATE_CLIENT)
    well = well && pushpurpose(list, NID_client_auth);
  well = well && extend(w->certificate, NID_ext_key_usage, list, false);
  sk_ASN1_OBJECT_pop_free(list, ASN1_OBJECT_free);
  return checked(well);
}

/*
** The key's identifiers: RFC 7093 section 2, method 1. An issuer that has none
** of its own gives none.
*/
static int addkeyids(work *w) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned n = 0;
  const ASN1_OCTET_STRING *issuer = NULL;
  ASN1_OCTET_STRING *own = ASN1_OCTET_STRING_new();
  AUTHORITY_KEYID *authority = AUTHORITY_KEYID_new();
  bool well =
      own && authority &&
      X509_pubkey_digest(w->certificate, EVP_sha256(), digest, &n) == 1 &&
      n >= KEY_ID_SIZE &&
      ASN1_OCTET_STRING_set(own, digest, KEY_ID_SIZE) == 1 &&
      extend(w->certificate, NID_subject_key_identifier, own, false);
  if (well) issuer = w->issuer ? X509_get0_subject_key_id(w->issuer) : own;
  if (issuer) {
    authority->keyid = ASN1_OCTET_STRING_dup(issuer);
    well =
        authority->keyid &&
        extend(w->certificate, NID_authority_key_identifier, authority, false);
  }
  AUTHORITY_KEYID_free(authority);
  ASN1_OCTET_STRING_free(own);
  return checked(well);
}

/* ---- the names it is for ---- */

/* Adds bytes as they are, as a name of a kind (GEN_...) and an ASN.1 type. */
static int pushname(GENERAL_NAMES *list, int kind, int type, const void *p,
                    size_t n) {
  GENERAL_NAME *name = GENERAL_NAME_new();
  ASN1_STRING *value = ASN1_STRING_type_new(type);
  if (name && value && ASN1_STRING_set(value, p, (int)n) == 1) {
    GENERAL_NAME_set0_value(name, kind, value);
    value = NULL; /* the name's */
    if (sk_GENERAL_NAME_push(list, name) > 0) return 0;
  }
  ASN1_STRING_free(value);
  GENERAL_NAME_free(name);
  return SMTP_ECRYPTO;
}

static int pushtexts(work *w, GENERAL_NAMES *list, int kind,
                     const smtp_slice *texts, size_t n) {
  int result = 0;
  for (size_t i = 0; result == 0 && i < n; i++) {
    if (texts[i].n > INT_MAX / 2) return refuse(w, "a name is too long");
    result = pushname(list, kind, V_ASN1_IA5STRING, texts[i].p, texts[i].n);
  }
  return result;
}

static int pushaddress(work *w, GENERAL_NAMES *list, smtp_slice text) {
  smtp_address a;
  if (memchr(text.p, '%', text.n) || smtp_address_parse(&a, text, 0) != 0)
    return refuse(w, "an address is not one of IPv4 or IPv6");
  if (a.u.any.sa_family == AF_INET)
    return pushname(list, GEN_IPADD, V_ASN1_OCTET_STRING, &a.u.in.sin_addr,
                    sizeof a.u.in.sin_addr);
  return pushname(list, GEN_IPADD, V_ASN1_OCTET_STRING, &a.u.in6.sin6_addr,
                  sizeof a.u.in6.sin6_addr);
}

static int addnames(work *w) {
  const smtp_certificate_request *r = w->request;
  GENERAL_NAMES *list = sk_GENERAL_NAME_new_null();
  int result = checked(list != NULL);
  if (result == 0) result = pushtexts(w, list, GEN_DNS, r->names, r->names_n);
  for (size_t i = 0; result == 0 && i < r->addresses_n; i++)
    result = pushaddress(w, list, r->addresses[i]);
  if (result == 0)
    result = pushtexts(w, list, GEN_EMAIL, r->emails, r->emails_n);
  /* section 4.2.1.6: critical where there is no subject */
  if (result == 0 && sk_GENERAL_NAME_num(list) > 0)
    result = checked(extend(w->certificate, NID_subject_alt_name, list,
                            r->common_name.p == NULL));
  sk_GENERAL_NAME_pop_free(list, GENERAL_NAME_free);
  return result;
}

/* ---- the whole ---- */

static int sign(work *w) {
  EVP_PKEY *key = w->issuer ? w->issuer_key : w->key;
  return checked(X509_sign(w->certificate, key, EVP_sha256()) > 0);
}

static int append(smtp_buf *to, BIO *from) {
  char *p = NULL;
  long n = BIO_get_mem_data(from, &p);
  return smtp_buf_append(to, p, (size_t)n);
}

static int writeboth(work *w, smtp_buf *certificate, smtp_buf *key) {
  size_t before = smtp_buf_length(certificate);
  BIO *first = BIO_new(BIO_s_mem()), *second = BIO_new(BIO_s_mem());
  int result = checked(first && second &&
                       PEM_write_bio_X509(first, w->certificate) == 1 &&
                       PEM_write_bio_PKCS8PrivateKey(second, w->key, NULL, NULL,
                                                     0, NULL, NULL) == 1);
  if (result == 0) result = append(certificate, first);
  if (result == 0) {
    result = append(key, second);
    if (result != 0) smtp_buf_truncate(certificate, before);
  }
  BIO_free(first);
  BIO_free(second);
  return result;
}

static const char *sentence(int result) {
  const char *reason = NULL;
  if (result == SMTP_ENOMEM) return "not enough memory";
  if (result == SMTP_ETOOBIG) return "the certificate is too long";
  if (result == SMTP_ECRYPTO)
    reason = ERR_reason_error_string(ERR_peek_error());
  return reason ? reason : "OpenSSL failed";
}

int smtp_certificate_make(const smtp_certificate_request *r,
                          smtp_buf *certificate, smtp_buf *key,
                          const char **why) {
  static int (*const steps[])(work *) = {
      readissuer, setserial,  settimes,  setnames, makekey, addconstraints,
      addusage,   addpurpose, addkeyids, addnames, sign};
  work w = {r, NULL, NULL, NULL, NULL, NULL};
  int result;
  /* its clean-up at exit would meet threads that still use it */
  OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
  ERR_clear_error();
  w.certificate = X509_new();
  result = checked(w.certificate &&
                   X509_set_version(w.certificate, X509_VERSION_3) == 1);
  for (size_t i = 0; result == 0 && i < sizeof steps / sizeof *steps; i++)
    result = steps[i](&w);
  if (result == 0) result = writeboth(&w, certificate, key);
  if (result != 0) *why = w.why ? w.why : sentence(result);
  X509_free(w.certificate);
  EVP_PKEY_free(w.key);
  X509_free(w.issuer);
  EVP_PKEY_free(w.issuer_key);
  ERR_clear_error(); /* leaves no errors of ours to others */
  return result;
}
