/* SPDX-License-Identifier: MIT */
/*
** crypto.h: the cryptography that the core needs, as functions that are passed
** in: OpenSSL's by csrc/net/crypto.h, others by a test.
*/
#ifndef SMTP_CRYPTO_H
#define SMTP_CRYPTO_H

#include <stdbool.h>

#include "smtp.h"

typedef enum smtp_digest {
  SMTP_DIGEST_MD5,   /* 16 bytes */
  SMTP_DIGEST_SHA1,  /* 20 */
  SMTP_DIGEST_SHA256 /* 32 */
} smtp_digest;

#define SMTP_DIGEST_MAX 32

/* out has room for the digest; each gives 0, or SMTP_ECRYPTO. */
typedef struct smtp_crypto {
  int (*digest)(smtp_digest digest, smtp_slice in, unsigned char *out);
  int (*hmac)(smtp_digest digest, smtp_slice key, smtp_slice in,
              unsigned char *out);
  int (*pbkdf2)(smtp_digest digest, smtp_slice password, smtp_slice salt,
                unsigned iterations, unsigned char *out);
  int (*random)(unsigned char *out, size_t n);
  /* In a time that tells nothing of where they differ. */
  bool (*equal)(const void *a, const void *b, size_t n);
} smtp_crypto;

#endif
