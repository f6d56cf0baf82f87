/* SPDX-License-Identifier: MIT */
/*
** client.h: the client's side of an SMTP or LMTP session (RFC 5321, 2033, 2920,
** 3030, 3207, 4954) as a machine: commands in, bytes out; bytes in, replies out.
**
**   submit(command) -> peek() -> sent(n) ... feed(bytes) -> next() -> reply
**
** It knows in which order commands are legal, which of them may share a
** flight (PIPELINING), and which reply belongs to which command. More replies
** than commands are a breach: no reply that came in the same bytes counts. The
** caller decides which command comes next, and when to give up.
**
** A whole message (smtp_client_send) is sent by the machine itself: it decides
** which of its commands share a flight, gives each reply to its command and
** recipient, and tells once what became of the message. Several may be under
** way at a time.
**
** The 220 to STARTTLS pauses it: the caller makes the handshake, and tells by
** smtp_client_secured that from now on its bytes come through TLS.
*/
#ifndef SMTP_CLIENT_H
#define SMTP_CLIENT_H

#include <stdbool.h>

#include "command.h"
#include "ehlo.h"
#include "mem.h"
#include "param.h"
#include "path.h"
#include "reply.h"
#include "sasl.h"
#include "smtp.h"
#include "transaction.h"
#include "transcript.h"

typedef struct smtp_client smtp_client;

/* The command that a reply answers. */
typedef enum smtp_client_step {
  SMTP_CLIENT_UNASKED, /* a 421 that nothing asked for: the session is over */
  SMTP_CLIENT_GREETING,
  SMTP_CLIENT_EHLO, /* HELO and LHLO as well */
  SMTP_CLIENT_MAIL,
  SMTP_CLIENT_RCPT,
  SMTP_CLIENT_DATA,      /* of DATA itself; 3xx asks for the content */
  SMTP_CLIENT_FINAL,     /* of the content, or an early refusal of it */
  SMTP_CLIENT_RECIPIENT, /* of the content as well, and more of them follow */
  SMTP_CLIENT_CHUNK,     /* of a BDAT that is not the last */
  SMTP_CLIENT_RSET,
  SMTP_CLIENT_QUIT,
  SMTP_CLIENT_STARTTLS,
  SMTP_CLIENT_AUTH,   /* a 334 is answered already, more will follow */
  SMTP_CLIENT_COMMAND /* any other */
} smtp_client_step;

typedef enum smtp_client_kind {
  SMTP_CLIENT_REPLY,   /* to a command; a message under way has its own */
  SMTP_CLIENT_MESSAGE, /* it is known what became of a message */
  SMTP_CLIENT_ENDED    /* by this reply the session is over, and with it every
                          message under way: see smtp_client_lose */
} smtp_client_kind;

/* Borrowed until the next call of next. */
typedef struct smtp_client_event {
  smtp_client_kind kind;
  smtp_transaction *transaction; /* of a MESSAGE, which has no reply */
  smtp_client_step step;
  const smtp_reply *reply;
  smtp_status status; /* only if ENHANCEDSTATUSCODES was offered */
} smtp_client_event;

/* The condition for the next step of sending a message. */
typedef enum smtp_client_want {
  SMTP_WANT_NOTHING, /* no message is under way, or all of it was queued */
  SMTP_WANT_CONTENT, /* smtp_client_content, or smtp_client_end */
  SMTP_WANT_TIME     /* writes or replies must come first */
} smtp_client_want;

typedef struct smtp_client_config {
  unsigned disable; /* OR of enum smtp_extension: as if not offered */
  bool strict_body; /* bare CR or LF in content is an error, not mended */
  bool tls;   /* without TLS only EHLO, STARTTLS, NOOP and QUIT are legal */
  bool trace; /* each entry of the transcript is kept until it is read */
} smtp_client_config;

/* A new session that waits for the greeting. NULL: no memory. */
SMTP_FUNC smtp_client *smtp_client_new(const smtp_mem *mem,
                                       const smtp_client_config *config);
SMTP_FUNC void smtp_client_free(smtp_client *c);

