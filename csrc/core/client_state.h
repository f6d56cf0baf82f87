/* SPDX-License-Identifier: MIT */
/*
** client_state.h: what the files of the client machine share, and nobody else:
** client.c moves bytes, commands and replies; client_due.c knows which replies
** are due; client_body.c moves the content; client_auth.c answers the challenges
** of AUTH and passes from clear text to TLS.
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

/* Content that goes in chunks makes one as soon as there is so much of it. */
#define CHUNK_MAX (64 * 1024)
#define IN_MAX (2 * SMTP_REPLY_MAX)

/* A command whose reply is due; end is the place of its last byte among all
** that was ever queued, so that a reply cannot come too early. */
struct due {
  smtp_client_step step;
  bool lmtp; /* content has a reply for each recipient */
  bool prdr; /* it may have */
  uint64_t end;
};

/* The state of a transaction by the replies up to now. */
struct smtp_client_transaction {
  size_t accepted; /* RCPTs */
  bool refused;    /* MAIL was refused, so no RCPT counts */
  size_t finals;   /* replies to the content still due, after the first */
};

/* Sentences about a server with more replies than commands. */
#define SMTP_CLIENT_NOT_ASKED "a reply that no command asked for"
#define SMTP_CLIENT_UNSENT "a reply to a command that was not sent yet"

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
  PH_CHUNKS = 2048 /* the content is due, and goes in chunks */
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
  bool fed;         /* lines came that were not compared with the replies due */
  bool astray;      /* more replies than commands came */
  int error;
  const char *reason;
  smtp_client_step answered;  /* by the reply at hand */
  smtp_client_step broken_at; /* where the protocol was broken */
  enum phase phase;
  smtp_ehlo ehlo;
  struct due *due; /* a ring of due_size, due_n used from due_first */
  size_t due_size, due_first, due_n;
  uint64_t queued, written;
  struct smtp_client_transaction transaction;
  bool utf8; /* the last MAIL has SMTPUTF8 */
  bool lmtp; /* the last hello was LHLO */
  bool prdr; /* the last MAIL asked for PRDR */
  smtp_dot_encoder dot;
  smtp_buf chunk;   /* content of the chunk at hand */
  bool binary;      /* it goes out as it is */
  uint64_t chunked; /* bytes in the chunks that were queued for the message */
  smtp_sasl *sasl;  /* borrowed while AUTH is under way */
  bool initial;     /* its first message waits for the first 334 */
  bool cancelled;   /* "*" was said */
  bool broken;      /* by a challenge that the mechanism does not have */
  const char *auth_reason;
};

/* client_due.c: makes room for one more reply; adds the reply to the command
** that was appended to out, which had `before` bytes. */
SMTP_FUNC int smtp_client_due_reserve(smtp_client *c);
SMTP_FUNC void smtp_client_due_add(smtp_client *c, smtp_client_step step,
                                   size_t before);

/* client_due.c: notes a reply to d; whether it is the last reply to d. */
SMTP_FUNC bool smtp_client_note_reply(struct smtp_client_transaction *t,
                                      const struct due *d, int code);

/* client.c: whether the server offered it; whether TLS, where it must be, lets
** the command pass; whether a command may join the flight. */
SMTP_FUNC bool smtp_client_offered(const smtp_client *c, unsigned extension);
SMTP_FUNC bool smtp_client_allowed(const smtp_client *c, smtp_verb verb);
SMTP_FUNC bool smtp_client_joins(const smtp_client *c);

/* client.c: the server broke the protocol; gives SMTP_EPROTOCOL. */
SMTP_FUNC int smtp_client_breach(smtp_client *c, const char *reason);

/* client_body.c: the content is asked for. */
SMTP_FUNC int smtp_client_content_due(smtp_client *c);

/* client_auth.c: a reply to AUTH or to an answer; 0, or a failure. */
SMTP_FUNC int smtp_client_auth_reply(smtp_client *c);

#endif
