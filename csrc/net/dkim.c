/* SPDX-License-Identifier: MIT */
/*
** dkim.c: see dkim.h. Each call clears OpenSSL's queue of errors before and
** after, so that a failure here is never taken for one of TLS.
*/
#include "feature.h"

#include "dkim.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdbool.h>

#define ED25519_KEY_SIZE 32

/* The types are OpenSSL's own under names of ours. */
static EVP_MD_CTX *hash_of(smtp_dkim_hash *h) {
  return (EVP_MD_CTX *)h;
}

static EVP_PKEY *key_of(smtp_dkim_key *k) {
  return (EVP_PKEY *)k;
}

static int outcome(bool well) {
  ERR_clear_error();
  return well ? 0 : SMTP_ECRYPTO;
}

/* Its clean-up at exit would meet threads that still use it. */
static void prepare(void) {
  OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
  ERR_clear_error();
}

/* ---- a hash that streams ---- */

smtp_dkim_hash *smtp_dkim_hash_new(void) {
  EVP_MD_CTX *ctx;
  prepare();
  ctx = EVP_MD_CTX_new();
  if (ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1) {
    EVP_MD_CTX_free(ctx);
    ctx = NULL;
  }
  ERR_clear_error();
  return (smtp_dkim_hash *)ctx;
}

void smtp_dkim_hash_free(smtp_dkim_hash *h) {
  EVP_MD_CTX_free(hash_of(h));
}

int smtp_dkim_hash_feed(smtp_dkim_hash *h, smtp_slice in) {
  return outcome(EVP_DigestUpdate(hash_of(h), in.p, in.n) == 1);
}

int smtp_dkim_hash_finish(smtp_dkim_hash *h,
                          unsigned char out[SMTP_DKIM_HASH_SIZE]) {
  return outcome(EVP_DigestFinal_ex(hash_of(h), out, NULL) == 1);
}

/* ---- private keys ---- */

/* Keys have no password here: OpenSSL must not ask at a terminal. */
static int nopassword(char *to, int size, int writing, void *data) {
  (void)to;
  (void)size;
  (void)writing;
  (void)data;
  return -1;
}

/* NULL if DKIM can use the key, else the reason. */
static const char *unfit(const EVP_PKEY *key, bool ours) {
  if (EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519) return NULL;
  if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA)
    return "the key is neither of RSA nor of Ed25519";
  if (EVP_PKEY_get_bits(key) < SMTP_DKIM_RSA_MIN)
    return "the RSA key has less than 1024 bits";
  if (EVP_PKEY_get_bits(key) > SMTP_DKIM_RSA_MAX)
    return ours ? "the RSA key has more than 8192 bits, which few verify"
                : "the RSA key has more than 8192 bits";
  return NULL;
}

smtp_dkim_key *smtp_dkim_key_new(smtp_slice pem, const char **why) {
  BIO *in = NULL;
  EVP_PKEY *key = NULL;
  prepare();
  *why = "the key is no private key in PEM, or is encrypted";
  if (pem.n <= INT_MAX) in = BIO_new_mem_buf(pem.p, (int)pem.n);
  if (in != NULL) key = PEM_read_bio_PrivateKey(in, NULL, nopassword, NULL);
  BIO_free(in);
  if (key != NULL) *why = unfit(key, true);
  if (key != NULL && *why != NULL) {
    EVP_PKEY_free(key);
    key = NULL;
  }
  ERR_clear_error();
  return (smtp_dkim_key *)key;
}

void smtp_dkim_key_free(smtp_dkim_key *k) {
  EVP_PKEY_free(key_of(k));
}

smtp_dkim_algorithm smtp_dkim_key_algorithm(const smtp_dkim_key *k) {
  return EVP_PKEY_get_base_id((const EVP_PKEY *)k) == EVP_PKEY_ED25519
             ? SMTP_DKIM_ED25519_SHA256
             : SMTP_DKIM_RSA_SHA256;
}

