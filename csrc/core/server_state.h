/* SPDX-License-Identifier: MIT */
/*
** server_state.h: what the files of the server machine share, and nobody
** else: server.c moves bytes and time, server_command.c knows the commands,
** server_body.c and server_chunk.c the content, server_reply.c makes the
** replies, server_auth.c does STARTTLS and AUTH, server_xclient.c XCLIENT.
*/
#ifndef SMTP_SERVER_STATE_H
#define SMTP_SERVER_STATE_H

#include "buf.h"
#include "command.h"
#include "dot.h"
#include "header.h"
#include "server.h"

/* Where a session stands; a command names the states in which it is legal. */
enum state {
  ST_CONNECT = 1,  /* no greeting yet */
  ST_REFUSED = 2,  /* greeted with 554: only QUIT is left */
  ST_START = 4,    /* greeted, no HELO yet */
  ST_READY = 8,    /* HELO or EHLO was accepted */
  ST_MAIL = 16,    /* a transaction is open, no recipient was accepted */
  ST_RCPT = 32,    /* and one was */
  ST_BODY = 64,    /* content is coming */
  ST_CLOSED = 128, /* the last reply is written */
  ST_TLS = 256,    /* STARTTLS was accepted: the handshake is due */
  ST_AUTH = 512,   /* a response of the client is due */
  ST_CHUNK = 1024, /* the bytes of a BDAT are coming */
  ST_CHUNKS = 2048 /* a message is under way, between two of them */
};

#define ST_CONTENT (ST_BODY | ST_CHUNK)
#define ST_TRANSACTION (ST_MAIL | ST_RCPT | ST_CHUNKS)

/* Output is bounded by the replies to one read. */
#define OUT_MAX (1024 * 1024)

/* The most that a channel binding or the name in a certificate may have. */
#define SECURED_MAX 256

struct smtp_server {
  const smtp_mem *mem;
  const smtp_server_config *config;
  smtp_buf in, out;
  smtp_buf facts;  /* with trace: replies of which nobody was told yet */
  smtp_buf mended; /* content after SMTP_BARE_NORMALIZE */
  int error;       /* sticky */
  enum state state;
  smtp_server_event_type asked; /* the event whose verdict is due */
  smtp_situation why;           /* what closed the session */
  smtp_situation ending;        /* close with this between commands */
  bool esmtp;
  bool spoke;        /* bytes were sent: the peer may speak */
  bool eof;          /* the peer's stream has ended */
  bool reported;     /* CLOSE was given */
  bool discarding;   /* in the middle of a line that is too long */
  bool cr;           /* while discarding: the last byte was CR */
  bool reset_due;    /* a RESET fact is to be given */
  bool traced;       /* the line at hand was told as a fact */
  bool passed;       /* and nobody answers it in place of the machine */
  bool greets_esmtp; /* the greeting that waits for its verdict is EHLO */
  size_t space;      /* how much to receive at once */
  size_t recipients, over, messages, errors, junk;
  smtp_path path;
  /* the message at hand */
  smtp_body body;
  bool utf8;      /* SMTPUTF8 of the transaction */
  bool utf8_once; /* of the VRFY at hand */
  smtp_dot_decoder dot;
  smtp_dot_encoder mend;
  smtp_header header;
  smtp_buf head; /* with keep_header: the header up to now */
  smtp_situation refusal;
  uint64_t size;
  bool ended;
  bool prdr;            /* a reply for each recipient was asked for */
  size_t replies, said; /* that the message gets, and that it got */
  bool taken;           /* one of them was good */
  struct {
    uint64_t left;   /* bytes that are still to come */
    bool last;       /* it is the last of its message */
    bool waits;      /* for the verdict on DATA */
    bool refused;    /* it is dropped, and its reply waits until it was read */
    size_t answered; /* bytes of out before that reply */
  } chunk;
  enum state after_chunk; /* that was refused */
  /* TLS and AUTH */
  bool secured;       /* bytes come through TLS */
  bool authenticated; /* AUTH succeeded */
  size_t before_tls;  /* bytes of out before the 220 to STARTTLS */
  bool told_tls;      /* STARTTLS was given */
  bool judging;       /* AUTH is to be given */
  size_t auth_failures;
  bool failure_due; /* the event AUTH_FAILED is next */
  smtp_sasl *sasl;  /* while an exchange is under way */
  bool refusing;    /* the refusal waits for one more response */
  struct {
    smtp_verdict verdict;
    int code;
    smtp_buf text;
  } kept;
  struct secured {
    char exporter[SECURED_MAX], endpoint[SECURED_MAX], name[SECURED_MAX];
    size_t exporter_n, endpoint_n, name_n;
  } * tls; /* what the handshake left; NULL without TLS */
  /* XCLIENT and XFORWARD */
  unsigned trusted;     /* OR of enum smtp_forward */
  bool forwarded;       /* XFORWARD is of the transaction */
  smtp_attributes told; /* of the last of them; its values are in forward */
  smtp_buf forward;
  /* time */
  double now;
  double active;     /* of the last byte in or out, or verdict */
  double line_since; /* of the first byte of an incomplete line; < 0: none */
  double hold;       /* nothing goes out and no command is read before */
  double body_since; /* when content began, less the time of handlers */
  double handed;     /* since when a handler has its turn; < 0: it has not */
};

