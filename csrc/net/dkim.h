/* SPDX-License-Identifier: MIT */
/*
** dkim.h: the cryptography of DKIM: SHA-256 of a stream, and signatures by
** rsa-sha256 (RFC 6376 section 3.3.1, RFC 8301) and ed25519-sha256 (RFC 8463
** section 3), which signs the digest and not the text. RSA keys of less than
** 1024 bits are refused in both directions.
*/
#ifndef SMTP_NET_DKIM_H
#define SMTP_NET_DKIM_H

#include "../core/buf.h"
#include "../core/smtp.h"

#define SMTP_DKIM_HASH_SIZE 32
#define SMTP_DKIM_RSA_MIN 1024
#define SMTP_DKIM_RSA_MAX 8192 /* bits: each costs time */
#define SMTP_DKIM_SIGNATURE_MAX (SMTP_DKIM_RSA_MAX / 8) /* bytes */

typedef enum smtp_dkim_algorithm {
  SMTP_DKIM_RSA_SHA256,
  SMTP_DKIM_ED25519_SHA256
} smtp_dkim_algorithm;

/* ---- a hash that streams ---- */

typedef struct smtp_dkim_hash smtp_dkim_hash;

/* NULL if OpenSSL refuses. */
SMTP_FUNC smtp_dkim_hash *smtp_dkim_hash_new(void);
SMTP_FUNC void smtp_dkim_hash_free(smtp_dkim_hash *h); /* h may be NULL */

/* 0 or SMTP_ECRYPTO. */
SMTP_FUNC int smtp_dkim_hash_feed(smtp_dkim_hash *h, smtp_slice in);
SMTP_FUNC int smtp_dkim_hash_finish(smtp_dkim_hash *h,
                                    unsigned char out[SMTP_DKIM_HASH_SIZE]);

/* ---- private keys ---- */

typedef struct smtp_dkim_key smtp_dkim_key;

/*
** The first private key of a text in PEM, PKCS#8 or traditional, not
** encrypted. NULL: *why is a static sentence.
*/
SMTP_FUNC smtp_dkim_key *smtp_dkim_key_new(smtp_slice pem, const char **why);
SMTP_FUNC void smtp_dkim_key_free(smtp_dkim_key *k); /* k may be NULL */

SMTP_FUNC smtp_dkim_algorithm smtp_dkim_key_algorithm(const smtp_dkim_key *k);

/* Signs in; *n is then the size of the signature. 0 or SMTP_ECRYPTO. */
SMTP_FUNC int smtp_dkim_sign(smtp_dkim_key *k, smtp_slice in,
                             unsigned char out[SMTP_DKIM_SIGNATURE_MAX],
                             size_t *n);

/* ---- verification ---- */

/*
** 0 if signature is a signature of in by the key, the decoded p= of a key
** record: for RSA a SubjectPublicKeyInfo or an RSAPublicKey in DER, for
** Ed25519 its 32 bytes. SMTP_EINVALID: the key is malformed, too short or too
** long, and *why is a static sentence. SMTP_EAUTH: another key or another text
** was signed.
*/
SMTP_FUNC int smtp_dkim_verify(smtp_dkim_algorithm algorithm, smtp_slice key,
                               smtp_slice signature, smtp_slice in,
                               const char **why);

#endif
