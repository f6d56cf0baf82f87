/* SPDX-License-Identifier: MIT */
/*
** crypto.c: see crypto.h. Each call clears OpenSSL's queue of errors before
** and, if it fails, behind it, so that a failure here is never taken for one
** of TLS. A digest that a provider does not have (MD5 under FIPS) is a failure.
*/
#include "crypto.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

static const struct {
  const char *name;
  size_t size;
} digests[] = {
    [SMTP_DIGEST_MD5] = {"MD5", 16},
    [SMTP_DIGEST_SHA1] = {"SHA1", 20},
    [SMTP_DIGEST_SHA256] = {"SHA256", 32},
};

static int outcome(int ok) {
  if (ok) return 0;
  ERR_clear_error();
  return SMTP_ECRYPTO;
}

static int digest(smtp_digest kind, smtp_slice in, unsigned char *out) {
  size_t n = 0;
  ERR_clear_error();
  return outcome(
      EVP_Q_digest(NULL, digests[kind].name, NULL, in.p, in.n, out, &n) == 1 &&
      n == digests[kind].size);
}

/* A key of no bytes must not be NULL, which would mean the key before it. */
static int hmac(smtp_digest kind, smtp_slice key, smtp_slice in,
                unsigned char *out) {
  const void *k = key.n > 0 ? key.p : "";
  const void *p = in.n > 0 ? in.p : "";
  size_t n = 0;
  ERR_clear_error();
  return outcome(EVP_Q_mac(NULL, "HMAC", NULL, digests[kind].name, NULL, k,
                           key.n, p, in.n, out, digests[kind].size,
                           &n) != NULL &&
                 n == digests[kind].size);
}

static int pbkdf2(smtp_digest kind, smtp_slice password, smtp_slice salt,
                  unsigned iterations, unsigned char *out) {
  EVP_MD *md;
  int ok;
  if (password.n > INT_MAX || salt.n > INT_MAX || iterations > INT_MAX)
    return SMTP_ECRYPTO;
  ERR_clear_error();
  md = EVP_MD_fetch(NULL, digests[kind].name, NULL);
  ok =
      md != NULL &&
      PKCS5_PBKDF2_HMAC(password.n > 0 ? password.p : "", (int)password.n,
                        (const unsigned char *)salt.p, (int)salt.n,
                        (int)iterations, md, (int)digests[kind].size, out) == 1;
  EVP_MD_free(md);
  return outcome(ok);
}

static int random_bytes(unsigned char *out, size_t n) {
  if (n > INT_MAX) return SMTP_ECRYPTO;
  ERR_clear_error();
  return outcome(RAND_bytes(out, (int)n) == 1);
}

static bool equal(const void *a, const void *b, size_t n) {
  return CRYPTO_memcmp(a, b, n) == 0;
}

const smtp_crypto *smtp_crypto_openssl(void) {
  static const smtp_crypto openssl = {digest, hmac, pbkdf2, random_bytes,
                                      equal};
  return &openssl;
}