/* Bytes from the peer, as in server.h; 0, SMTP_ENOMEM, SMTP_ETOOBIG. */
SMTP_FUNC int smtp_client_feed(smtp_client *c, const char *p, size_t n);
SMTP_FUNC int smtp_client_space(smtp_client *c, char **place, size_t *room);
SMTP_FUNC void smtp_client_fed(smtp_client *c, size_t n);
SMTP_FUNC void smtp_client_eof(smtp_client *c);

/*
** 1 and the next reply; 0 when bytes are needed first. Failures stick:
** SMTP_EPROTOCOL (smtp_client_reason says why), SMTP_ECLOSED once the stream
** ended, SMTP_ENOMEM.
*/
SMTP_FUNC int smtp_client_next(smtp_client *c, smtp_client_event *event);

/* A sentence about a SMTP_EPROTOCOL; static. */
SMTP_FUNC const char *smtp_client_reason(const smtp_client *c);

/* If the breach was a reply whose lines have different codes, that reply, and
** its status as in an event; else NULL. Borrowed. */
SMTP_FUNC const smtp_reply *smtp_client_said(const smtp_client *c,
                                             smtp_status *status);

/* False after a breach by more replies than commands: no reply can be assigned
** to its command then. */
SMTP_FUNC bool smtp_client_in_step(const smtp_client *c);

/* Why the bytes that were fed cannot be the replies that are due; NULL if they
** can, or if all of them refuse the one message under way. Static. */
SMTP_FUNC const char *smtp_client_stray(const smtp_client *c);

SMTP_FUNC smtp_slice smtp_client_peek(const smtp_client *c);
SMTP_FUNC void smtp_client_sent(smtp_client *c, size_t n);

/*
** Queues a command. SMTP_EBUSY: replies must be read (or bytes written)
** first, then submit again; SMTP_ESTATE: not legal now; SMTP_EINVALID: bytes
** that may not be in a command, or a line over SMTP_LINE_MAX. After a failure
** nothing was queued.
*/
SMTP_FUNC int smtp_client_submit(smtp_client *c, smtp_slice name,
                                 smtp_slice args);

/* MAIL or RCPT with its parameters; the same results. */
SMTP_FUNC int smtp_client_submit_path(smtp_client *c, smtp_verb verb,
                                      const smtp_path *path,
                                      const smtp_param *params, size_t n);

/*
** AUTH with a mechanism that was made for this (RFC 4954); the machine answers
** every 334 by it. Borrowed until the reply that is no 334. Results as
** smtp_client_submit; SMTP_EINVALID: a name or secret that it cannot carry.
*/
SMTP_FUNC int smtp_client_auth(smtp_client *c, smtp_sasl *sasl);

/* Why the exchange failed on our side, although the reply came: the challenge
** was wrong, or the server did not prove itself. "" if it did not. Static. */
SMTP_FUNC const char *smtp_client_auth_reason(const smtp_client *c);

/* Whether the reason is a challenge that the mechanism does not have: the
** server has errors in this mechanism, and another mechanism may work. */
SMTP_FUNC bool smtp_client_auth_broken(const smtp_client *c);

/* STARTTLS was answered by 220: the handshake is due. */
SMTP_FUNC bool smtp_client_paused(const smtp_client *c);

/*
** TLS stands, before the greeting or where smtp_client_paused; in the latter
** case all that the server said before is forgotten, and EHLO is due. 0, or
** SMTP_ESTATE.
*/
SMTP_FUNC int smtp_client_secured(smtp_client *c);

/*
** BDAT (RFC 3030) in the place of DATA: content is due at once, and goes out in
** chunks, each of which has a reply. The last one's is the final one. `binary`:
** no byte of it is changed. Results as smtp_client_submit.
*/
SMTP_FUNC int smtp_client_chunks(smtp_client *c, bool binary);

/*
** Takes content, after the 3xx of DATA or where it goes in chunks; *taken tells
** how many of its bytes. Fewer than n: write what is queued first. Line ends
** are mended. SMTP_ESTATE if content is not due; SMTP_EINVALID under
** strict_body.
*/
SMTP_FUNC int smtp_client_body(smtp_client *c, smtp_slice content,
                               size_t *taken);