/*
** The input of EVP_DigestSign and EVP_DigestVerify: for RSA the text, with the
** digest to make; Ed25519 makes no digest, and so gets the digest of the text.
*/
typedef struct subject {
  const EVP_MD *md;
  const unsigned char *p;
  size_t n;
  unsigned char digest[SMTP_DKIM_HASH_SIZE];
} subject;

static bool prepare_subject(subject *s, smtp_dkim_algorithm algorithm,
                            smtp_slice in) {
  s->md = EVP_sha256();
  s->p = (const unsigned char *)in.p;
  s->n = in.n;
  if (algorithm == SMTP_DKIM_RSA_SHA256) return true;
  if (EVP_Digest(in.p, in.n, s->digest, NULL, s->md, NULL) != 1) return false;
  s->md = NULL;
  s->p = s->digest;
  s->n = sizeof s->digest;
  return true;
}

int smtp_dkim_sign(smtp_dkim_key *k, smtp_slice in,
                   unsigned char out[SMTP_DKIM_SIGNATURE_MAX], size_t *n) {
  EVP_MD_CTX *ctx;
  subject s;
  bool well;
  prepare();
  *n = SMTP_DKIM_SIGNATURE_MAX;
  ctx = EVP_MD_CTX_new();
  well = ctx != NULL && prepare_subject(&s, smtp_dkim_key_algorithm(k), in) &&
         EVP_DigestSignInit(ctx, NULL, s.md, NULL, key_of(k)) == 1 &&
         EVP_DigestSign(ctx, out, n, s.p, s.n) == 1;
  EVP_MD_CTX_free(ctx);
  return outcome(well);
}

/* ---- verification ---- */

static EVP_PKEY *read_rsa(smtp_slice der) {
  const unsigned char *p = (const unsigned char *)der.p, *end = p + der.n;
  EVP_PKEY *key;
  if (der.n > LONG_MAX) return NULL;
  key = d2i_PUBKEY(NULL, &p, (long)der.n);
  if (key == NULL) {
    p = (const unsigned char *)der.p;
    key = d2i_PublicKey(EVP_PKEY_RSA, NULL, &p, (long)der.n);
  }
  if (key != NULL && (p != end || EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA)) {
    EVP_PKEY_free(key);
    key = NULL;
  }
  return key;
}

static EVP_PKEY *read_public(smtp_dkim_algorithm algorithm, smtp_slice key) {
  if (algorithm == SMTP_DKIM_RSA_SHA256) return read_rsa(key);
  if (key.n != ED25519_KEY_SIZE) return NULL;
  return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL,
                                     (const unsigned char *)key.p, key.n);
}

static bool matches(EVP_PKEY *key, smtp_dkim_algorithm algorithm,
                    smtp_slice signature, smtp_slice in) {
  EVP_MD_CTX *ctx = EVP_MD_CTX_new();
  subject s;
  bool well = ctx != NULL && prepare_subject(&s, algorithm, in) &&
              EVP_DigestVerifyInit(ctx, NULL, s.md, NULL, key) == 1 &&
              EVP_DigestVerify(ctx, (const unsigned char *)signature.p,
                               signature.n, s.p, s.n) == 1;
  EVP_MD_CTX_free(ctx);
  return well;
}

int smtp_dkim_verify(smtp_dkim_algorithm algorithm, smtp_slice key,
                     smtp_slice signature, smtp_slice in, const char **why) {
  int result = SMTP_EINVALID;
  EVP_PKEY *public;
  prepare();
  public = read_public(algorithm, key);
  *why = public != NULL ? unfit(public, false)
         : algorithm == SMTP_DKIM_RSA_SHA256
             ? "the key is no RSA key in DER"
             : "the key is not the 32 bytes of one of Ed25519";
  if (*why == NULL)
    result = matches(public, algorithm, signature, in) ? 0 : SMTP_EAUTH;
  EVP_PKEY_free(public);
  ERR_clear_error();
  return result;
}
