/* SPDX-License-Identifier: MIT */
/*
** transaction.h: one mail transaction of a client (RFC 5321 section 3.3): its
** commands, the replies to them, and what is known of the message by these. It
** does no I/O and knows no session; the client machine decides when a command may
** go out and which transaction a reply belongs to.
*/
#ifndef SMTP_TRANSACTION_H
#define SMTP_TRANSACTION_H

#include <stdbool.h>

#include "buf.h"
#include "smtp.h"
#include "status.h"

/* A reply that was kept. code 0: there was none. */
typedef struct smtp_kept {
  int code;
  smtp_status status;
  size_t at, n; /* its text, the lines joined by LF, in `texts` */
} smtp_kept;

typedef struct smtp_recipient {
  size_t end;      /* of its RCPT in `lines` */
  bool accepted;   /* by the reply to RCPT */
  bool too_many;   /* refused since there were too many of them */
  smtp_kept reply; /* that refused RCPT, or of its own to the content */
} smtp_recipient;

typedef struct smtp_transaction {
  const smtp_mem *mem;
  struct smtp_transaction *next;
  int tag; /* the caller's own */

  /* the plan */
  smtp_buf lines;  /* MAIL and the RCPTs, each with its CRLF */
  size_t mail_end; /* of MAIL in `lines` */
  bool utf8, prdr; /* MAIL has SMTPUTF8, PRDR */
  bool chunks;     /* the content goes by BDAT */
  bool binary;     /* and unchanged */
  smtp_slice text; /* the content, if all of it is here; borrowed */
  bool whole;      /* it is */
  bool open; /* MAIL and RCPT were single commands; it is the content alone, and
                the recipients are those that were accepted */

  /* the commands */
  size_t said;   /* lines that were queued */
  size_t due;    /* commands whose reply did not come */
  bool chunked;  /* a chunk was queued */
  bool complete; /* nothing more of it will be queued */
  uint64_t ends; /* the place of the last byte of the content; 0: not queued */

  /* the replies */
  smtp_buf texts;
  smtp_kept mail, data, chunk, final; /* of MAIL and chunks: refusals */
  size_t answered;                    /* RCPTs */
  size_t accepted;                    /* of them */
  size_t heard; /* recipients before this one had a reply to the content */
  bool replies; /* some recipient had one */
  bool each;    /* PRDR: a 353 began them */
  bool unsure;  /* the server was out of step: no reply counts */

  size_t n; /* recipients */
  smtp_recipient recipients[];
} smtp_transaction;

/* The command that a reply answers. */
typedef enum smtp_transaction_part {
  SMTP_PART_OTHER, /* RSET */
  SMTP_PART_MAIL,
  SMTP_PART_RCPT,
  SMTP_PART_DATA,
  SMTP_PART_CHUNK,
  SMTP_PART_RECIPIENT,
  SMTP_PART_FINAL
} smtp_transaction_part;

/* The end of a message. */
typedef enum smtp_message_verdict {
  SMTP_MESSAGE_OPEN,     /* not known: see the outcome */
  SMTP_MESSAGE_ACCEPTED, /* somebody has it */
  SMTP_MESSAGE_REFUSED   /* nobody has it */
} smtp_message_verdict;

/* The knowledge of a message if nothing more is heard. */
typedef enum smtp_outcome {
  SMTP_OUTCOME_NOT_SENT,
  SMTP_OUTCOME_UNKNOWN,
  SMTP_OUTCOME_PARTIAL
} smtp_outcome;

/* NULL: no memory. */
SMTP_FUNC smtp_transaction *smtp_transaction_new(const smtp_mem *mem, size_t n);
SMTP_FUNC void smtp_transaction_free(smtp_transaction *t);

/* MAIL at 0, RCPT of the k-th recipient at k, with CRLF. */
SMTP_FUNC smtp_slice smtp_transaction_line(const smtp_transaction *t, size_t k);

/* Notes a reply. `lmtp`: content has a reply for each recipient. 0, or
** SMTP_ENOMEM. */
SMTP_FUNC int smtp_transaction_note(smtp_transaction *t,
                                    smtp_transaction_part part, bool lmtp,
                                    int code, smtp_status status,
                                    smtp_slice text);

/* Whether no more is sent, and every reply is here. */
SMTP_FUNC bool smtp_transaction_done(const smtp_transaction *t);

/* Whether it is known that the content would be for nobody. */
SMTP_FUNC bool smtp_transaction_vain(const smtp_transaction *t);

/* Which reply refused a message: to what, and of which recipient, counted from
** 1 (0: of none). */
typedef struct smtp_refusal {
  const smtp_kept *reply;
  smtp_transaction_part part;
  size_t place;
} smtp_refusal;

/* The end of it. *good: a reply by which it was accepted. */
SMTP_FUNC smtp_message_verdict smtp_transaction_verdict(
    const smtp_transaction *t, const smtp_kept **good, smtp_refusal *why);

/* `written`: how many bytes of the session went out. */
SMTP_FUNC smtp_outcome smtp_transaction_outcome(const smtp_transaction *t,
                                                uint64_t written);

/* The reply by which the recipient at i (from 0) has the content, or NULL; the
** reply that refused it, or NULL. */
SMTP_FUNC const smtp_kept *smtp_transaction_success(const smtp_transaction *t,
                                                    size_t i);
SMTP_FUNC const smtp_kept *smtp_transaction_refusal(const smtp_transaction *t,
                                                    size_t i);

/* The text of a kept reply, lines joined by LF; borrowed. */
SMTP_FUNC smtp_slice smtp_transaction_text(const smtp_transaction *t,
                                           const smtp_kept *reply);

#endif
