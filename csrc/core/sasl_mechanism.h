/* SPDX-License-Identifier: MIT */
/*
** sasl_mechanism.h: private to sasl*.c: what an exchange holds, what a
** mechanism gives to sasl.c, and what the mechanisms share.
**
** A buffer here may hold a secret, so none ever grows: smtp_sasl_room gives it
** all the room that its bytes will take, and wipes what it had before.
*/
#ifndef SMTP_SASL_MECHANISM_H
#define SMTP_SASL_MECHANISM_H

#include "buf.h"
#include "sasl.h"

/*
** One side of a mechanism. sasl.c sees to the order of calls, the length of
** input and the empty output before each; these give the results of sasl.h.
*/
typedef struct smtp_sasl_side {
  int (*first)(smtp_sasl *s); /* NULL: the other side begins */
  int (*next)(smtp_sasl *s, smtp_slice in);
  int (*lookup)(smtp_sasl *s, const smtp_sasl_keys *keys); /* after LOOKUP */
  int (*refuse)(smtp_sasl *s); /* NULL: no message follows a refusal */
} smtp_sasl_side;

enum smtp_sasl_phase {
  SMTP_SASL_FRESH,   /* neither first nor next was called */
  SMTP_SASL_RUNNING, /* a message of the peer comes next */
  SMTP_SASL_LOOKING, /* smtp_sasl_lookup comes next */
  SMTP_SASL_OVER,    /* a server gave DONE */
  SMTP_SASL_REFUSED, /* the refusal was said; the peer's last message comes */
  SMTP_SASL_FAILED   /* with the result in failure */
};

struct smtp_sasl {
  const smtp_mem *mem;
  const smtp_crypto *crypto;
  const smtp_sasl_side *side;
  size_t size; /* of this and of the copies behind it */
  unsigned mechanism;
  smtp_digest digest; /* of SCRAM */
  bool is_server;
  bool complete; /* see smtp_sasl_complete */
  enum smtp_sasl_phase phase;
  int step; /* the mechanism's own count of what happened; 0 at first */
  int failure;
  const char *reason;

  smtp_sasl_client client; /* that of the side that it is; slices are ours */
  smtp_sasl_server server;
  smtp_sasl_credentials credentials; /* slices of kept, and of client_first */

  smtp_buf out;
  smtp_buf kept;         /* names and secrets that came, or escaped names */
  smtp_buf client_first; /* SCRAM's; the password of LOGIN */
  smtp_buf server_first; /* SCRAM's; the JSON of a refused token */
  smtp_buf auth;         /* SCRAM's AuthMessage */

  smtp_slice response; /* CRAM-MD5: the digest that came, in kept */
  struct {
    size_t header;      /* bytes of the gs2-header in client_first */
    smtp_slice binding; /* what c= carries behind it */
    bool nobody;        /* whatever the proof is, it fails */
    unsigned char stored_key[SMTP_DIGEST_MAX];
    unsigned char server_key[SMTP_DIGEST_MAX];
    unsigned char signature[SMTP_DIGEST_MAX]; /* client: what v= must be */
  } scram;
};

SMTP_FUNC extern const smtp_sasl_side smtp_sasl_plain_client;
SMTP_FUNC extern const smtp_sasl_side smtp_sasl_plain_server;
SMTP_FUNC extern const smtp_sasl_side smtp_sasl_login_client;
SMTP_FUNC extern const smtp_sasl_side smtp_sasl_login_server;
SMTP_FUNC extern const smtp_sasl_side smtp_sasl_cram_client;
SMTP_FUNC extern const smtp_sasl_side smtp_sasl_cram_server;
SMTP_FUNC extern const smtp_sasl_side smtp_sasl_scram_client;
SMTP_FUNC extern const smtp_sasl_side smtp_sasl_scram_server;
SMTP_FUNC extern const smtp_sasl_side smtp_sasl_xoauth2_client;
SMTP_FUNC extern const smtp_sasl_side smtp_sasl_xoauth2_server;
SMTP_FUNC extern const smtp_sasl_side smtp_sasl_oauthbearer_client;
SMTP_FUNC extern const smtp_sasl_side smtp_sasl_oauthbearer_server;
SMTP_FUNC extern const smtp_sasl_side smtp_sasl_external_client;
SMTP_FUNC extern const smtp_sasl_side smtp_sasl_external_server;

/* Sets the reason, a literal, and gives result back. */
SMTP_FUNC int smtp_sasl_fail(smtp_sasl *s, int result, const char *reason);

/* A challenge to a mechanism with one message, `first`: the server ignored the
** initial response, so the message goes once more. A result as of next. */
SMTP_FUNC int smtp_sasl_again(smtp_sasl *s, int (*first)(smtp_sasl *s));

/* Wipes b and frees its storage. */
SMTP_FUNC void smtp_sasl_wipe(smtp_buf *b);

/* Wipes b and gives it room for n bytes and no more: 0, SMTP_ENOMEM. */
SMTP_FUNC int smtp_sasl_room(smtp_buf *b, size_t n);

/* Wipes b and puts the n parts, one behind the other, into it; errors as
** smtp_sasl_room. No part may be of b. */
SMTP_FUNC int smtp_sasl_join(smtp_buf *b, const smtp_slice *parts, size_t n);

SMTP_FUNC bool smtp_sasl_same(smtp_slice a, smtp_slice b);
SMTP_FUNC bool smtp_sasl_has_nul(smtp_slice text);
SMTP_FUNC bool smtp_sasl_has_control(smtp_slice text);

/* The bytes of the base64 of n bytes; n is at most some megabytes. */
SMTP_FUNC size_t smtp_sasl_base64_size(size_t n);

/* ---- names in GS2 (RFC 5801 section 4), in sasl_gs2.c ---- */

/*
**   gs2-header  = gs2-cb-flag "," [ "a=" saslname ] ","
**   gs2-cb-flag = ("p=" cb-name) / "n" / "y"
**   saslname    = 1*(value-safe-char / "=2C" / "=3D")
*/
typedef struct smtp_sasl_gs2 {
  size_t n;           /* bytes of the header */
  char flag;          /* 'p', 'n' or 'y' */
  smtp_slice binding; /* the cb-name, empty without p */
  smtp_slice authzid; /* as it stands, escaped; empty if there is none */
} smtp_sasl_gs2;

/* 0, or SMTP_ESYNTAX. Slices are of in. */
SMTP_FUNC int smtp_sasl_gs2_parse(smtp_sasl_gs2 *gs2, smtp_slice in);

/* Appends name with "," and "=" escaped, which takes up to three times its
** bytes; *escaped is a slice of b. b must have the room. */
SMTP_FUNC int smtp_sasl_escape(smtp_buf *b, smtp_slice name,
                               smtp_slice *escaped);

/* The other way: SMTP_ESYNTAX if text is not a saslname. */
SMTP_FUNC int smtp_sasl_unescape(smtp_buf *b, smtp_slice text,
                                 smtp_slice *name);

#endif
