/* SPDX-License-Identifier: MIT */
/*
** client_state.h: the parts that the files of the client machine share, and
** nobody else. Each file calls only those above it:
**   client_state.c    in which state the session is; the one writer of it
**   client_due.c      which replies are due, and whether bytes can be them
**   client_command.c  commands
**   client_body.c     content
**   client_auth.c     the challenges of AUTH, and the passage to TLS
**   client_message.c  whole messages: what of them may go out now
**   client.c          bytes and replies
*/
#ifndef SMTP_CLIENT_STATE_H
#define SMTP_CLIENT_STATE_H

#include "buf.h"
#include "client.h"
#include "client_table.h"
#include "dot.h"
#include "transcript.h"

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
  smtp_transaction *transaction; /* NULL: of a single command */
};

/* Counts of a transaction by the replies up to now. */
struct smtp_client_counts {
  size_t accepted; /* RCPTs */
  bool refused;    /* MAIL was refused, so no RCPT counts */
  size_t finals;   /* replies to the content still due, after the first */
};

/* Sentences about a server with more replies than commands. */
#define SMTP_CLIENT_NOT_ASKED "a reply that no command asked for"
#define SMTP_CLIENT_UNSENT "a reply to a command that was not sent yet"

struct smtp_client {
  const smtp_mem *mem;
  smtp_client_config config;
  enum state state; /* written by smtp_client_enter alone */

  struct { /* the stream */
    smtp_buf in, out;
    bool eof;
    bool secured; /* bytes come through TLS */
    bool ignored; /* the greeting refused us, and no command was said: no bytes
                     are a breach */
    bool fed;     /* lines came that were not compared with the replies due */
    uint64_t queued, written;
  } io;

  smtp_transcript transcript;

  struct { /* the failure that sticks */
    int code;
    const char *reason;
    smtp_client_step at; /* where the protocol was broken */
    bool astray;         /* more replies than commands came */
  } failure;

  struct { /* the reply at hand */
    smtp_reply reply;
    bool given;            /* clear it at the next call */
    smtp_client_step step; /* that it answers */
  } at_hand;

  struct { /* a ring of size, n used from first */
    struct due *ring;
    size_t size, first, n;
    bool group_ended; /* a command that ends a group is outstanding */
    struct smtp_client_counts counts;
  } due;

  struct {      /* the last hello */
    bool esmtp; /* EHLO or LHLO: its reply offers */
    bool lmtp;  /* LHLO */
    smtp_ehlo offered;
  } hello;

  struct {     /* the last MAIL has */
    bool utf8; /* SMTPUTF8 */
    bool prdr; /* PRDR */
  } mail;

  struct { /* the content */
    smtp_dot_encoder dot;
    smtp_buf chunk; /* of the chunk at hand */
    bool binary;    /* it goes out as it is */
  } content;

  struct { /* messages under way, in the order in which they were begun */
    smtp_transaction *first, *last;
    smtp_transaction
        *sending;            /* the last one, if it is not queued to its end */
    smtp_transaction *given; /* was told to the caller: free it */
    enum smtp_turn {
      TURN_RSET,   /* what the server may have of an earlier one is dropped */
      TURN_LINES,  /* MAIL and the RCPTs */
      TURN_DATA,   /* DATA, or the beginning of chunks */
      TURN_ASKED,  /* DATA was queued */
      TURN_CONTENT /* content is queued as it comes */
    } turn;
    bool open;  /* the server may have a transaction that RSET must drop */
    bool ended; /* by the reply at hand, which is told for those left */
  } messages;

  struct {           /* the exchange of AUTH */
    smtp_sasl *sasl; /* borrowed while it is under way */
    bool initial;    /* its first message waits for the first 334 */
    bool cancelled;  /* "*" was said */
    bool broken;     /* by a challenge that the mechanism does not have */
    const char *reason;
  } auth;
};

/* ---- client_state.c -------------------------------------------------- */

/* An event happened. */
SMTP_FUNC void smtp_client_enter(smtp_client *c, enum move move);

/* Whether the state is one of a set; whether the server offered it; whether
** TLS, where it must be, lets the command pass. */
SMTP_FUNC bool smtp_client_is(const smtp_client *c, unsigned states);
SMTP_FUNC bool smtp_client_offered(const smtp_client *c, unsigned extension);
SMTP_FUNC bool smtp_client_allowed(const smtp_client *c, smtp_verb verb);

/* ---- client_due.c ---------------------------------------------------- */

/* Makes room for one more reply; adds the reply to the command that was
** appended to out, which had `before` bytes. */
SMTP_FUNC int smtp_client_due_reserve(smtp_client *c);
SMTP_FUNC void smtp_client_due_add(smtp_client *c, smtp_client_step step,
                                   size_t before);

/* The first command whose reply is due; NULL if there is none. Drops it. */
SMTP_FUNC const struct due *smtp_client_due_first(const smtp_client *c);
SMTP_FUNC void smtp_client_due_drop(smtp_client *c);

/* Whether a command may join the flight. */
SMTP_FUNC bool smtp_client_joins(const smtp_client *c);

/* Notes a reply to d; whether it is the last reply to d. */
SMTP_FUNC bool smtp_client_note_reply(struct smtp_client_counts *t,
                                      const struct due *d, int code);

/* The server broke the protocol; gives SMTP_EPROTOCOL. */
SMTP_FUNC int smtp_client_breach(smtp_client *c, const char *reason);

/* ---- client_command.c ------------------------------------------------ */

/* A line that was made before, with its CRLF; results as smtp_client_submit. */
SMTP_FUNC int smtp_client_submit_line(smtp_client *c, smtp_verb verb,
                                      smtp_slice line);

/* Whether a parameter asks for an extension that is offered. */
SMTP_FUNC bool smtp_client_asks(const smtp_client *c, const smtp_param *params,
                                size_t n, smtp_slice key, unsigned extension);

/* Appends MAIL or RCPT with its parameters and CRLF. SMTP_EINVALID,
** SMTP_ENOMEM; then out is as it was. */
SMTP_FUNC int smtp_client_format_path(smtp_buf *out, smtp_verb verb,
                                      const smtp_path *path,
                                      const smtp_param *params, size_t n,
                                      bool utf8);

/* ---- client_body.c --------------------------------------------------- */

/* The content is asked for. */
SMTP_FUNC int smtp_client_content_due(smtp_client *c);

/* ---- client_auth.c --------------------------------------------------- */

/* A reply to AUTH or to an answer; 0, or a failure. */
SMTP_FUNC int smtp_client_auth_reply(smtp_client *c);

/* ---- client_message.c ------------------------------------------------ */

/* Notes the reply at hand, to a command of a message. 0, or SMTP_ENOMEM. */
SMTP_FUNC int smtp_client_message_reply(smtp_client *c, smtp_transaction *t,
                                        smtp_client_step step,
                                        smtp_status status);

/* Takes the first message off the list; it is freed at the next call. */
SMTP_FUNC smtp_transaction *smtp_client_message_take(smtp_client *c);
SMTP_FUNC void smtp_client_message_forget(smtp_client *c);

#endif
