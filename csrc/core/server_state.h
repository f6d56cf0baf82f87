/* SPDX-License-Identifier: MIT */
/*
** server_state.h: the common part of the files of the server machine, for them
** only. Each calls only those before it:
**
**   server_table.h    states and moves
**   server_state.c    the writer of the state, the end of a transaction
**   server_offer.c    the offers of EHLO
**   server_reply.c    the reply of a situation
**   server_io.c       bytes and time
**   server_auth.c     STARTTLS and AUTH
**   server_xclient.c  XCLIENT and XFORWARD
**   server_body.c     content, of DATA or of chunks
**   server_chunk.c    BDAT
**   server_command.c  the commands and the states in which each is legal
**   server_verdict.c  the reply and the move of a verdict
**   server.c          the next event
*/
#ifndef SMTP_SERVER_STATE_H
#define SMTP_SERVER_STATE_H

#include "buf.h"
#include "command.h"
#include "dot.h"
#include "header.h"
#include "server.h"
#include "server_table.h"

/* Output is bounded by the replies to one read. */
#define SMTP_SERVER_OUT_MAX (1024 * 1024)

/* Bytes of a channel binding or of the name in a certificate, at most. */
#define SECURED_MAX 256

/* The bindings of the handshake. */
struct secured {
  char exporter[SECURED_MAX], endpoint[SECURED_MAX], name[SECURED_MAX];
  size_t exporter_n, endpoint_n, name_n;
};

struct smtp_server {
  const smtp_mem *mem;
  const smtp_server_config *config;
  enum state state, before;     /* smtp_server_enter writes them */
  smtp_server_event_type asked; /* the event whose verdict is due */
  int error;                    /* sticky */
  smtp_situation why;           /* what closed the session */
  smtp_situation ending;        /* close with this between commands */
  smtp_buf in, out;
  smtp_buf facts; /* with trace: replies of which nobody was told yet */
  size_t space;   /* how much to receive at once */
  smtp_path path;
  struct {
    bool spoke;    /* bytes were sent: the peer may speak */
    bool eof;      /* the peer's stream has ended */
    bool reported; /* CLOSE was given */
  } stream;
  struct {
    bool discarding; /* in the middle of one that is too long */
    bool cr;         /* while discarding: the last byte was CR */
    bool traced;     /* it was told as a fact */
    bool passed;     /* and nobody answers it in place of the machine */
    bool utf8;       /* SMTPUTF8 of a VRFY */
    double since;    /* of the first byte of an incomplete one; < 0: none */
  } line;            /* the command line at hand */
  struct {
    bool reset;       /* a RESET fact */
    bool auth_failed; /* an AUTH_FAILED fact */
    bool judge;       /* AUTH: credentials wait for a verdict */
  } due;              /* events that come before the next command */
  struct {
    bool esmtp;
    bool greets_esmtp;  /* the greeting that waits for its verdict is EHLO */
    bool secured;       /* bytes come through TLS */
    bool authenticated; /* AUTH succeeded */
    unsigned trusted;   /* OR of enum smtp_forward */
  } peer;
  struct {
    size_t messages, errors, junk;
  } count; /* of the session */
  struct {
    smtp_body body;
    bool utf8;      /* SMTPUTF8 */
    bool prdr;      /* a reply for each recipient was asked for */
    bool forwarded; /* XFORWARD told of it */
    size_t recipients, over;
  } mail; /* the transaction at hand */
  struct {
    smtp_dot_decoder dot;
    smtp_dot_encoder mend;
    smtp_buf mended; /* after SMTP_BARE_NORMALIZE */
    smtp_header header;
    smtp_buf head; /* with keep_header: the header up to now */
    smtp_situation refusal;
    uint64_t size;
    bool ended;
    size_t replies, said; /* that the message gets, and that it got */
    bool taken;           /* one of them was good */
    double since;         /* it began, less the time of handlers */
    double handed; /* since when a handler has its turn; < 0: it has not */
  } content;       /* of the message at hand */
  struct {
    uint64_t left;   /* bytes that are still to come */
    bool last;       /* it is the last of its message */
    bool waits;      /* for the verdict on DATA */
    size_t answered; /* in ST_SKIP: bytes of out before its reply */
  } chunk;
  struct {
    size_t before; /* bytes of out before the 220 */
    bool told;     /* the event was given */
  } starttls;
  struct secured *tls; /* NULL without TLS */
  struct {
    smtp_sasl *sasl; /* while an exchange is under way */
    size_t failures;
    bool refusing; /* the refusal waits for one more response */
    struct {
      smtp_verdict verdict;
      int code;
      smtp_buf text;
    } kept; /* it */
  } auth;
  smtp_attributes told; /* of the last XCLIENT or XFORWARD; its values are in */
  smtp_buf forward;     /* this */
  double now;
  double active; /* of the last byte in or out, or verdict */
  double hold;   /* nothing goes out and no command is read before */
};