/* The content is complete: the final dot, or the last chunk. SMTP_EBUSY: write
** what is queued first. */
SMTP_FUNC int smtp_client_finish(smtp_client *c);

/* The rest of content that goes in chunks does not come: what the server has of
** it waits for RSET. SMTP_ESTATE where it goes otherwise. */
SMTP_FUNC int smtp_client_abandon(smtp_client *c);

/* How many bytes were written in all. */
SMTP_FUNC uint64_t smtp_client_written(const smtp_client *c);

/* ---- whole messages -------------------------------------------------- */

/*
** Adds MAIL (verb) and then each RCPT to a transaction that was made with as
** many recipients, and is not sent yet. SMTP_EINVALID: it may not go out;
** SMTP_ENOMEM.
*/
SMTP_FUNC int smtp_client_plan(smtp_client *c, smtp_transaction *t,
                               smtp_verb verb, const smtp_path *path,
                               const smtp_param *params, size_t n);

/* A transaction for the content alone, where MAIL and RCPT were single commands
** that were answered. 0, or SMTP_ENOMEM. */
SMTP_FUNC int smtp_client_plan_open(smtp_client *c, smtp_transaction **t);

/*
** Sends a message; the transaction belongs to the machine from then on. If
** `whole` its content is `text`; else smtp_client_content gives it. 0;
** SMTP_EBUSY: the one before is not queued to its end; SMTP_ESTATE: MAIL is not
** legal now; a failure of before. After these the transaction is still the
** caller's.
*/
SMTP_FUNC int smtp_client_send(smtp_client *c, smtp_transaction *t);

/* Queues what may go out now; smtp_client_next does so too. 0, or a failure,
** which sticks. */
SMTP_FUNC int smtp_client_advance(smtp_client *c);

SMTP_FUNC smtp_client_want smtp_client_wants(const smtp_client *c);

/* Content of the message, where it is wanted, and its end; *taken as of
** smtp_client_body. SMTP_EBUSY: not now. */
SMTP_FUNC int smtp_client_content(smtp_client *c, smtp_slice content,
                                  size_t *taken);
SMTP_FUNC int smtp_client_end(smtp_client *c);

/* The rest of the content does not come. True: the server is told by RSET, and
** the replies due still come; false: only the end of the connection can tell. */
SMTP_FUNC bool smtp_client_give_up(smtp_client *c);

/* Whether no message is under way. */
SMTP_FUNC bool smtp_client_idle(const smtp_client *c);

/* The outcome of the first message under way, if nothing more is heard. */
SMTP_FUNC smtp_outcome smtp_client_outcome(const smtp_client *c);

/* The session is over: the next message that was under way; NULL if there is
** none. Borrowed until the next call. */
SMTP_FUNC smtp_transaction *smtp_client_lose(smtp_client *c);

/* Whether RSET is needed before another MAIL: what a message that failed has
** left at the server. smtp_client_send does that itself. */
SMTP_FUNC bool smtp_client_open(const smtp_client *c);

/* The session begins again, by the reply to XCLIENT. */
SMTP_FUNC void smtp_client_anew(smtp_client *c);

/* ---- facts ----------------------------------------------------------- */

SMTP_FUNC smtp_transcript *smtp_client_transcript(smtp_client *c);

SMTP_FUNC size_t smtp_client_outstanding(const smtp_client *c);

/* The step of the next reply, or after a breach the step where the protocol was
** broken; UNASKED if no reply is outstanding. */
SMTP_FUNC smtp_client_step smtp_client_awaits(const smtp_client *c);

/* Whether a reply may come now, 421 aside: all of a command was written. */
SMTP_FUNC bool smtp_client_expects(const smtp_client *c);

/* Whether content is begun, and not written to its end. */
SMTP_FUNC bool smtp_client_writes_content(const smtp_client *c);

/* A command may be sent: not over, no content due, no failure. */
SMTP_FUNC bool smtp_client_usable(const smtp_client *c);

#endif
