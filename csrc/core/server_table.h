/* SPDX-License-Identifier: MIT */
/*
** server_table.h: the states of a server session, and the only table of its
** moves: state x event -> state. smtp_server_enter (server_state.c) is the only
** writer of the state and moves only by this table. fuzz/server.c checks its
** own model of a session against the table, and the documents' picture is drawn
** from it.
*/
#ifndef SMTP_SERVER_TABLE_H
#define SMTP_SERVER_TABLE_H

/* Bits, since a command names the states in which it is legal. */
enum state {
  ST_NEW = 0,
  ST_CONNECT = 1,   /* no greeting yet */
  ST_REFUSED = 2,   /* greeted with 554: only QUIT is left */
  ST_START = 4,     /* greeted, no HELO yet */
  ST_READY = 8,     /* HELO or EHLO was accepted */
  ST_MAIL = 16,     /* a transaction is open, no recipient was accepted */
  ST_RCPT = 32,     /* and one was */
  ST_BODY = 64,     /* content is coming */
  ST_CLOSED = 128,  /* the last reply is written */
  ST_TLS = 256,     /* STARTTLS was accepted: the handshake is due */
  ST_AUTH = 512,    /* a response of the client is due */
  ST_CHUNK = 1024,  /* the bytes of a BDAT are coming */
  ST_CHUNKS = 2048, /* a message is under way, between two of them */
  ST_SKIP = 4096,   /* the bytes of a refused BDAT are coming */
  ST_BEFORE = 8192  /* only as an end of a move: the state before ST_SKIP */
};

#define ST_OPEN (ST_START | ST_READY)
#define ST_CONTENT (ST_BODY | ST_CHUNK | ST_SKIP)
#define ST_TRANSACTION (ST_MAIL | ST_RCPT | ST_CHUNKS)
#define ST_LIVE                                                               \
  (ST_CONNECT | ST_REFUSED | ST_OPEN | ST_CONTENT | ST_TRANSACTION | ST_TLS | \
   ST_AUTH)

/* clang-format off */
/*
** move(event, states in which it counts, state after it). An event in another
** state changes nothing, such as dropping a transaction if there is none.
*/
#define SMTP_SERVER_MOVES(move)                                             \
  move(OPENED, ST_NEW, ST_CONNECT)           /* by our caller */            \
  move(GREETED, ST_CONNECT, ST_START)        /* with 220 */                 \
  move(TURNED_AWAY, ST_CONNECT, ST_REFUSED)  /* with 554 */                 \
  move(HELLO, ST_OPEN, ST_READY)             /* EHLO, HELO or LHLO */       \
  move(MAIL, ST_READY, ST_MAIL)              /* was accepted */             \
  move(RCPT, ST_MAIL | ST_RCPT, ST_RCPT)     /* was accepted */             \
  move(DATA, ST_RCPT, ST_BODY)               /* was accepted */             \
  move(CHUNK, ST_RCPT | ST_CHUNKS, ST_CHUNK) /* BDAT was accepted */        \
  move(CHUNK_READ, ST_CHUNK, ST_CHUNKS)      /* and is not the last */      \
  move(DROP, ST_TRANSACTION | ST_BODY | ST_CHUNK, ST_READY) /* its end */   \
  move(SKIP, ST_OPEN | ST_REFUSED, ST_SKIP)  /* BDAT was refused */         \
  move(SKIPPED, ST_SKIP, ST_BEFORE)          /* and was read */             \
  move(STARTTLS, ST_OPEN, ST_TLS)            /* 220 was written */          \
  move(SECURED, ST_TLS, ST_START)            /* TLS stands */               \
  move(AUTH, ST_READY, ST_AUTH)              /* an exchange began */        \
  move(AUTH_END, ST_AUTH, ST_READY)          /* by a verdict or without */  \
  move(XCLIENT, ST_OPEN, ST_CONNECT)         /* another client */           \
  move(CLOSE, ST_LIVE, ST_CLOSED)            /* by 421, QUIT or an end */
/* clang-format on */

enum move {
#define MOVE(event, from, to) MOVE_##event,
  SMTP_SERVER_MOVES(MOVE)
#undef MOVE
      MOVES
};

#endif