/* ---- server_state.c -------------------------------------------------- */

/* Moves by the table; an event that has no row in this state changes nothing. */
SMTP_FUNC void smtp_server_enter(smtp_server *s, enum move move);

/* Ends the transaction, if there is one, and drops its facts. */
SMTP_FUNC void smtp_server_drop(smtp_server *s);

/* Ends the transaction without a message; RESET reports that. */
SMTP_FUNC void smtp_server_abandon(smtp_server *s);

/* ---- server_offer.c -------------------------------------------------- */

/* The extensions of the configuration, and the mechanisms, that are available
** now. */
SMTP_FUNC unsigned smtp_server_extensions(const smtp_server *s);
SMTP_FUNC unsigned smtp_server_mechanisms(const smtp_server *s);

/* The attributes in the order of their offer, and the commands of each (OR of
** enum smtp_forward). */
SMTP_FUNC smtp_slice smtp_server_attribute(smtp_attribute a, unsigned *of);

/* Appends the reply to EHLO. */
SMTP_FUNC int smtp_server_offer(const smtp_server *s, smtp_buf *out);

/* ---- server_reply.c -------------------------------------------------- */

/* Writes the reply of a situation, counts an error of the peer, and closes
** where the reply's code is 421 or the situation says so. */
SMTP_FUNC int smtp_server_answer(smtp_server *s, smtp_situation situation);

/* A 334 with these bytes. */
SMTP_FUNC int smtp_server_challenge(smtp_server *s, smtp_slice bytes);

/* Writes the reply of a verdict on a stage, or of a situation that wins over
** the verdict (why is not NONE). Gives its code, or a failure. */
SMTP_FUNC int smtp_server_put(smtp_server *s, smtp_server_event_type stage,
                              smtp_situation why, smtp_verdict verdict,
                              int code, smtp_slice text);

/* ---- server_auth.c --------------------------------------------------- */

/* The checks of its commands, as smtp_server_line; and a line of the exchange. */
SMTP_FUNC int smtp_server_starttls(smtp_server *s, const smtp_command *c,
                                   smtp_server_event *event);
SMTP_FUNC int smtp_server_auth(smtp_server *s, const smtp_command *c,
                               smtp_server_event *event);
SMTP_FUNC int smtp_server_response(smtp_server *s, smtp_slice line,
                                   smtp_server_event *event);

/* Asks for the verdict on the credentials. */
SMTP_FUNC int smtp_server_judge(smtp_server *s, smtp_server_event *event);

/* The verdict on AUTH is a refusal: 1 if a challenge goes first; the verdict is
** kept until the client has answered. */
SMTP_FUNC int smtp_server_auth_refused(smtp_server *s, smtp_verdict verdict,
                                       int code, smtp_slice text);

/* Counts wrong credentials; true if these are the last allowed. */
SMTP_FUNC bool smtp_server_auth_failed(smtp_server *s);

/* Ends the exchange and wipes its secrets. */
SMTP_FUNC void smtp_server_auth_end(smtp_server *s);

/* ---- server_xclient.c ------------------------------------------------ */

/* The check of XCLIENT and XFORWARD; the verb, or OTHER if the command is not
** available. */
SMTP_FUNC int smtp_server_forward(smtp_server *s, const smtp_command *c,
                                  smtp_server_event *event);
SMTP_FUNC smtp_verb smtp_server_known(const smtp_server *s, smtp_verb verb);

/* ---- server_body.c --------------------------------------------------- */

/* The content of a message begins. */
SMTP_FUNC void smtp_server_begin(smtp_server *s);

/* One turn within content; its end: the verdicts are asked for. */
SMTP_FUNC int smtp_server_body(smtp_server *s, smtp_server_event *event);

/* ---- server_chunk.c -------------------------------------------------- */

/* BDAT, as smtp_server_line; why: it is refused. */
SMTP_FUNC int smtp_server_chunk(smtp_server *s, smtp_slice args,
                                smtp_situation why, smtp_server_event *event);

/* A BDAT is refused: its bytes are skipped, then its reply goes out, which
** stands in out from before on. */
SMTP_FUNC void smtp_server_skip(smtp_server *s, size_t before);

/* ---- server_command.c ------------------------------------------------ */

/* One line of input, without its CRLF. 1 if *event asks, 0 if it was answered,
** or a failure. */
SMTP_FUNC int smtp_server_line(smtp_server *s, smtp_slice line,
                               smtp_server_event *event);

#endif
