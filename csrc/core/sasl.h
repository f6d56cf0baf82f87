/* SPDX-License-Identifier: MIT */
/*
** sasl.h: SASL mechanisms (RFC 4422), both sides, as small machines over raw
** bytes; base64 and the lines of AUTH (RFC 4954) belong to the sessions.
**
**   client: first -> next -> next ... complete
**   server: first -> next -> [lookup] -> next ... DONE -> credentials
**
** What it makes is in smtp_sasl_output until the next call. Everything that it
** held is wiped when it is freed.
*/
#ifndef SMTP_SASL_H
#define SMTP_SASL_H

#include <stdbool.h>

#include "crypto.h"
#include "mem.h"
#include "smtp.h"

typedef struct smtp_sasl smtp_sasl;

enum smtp_sasl_mechanism {
  SMTP_SASL_PLAIN = 1,       /* RFC 4616 */
  SMTP_SASL_LOGIN = 2,       /* draft-murchison-sasl-login */
  SMTP_SASL_CRAM_MD5 = 4,    /* RFC 2195 */
  SMTP_SASL_SCRAM_SHA_1 = 8, /* RFC 5802 */
  SMTP_SASL_SCRAM_SHA_1_PLUS = 16,
  SMTP_SASL_SCRAM_SHA_256 = 32, /* RFC 7677 */
  SMTP_SASL_SCRAM_SHA_256_PLUS = 64,
  SMTP_SASL_XOAUTH2 = 128,     /* no RFC */
  SMTP_SASL_OAUTHBEARER = 256, /* RFC 7628 */
  SMTP_SASL_EXTERNAL = 512     /* RFC 4422 appendix A */
};

#define SMTP_SASL_PLUS \
  (SMTP_SASL_SCRAM_SHA_1_PLUS | SMTP_SASL_SCRAM_SHA_256_PLUS)
#define SMTP_SASL_SCRAM \
  (SMTP_SASL_SCRAM_SHA_1 | SMTP_SASL_SCRAM_SHA_256 | SMTP_SASL_PLUS)
/* The verifier is looked up: the password itself never comes. */
#define SMTP_SASL_LOOKUPS (SMTP_SASL_SCRAM | SMTP_SASL_CRAM_MD5)

/* A message of the peer, decoded, and a name of a user are at most this. */
#define SMTP_SASL_MAX 9216

/* The mechanism of a name in any case, 0 if it is none of ours; and back. */
SMTP_FUNC unsigned smtp_sasl_mechanism(smtp_slice name);
SMTP_FUNC smtp_slice smtp_sasl_name(unsigned mechanism);

/* Iteration counts that a client believes; a server's default. */
#define SMTP_SCRAM_ITERATIONS_MIN 4096
#define SMTP_SCRAM_ITERATIONS_MAX 600000
#define SMTP_SCRAM_ITERATIONS 4096

/* Channel bindings of the TLS under it: RFC 9266, RFC 5929. Empty: there is
** none. */
typedef struct smtp_sasl_binding {
  smtp_slice exporter; /* tls-exporter; only on TLS 1.3 */
  smtp_slice endpoint; /* tls-server-end-point */
} smtp_sasl_binding;

/* Slices are copied. */
typedef struct smtp_sasl_client {
  smtp_slice user;
  smtp_slice password;       /* or the token */
  smtp_slice authzid;        /* may be empty */
  smtp_slice host;           /* OAUTHBEARER says it, if it is not empty */
  unsigned port;             /* and this, if it is not 0 */
  smtp_sasl_binding binding; /* -PLUS takes exporter, else endpoint */
  bool unbound;     /* we could bind, but the server offers no -PLUS: SCRAM
                          without it says "y", so that a stripped offer shows */
  smtp_slice nonce; /* for test vectors; empty: random */
} smtp_sasl_client;

typedef struct smtp_sasl_server {
  smtp_slice hostname;       /* in CRAM-MD5's challenge */
  smtp_sasl_binding binding; /* both kinds are accepted if they are there */
  bool plus;                 /* a -PLUS form is offered: then "y" is refused */
  smtp_slice secret;         /* SCRAM: salts of users without keys come of it */
  unsigned iterations;       /* and this is their count */
  smtp_slice certificate; /* EXTERNAL: the name of whom TLS verified, for which
                             an empty response stands; empty: it is refused */
  smtp_slice nonce;       /* for test vectors; empty: random */
} smtp_sasl_server;

/* NULL: no memory. */
SMTP_FUNC smtp_sasl *smtp_sasl_client_new(const smtp_mem *mem,
                                          const smtp_crypto *crypto,
                                          unsigned mechanism,
                                          const smtp_sasl_client *config);
