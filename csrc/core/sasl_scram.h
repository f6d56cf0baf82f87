/* SPDX-License-Identifier: MIT */
/*
** sasl_scram.h: private to sasl_scram*.c: the mathematics and the grammar that
** both sides of SCRAM (RFC 5802) share. Names and passwords go as they are:
** SASLprep is left to the caller that stores them.
*/
#ifndef SMTP_SASL_SCRAM_H
#define SMTP_SASL_SCRAM_H

#include "sasl_mechanism.h"

/* A nonce of ours is 18 random bytes in base64; one of a peer has an end. */
#define SMTP_SCRAM_RANDOM 18
#define SMTP_SCRAM_NONCE_MAX 1024

typedef struct smtp_scram_secrets {
  unsigned char client_key[SMTP_DIGEST_MAX];
  unsigned char stored_key[SMTP_DIGEST_MAX];
  unsigned char server_key[SMTP_DIGEST_MAX];
} smtp_scram_secrets;

SMTP_FUNC size_t smtp_scram_size(smtp_digest digest);

/* RFC 5802 section 3: 0, SMTP_ECRYPTO. Who calls it wipes the secrets. */
SMTP_FUNC int smtp_scram_derive(const smtp_crypto *crypto, smtp_digest digest,
                                smtp_slice password, smtp_slice salt,
                                unsigned iterations,
                                smtp_scram_secrets *secrets);

/* The HMAC of AuthMessage under a key of the digest's size. */
SMTP_FUNC int smtp_scram_sign(const smtp_sasl *s, const unsigned char *key,
                              unsigned char *signature);

/* True if in may be a message at all: UTF-8 without NUL. */
SMTP_FUNC bool smtp_scram_is_text(smtp_slice in);

/*
** Takes the attribute name "=" value and its comma from the front of rest; a
** comma has something behind it. False if the front is anything else.
*/
SMTP_FUNC bool smtp_scram_take(smtp_slice *rest, char name, smtp_slice *value);

/*
** Takes optional attributes, until rest is empty or begins with "stop=".
** SMTP_ESYNTAX; SMTP_EAUTH for "m", which is to be understood or refused.
*/
SMTP_FUNC int smtp_scram_skip(smtp_sasl *s, smtp_slice *rest, char stop);

/* SMTP_EAUTH if the attribute "m" is at the front of rest, else 0. */
SMTP_FUNC int smtp_scram_refuse_m(smtp_sasl *s, smtp_slice rest);

/* True if it is 1*printable, without comma, and not too long. */
SMTP_FUNC bool smtp_scram_is_nonce(smtp_slice nonce);

/* The client's nonce, as its first message has it; empty if there is none. */
SMTP_FUNC smtp_slice smtp_scram_client_nonce(const smtp_sasl *s);

/* Appends given, or if that is empty a random nonce, to b. */
SMTP_FUNC int smtp_scram_append_nonce(smtp_sasl *s, smtp_buf *b,
                                      smtp_slice given);

/* Appends the base64 of what c= must be: the gs2-header and the binding. The
** room is that of smtp_scram_binding_size. */
SMTP_FUNC int smtp_scram_append_binding(smtp_sasl *s, smtp_buf *b);
SMTP_FUNC size_t smtp_scram_binding_size(const smtp_sasl *s);

/* Decodes the base64 of a digest into out: SMTP_ESYNTAX for anything else. */
SMTP_FUNC int smtp_scram_parse_digest(const smtp_sasl *s, smtp_slice text,
                                      unsigned char *out);

/* Puts AuthMessage into s->auth: client-first-bare, server-first, and
** client-final without its proof. */
SMTP_FUNC int smtp_scram_join_auth(smtp_sasl *s, smtp_slice server_first,
                                   smtp_slice client_final);

#endif
