/* SPDX-License-Identifier: MIT */
/*
** client_state.h: what the files of the client machine share, and nobody else:
** client.c moves bytes, commands and replies; client_auth.c answers the
** challenges of AUTH and passes from clear text to TLS.
*/
#ifndef SMTP_CLIENT_STATE_H
#define SMTP_CLIENT_STATE_H

#include "buf.h"
#include "client.h"
#include "dot.h"

/* A flight may grow to this before replies must be read; content is encoded
** as long as less than half of it waits, since it may double. */
#define OUT_MAX (512 * 1024)
#define BODY_MAX (128 * 1024)
#define IN_MAX (2 * SMTP_REPLY_MAX)

/* A command whose reply is due; end is the place of its last byte among all
** that was ever queued, so that a reply cannot come too early. */
struct due {
  smtp_client_step step;
  uint64_t end;
};

/* What the session is in, as far as it was submitted. */
enum phase {
  PH_GREETING = 1, /* the greeting is due */
  PH_START = 2,    /* no EHLO was accepted */
  PH_READY = 4,
  PH_MAIL = 8,     /* MAIL was submitted */
  PH_RCPT = 16,    /* and RCPT */
  PH_DATA = 32,    /* and DATA: its reply is due */
  PH_BODY = 64,    /* the content is due */
  PH_FINAL = 128,  /* its reply is due */
  PH_OVER = 256,   /* QUIT, a 421, or an early refusal */
  PH_TLS = 512,    /* STARTTLS was submitted, or its 220 is here */
  PH_AUTH = 1024,  /* AUTH was submitted */
  PH_CHUNK = 2048, /* the bytes of a BDAT are due */
  PH_CHUNKS = 4096 /* a message is under way, between two of them */
};

struct smtp_client {
  const smtp_mem *mem;
  smtp_client_config config;
  smtp_buf in, out;
  smtp_reply reply;
  bool replied; /* reply was given: clear it at the next call */
  bool eof;
  bool group_ended; /* a command that ends a group is outstanding */
  bool esmtp;       /* the last hello was EHLO or LHLO: its reply offers */
  bool secured;     /* bytes come through TLS */
  int error;
  const char *reason;
  enum phase phase;
  smtp_ehlo ehlo;
  struct due *due; /* a ring of due_size, due_n used from due_first */
  size_t due_size, due_first, due_n;
  uint64_t queued, written;
  size_t accepted; /* RCPTs of this transaction */
  bool refused;    /* its MAIL was: then no RCPT counts */
  bool utf8;       /* its MAIL has SMTPUTF8 */
  uint64_t chunk;  /* bytes of the chunk at hand that are due */
  bool last;       /* it is the last one */
  smtp_dot_encoder dot;
  smtp_sasl *sasl; /* borrowed while AUTH is under way */
  bool initial;    /* its first message waits for the first 334 */
  bool cancelled;  /* "*" was said */
  const char *auth_reason;
};

/* client.c: room for one more reply that is due; and then the reply, to what
** was put into out, which had `before` bytes. */
SMTP_FUNC int smtp_client_due_reserve(smtp_client *c);
SMTP_FUNC void smtp_client_due_add(smtp_client *c, smtp_client_step step,
                                   size_t before);

/* client.c: the server broke the protocol; gives SMTP_EPROTOCOL. */
SMTP_FUNC int smtp_client_breach(smtp_client *c, const char *reason);

/* client_auth.c: a reply to AUTH or to an answer; 0, or a failure. */
SMTP_FUNC int smtp_client_auth_reply(smtp_client *c);

#endif
