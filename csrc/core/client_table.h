/* SPDX-License-Identifier: MIT */
/*
** client_table.h: the states of a client session, by the commands that were
** submitted and the replies that were read, and the one table of its moves:
** state x event -> state. smtp_client_enter (client_state.c) is the only writer
** of the state; the documents' picture is drawn of the table.
*/
#ifndef SMTP_CLIENT_TABLE_H
#define SMTP_CLIENT_TABLE_H

/* Bits, since a command names the states in which it is legal. */
enum state {
  ST_NEW = 0,      /* before it is OPENED */
  ST_GREETING = 1, /* the greeting is due */
  ST_START = 2,    /* no EHLO was accepted */
  ST_READY = 4,    /* no transaction is open */
  ST_MAIL = 8,     /* MAIL was submitted */
  ST_RCPT = 16,    /* RCPT was submitted */
  ST_DATA = 32,    /* DATA was submitted */
  ST_BODY = 64,    /* the content is due */
  ST_CHUNKS = 128, /* the content is due, and goes in chunks */
  ST_FINAL = 256,  /* all of the content was queued */
  ST_AUTH = 512,   /* AUTH was submitted */
  ST_TLS = 1024,   /* STARTTLS was submitted, or its 220 was read */
  ST_OVER = 2048   /* QUIT was submitted, or the server ended the session */
};

#define ST_IDLE (ST_START | ST_READY | ST_MAIL | ST_RCPT)
#define ST_CONTENT (ST_BODY | ST_CHUNKS)
#define ST_LIVE \
  (ST_GREETING | ST_IDLE | ST_DATA | ST_CONTENT | ST_FINAL | ST_AUTH | ST_TLS)

/* clang-format off */
/*
** move(event, states in which it counts, state after it). An event in another
** state changes nothing.
*/
#define SMTP_CLIENT_MOVES(move)                                             \
  move(OPENED, ST_NEW, ST_GREETING)            /* a connection stands */    \
  move(GREETED, ST_GREETING, ST_START)         /* whatever was said */      \
  move(HELLO, ST_IDLE, ST_READY)               /* EHLO was accepted */      \
  move(MAIL, ST_READY | ST_FINAL, ST_MAIL)     /* was submitted */          \
  move(MAIL_REFUSED, ST_MAIL, ST_READY)        /* and nothing behind it */  \
  move(RCPT, ST_MAIL | ST_RCPT, ST_RCPT)       /* was submitted */          \
  move(DATA, ST_RCPT, ST_DATA)                 /* was submitted */          \
  move(WANTED, ST_DATA, ST_BODY)               /* by a 3xx */               \
  move(UNWANTED, ST_DATA, ST_RCPT)             /* DATA was refused */       \
  move(CHUNKS, ST_RCPT, ST_CHUNKS)             /* in the place of DATA */   \
  move(ABANDONED, ST_CHUNKS, ST_RCPT)          /* the rest does not come */ \
  move(COMPLETE, ST_CONTENT, ST_FINAL)         /* the content was queued */ \
  move(ANSWERED, ST_FINAL, ST_READY)           /* and has its reply */      \
  move(RSET, ST_READY | ST_MAIL | ST_RCPT | ST_CHUNKS | ST_FINAL, ST_READY) \
  move(AUTH, ST_READY, ST_AUTH)                /* was submitted */          \
  move(AUTH_END, ST_AUTH, ST_READY)            /* accepted or refused */    \
  move(UNPROVEN, ST_AUTH, ST_OVER)             /* the server was not */     \
  move(STARTTLS, ST_READY, ST_TLS)             /* was submitted */          \
  move(NO_TLS, ST_TLS, ST_READY)               /* STARTTLS was refused */   \
  move(SECURED, ST_TLS, ST_START)              /* TLS stands */             \
  move(QUIT, ST_IDLE, ST_OVER)                 /* was submitted */          \
  move(ENDED, ST_LIVE, ST_OVER)                /* by the server */
/* clang-format on */

enum move {
#define MOVE(event, from, to) MOVE_##event,
  SMTP_CLIENT_MOVES(MOVE)
#undef MOVE
      MOVES
};

#endif