SMTP_FUNC smtp_sasl *smtp_sasl_server_new(const smtp_mem *mem,
                                          const smtp_crypto *crypto,
                                          unsigned mechanism,
                                          const smtp_sasl_server *config);
SMTP_FUNC void smtp_sasl_free(smtp_sasl *s); /* s may be NULL */
SMTP_FUNC unsigned smtp_sasl_mechanism_of(const smtp_sasl *s);

enum smtp_sasl_result {
  SMTP_SASL_CONTINUE, /* the output, which may be empty, is to be sent */
  SMTP_SASL_DONE,     /* server: judge the credentials */
  SMTP_SASL_LOOKUP    /* server: call smtp_sasl_lookup with the user's keys */
};

/*
** The message that goes first: 1 if this side has one; 0 if the other side
** begins. A client's is the initial response. SMTP_EINVALID: a value that the
** mechanism cannot carry (NUL in PLAIN, no binding for -PLUS); SMTP_ECRYPTO,
** SMTP_ENOMEM.
*/
SMTP_FUNC int smtp_sasl_first(smtp_sasl *s);

/*
** A message of the peer: a result as above. Failures end the exchange:
** SMTP_ESYNTAX it is not of the mechanism's grammar; SMTP_EAUTH it is, and
** proves nothing (smtp_sasl_reason says what was wrong); SMTP_ECRYPTO,
** SMTP_ENOMEM. They are given again by what is called later. SMTP_ESTATE, out
** of order, changes nothing. A server's LOGIN takes a message before first
** was called, as an initial response; CRAM-MD5 does not.
*/
SMTP_FUNC int smtp_sasl_next(smtp_sasl *s, smtp_slice in);

SMTP_FUNC smtp_slice smtp_sasl_output(const smtp_sasl *s);

/* Client: what the mechanism asks of the server was shown, so that its success
** may be believed. For most it is, until a failure; SCRAM wants the signature,
** and success after the refusal of a token is not believed. */
SMTP_FUNC bool smtp_sasl_complete(const smtp_sasl *s);

/* Client: the responses do not depend on the challenges, whose text is for
** people or an error: all mechanisms but SCRAM and CRAM-MD5. smtp_sasl_next
** then takes a challenge that is not base64. */
SMTP_FUNC bool smtp_sasl_takes_words(const smtp_sasl *s);

/* A sentence about a failure; static. "" if there was none. */
SMTP_FUNC const char *smtp_sasl_reason(const smtp_sasl *s);

/* Client: the JSON with which OAUTHBEARER or XOAUTH2 was refused, or empty. */
SMTP_FUNC smtp_slice smtp_sasl_problem(const smtp_sasl *s);

/* Borrowed until s is freed. After LOOKUP only user and authzid are set. */
typedef struct smtp_sasl_credentials {
  smtp_slice user, authzid, password, token;
  bool verified; /* the mechanism itself has proved the user */
} smtp_sasl_credentials;

SMTP_FUNC const smtp_sasl_credentials *
smtp_sasl_credentials_of(const smtp_sasl *s);

typedef struct smtp_sasl_keys {
  enum {
    SMTP_SASL_NOBODY,        /* no such user: made-up keys, and the work of */
    SMTP_SASL_NOBODY_STORED, /* a password; the same, and that of SCRAM keys */
    SMTP_SASL_PASSWORD,      /* password */
    SMTP_SASL_STORED         /* salt, stored_key, server_key, iterations */
  } kind;
  smtp_slice password, salt, stored_key, server_key;
  unsigned iterations;
} smtp_sasl_keys;

/* Answers LOOKUP; results as smtp_sasl_next, and SMTP_EINVALID for stored keys
** that are not of the mechanism. The slices are not kept. */
SMTP_FUNC int smtp_sasl_lookup(smtp_sasl *s, const smtp_sasl_keys *keys);

/* Server, after DONE: the verdict was no. CONTINUE: a message goes first, and
** one of the client comes back (OAUTHBEARER, XOAUTH2); DONE: there is none. */
SMTP_FUNC int smtp_sasl_refuse(smtp_sasl *s);

/* StoredKey and ServerKey (RFC 5802 section 3) of a password; each has room
** for the digest. 0, SMTP_ECRYPTO. */
SMTP_FUNC int smtp_scram_keys(const smtp_crypto *crypto, smtp_digest digest,
                              smtp_slice password, smtp_slice salt,
                              unsigned iterations, unsigned char *stored_key,
                              unsigned char *server_key);

#endif