/* server_command.c: one line of input, without its CRLF. 1 if *event asks,
** 0 if it was answered, or a failure. */
SMTP_FUNC int smtp_server_line(smtp_server *s, smtp_slice line,
                               smtp_server_event *event);

/* server_command.c: the extensions of the configuration that are there now. */
SMTP_FUNC unsigned smtp_server_extensions(const smtp_server *s);

/* server_command.c: what speaks against a BDAT here, or NONE. */
SMTP_FUNC smtp_situation smtp_server_may_chunk(const smtp_server *s);

/* server_command.c: the content of a message begins. */
SMTP_FUNC void smtp_server_begin(smtp_server *s);

/* server_chunk.c: BDAT, as smtp_server_line; why: it is refused. */
SMTP_FUNC int smtp_server_chunk(smtp_server *s, smtp_slice args,
                                smtp_situation why, smtp_server_event *event);

/* server_chunk.c: a reply was made where out had `before` bytes: that to the
** verdict on DATA where a chunk waits for it. */
SMTP_FUNC void smtp_server_chunk_decided(smtp_server *s, int code,
                                         size_t before);

/* server_chunk.c: what of the input is of the chunk; *end: the message is at
** its end. */
SMTP_FUNC smtp_slice smtp_server_chunk_take(smtp_server *s, bool *end);

/* server_chunk.c: all of a chunk was read: as a turn. */
SMTP_FUNC int smtp_server_chunk_end(smtp_server *s, smtp_server_event *event);

/* server_body.c: one turn within content; its end: the verdicts are asked for. */
SMTP_FUNC int smtp_server_body(smtp_server *s, smtp_server_event *event);
SMTP_FUNC int smtp_server_message(smtp_server *s, smtp_server_event *event);

/* server_command.c: moves the state after a verdict whose code is sent. */
SMTP_FUNC void smtp_server_proceed(smtp_server *s, int code);

/* server_command.c: the transaction ends, whatever its state. */
SMTP_FUNC void smtp_server_drop(smtp_server *s);

/* server_auth.c: the checks of its commands; what the client says within the
** exchange, as smtp_server_line; the mechanisms that can be had now. */
SMTP_FUNC int smtp_server_starttls(smtp_server *s, const smtp_command *c,
                                   smtp_server_event *event);
SMTP_FUNC int smtp_server_auth(smtp_server *s, const smtp_command *c,
                               smtp_server_event *event);
SMTP_FUNC int smtp_server_response(smtp_server *s, smtp_slice line,
                                   smtp_server_event *event);
SMTP_FUNC unsigned smtp_server_mechanisms(const smtp_server *s);

/* server_auth.c: asks for the verdict on the credentials. */
SMTP_FUNC int smtp_server_judge(smtp_server *s, smtp_server_event *event);

/* server_auth.c: bytes of the peer where TLS is due. */
SMTP_FUNC int smtp_server_injected(smtp_server *s);

/* server_auth.c: the verdict on AUTH is no: 1 if a challenge goes first, and
** the verdict is kept until it was answered. */
SMTP_FUNC int smtp_server_auth_refused(smtp_server *s, smtp_verdict verdict,
                                       int code, smtp_slice text);

/* server_auth.c: counts wrong credentials; true if these are the last allowed.
** */
SMTP_FUNC bool smtp_server_auth_failed(smtp_server *s);

/* server_auth.c: the exchange is over; what it held is wiped. */
SMTP_FUNC void smtp_server_auth_end(smtp_server *s);

/* server_xclient.c: the check of XCLIENT and XFORWARD; the verb, or OTHER for
** one of them that there is not; their lines in EHLO's reply. */
SMTP_FUNC int smtp_server_forward(smtp_server *s, const smtp_command *c,
                                  smtp_server_event *event);
SMTP_FUNC smtp_verb smtp_server_known(const smtp_server *s, smtp_verb verb);
SMTP_FUNC int smtp_server_offer_forward(const smtp_server *s, smtp_buf *out);

/* server_reply.c: a 334 with these bytes. */
SMTP_FUNC int smtp_server_challenge(smtp_server *s, smtp_slice bytes);

/* server_reply.c: writes the reply of a situation, counts an error of the
** peer, and closes where the reply's code is 421 or the situation says so. */
SMTP_FUNC int smtp_server_answer(smtp_server *s, smtp_situation situation);

#endif
