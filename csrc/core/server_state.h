/* SPDX-License-Identifier: MIT */
/*
** server_state.h: what the files of the server machine share, and nobody
** else: server.c moves bytes and time, server_command.c knows the commands,
** server_reply.c makes the replies.
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
  ST_CONNECT = 1, /* no greeting yet */
  ST_REFUSED = 2, /* greeted with 554: only QUIT is left */
  ST_START = 4,   /* greeted, no HELO yet */
  ST_READY = 8,   /* HELO or EHLO was accepted */
  ST_MAIL = 16,   /* a transaction is open, no recipient was accepted */
  ST_RCPT = 32,   /* and one was */
  ST_BODY = 64,   /* content is coming */
  ST_CLOSED = 128 /* the last reply is written */
};

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
  bool greets_esmtp; /* the greeting that waits for its verdict is EHLO */
  size_t space;      /* how much to receive at once */
  size_t recipients, over, messages, errors, junk;
  smtp_path path;
  /* the message at hand */
  smtp_body body;
  smtp_dot_decoder dot;
  smtp_dot_encoder mend;
  smtp_header header;
  smtp_situation refusal;
  uint64_t size;
  bool ended;
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

/* server_command.c: moves the state after a verdict whose code is sent. */
SMTP_FUNC void smtp_server_proceed(smtp_server *s, int code);

/* server_command.c: the transaction ends, whatever its state. */
SMTP_FUNC void smtp_server_drop(smtp_server *s);

/* server_reply.c: writes the reply of a situation, counts an error of the
** peer, and closes where the reply's code is 421 or the situation says so. */
SMTP_FUNC int smtp_server_answer(smtp_server *s, smtp_situation situation);

#endif
