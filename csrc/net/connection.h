/* SPDX-License-Identifier: MIT */
/*
** connection.h: the driver of a session: a machine, a socket, and TLS once
** there is some. A step asks the machine for its next event, writes and reads
** until there is one, or says what to wait for. It makes as few system calls as
** there can be: one recv and one send a turn. It asks the system for more only
** when the caller waited, or when the last read filled all of the room. Plain
** bytes are read directly into the machine's own buffer.
*/
#ifndef SMTP_NET_CONNECTION_H
#define SMTP_NET_CONNECTION_H

#include "../core/smtp.h"
#include "tls.h"
#include <stdbool.h>

/* Permissions of a machine for its driver. */
enum smtp_may {
  SMTP_MAY_WRITE = 1, /* write the bytes that peek gives */
  SMTP_MAY_READ = 2,  /* read, once these are written */
  SMTP_MAY_BOTH = 4,  /* read also while they cannot be written */
  SMTP_MAY_LOOK = 8   /* read before they are written: bytes of the peer that
                         come now are an attack */
};

/* The verbs of a machine m. Its owner takes the event of next. */
typedef struct smtp_verbs {
  int (*space)(void *m, char **place, size_t *room);
  void (*fed)(void *m, size_t n);
  void (*eof)(void *m);
  smtp_slice (*peek)(void *m);
  void (*sent)(void *m, size_t n);
  int (*next)(void *m);     /* 1: an event; 0: there is none; a failure */
  unsigned (*may)(void *m); /* OR of enum smtp_may */
  void (*lost)(void *m);    /* socket or TLS failed, as if the peer had gone;
                               NULL: the step fails */
} smtp_verbs;

typedef struct smtp_connection {
  const smtp_verbs *verbs;
  void *m;
  int fd;          /* -1: there is no socket */
  smtp_tls *tls;   /* NULL: clear text. Owned */
  unsigned waits;  /* after a step: OR of SMTP_READ, SMTP_WRITE */
  unsigned reads;  /* since the last wait */
  bool readable;   /* a read is worth its system call */
  bool quickack;   /* acknowledge what is not answered at once (servers) */
  bool unanswered; /* bytes came, and nothing was written since */
  bool lost;       /* the machine was told so: nothing is moved any more */
  bool again;      /* after a step: others have their turn, then step again */
} smtp_connection;

SMTP_FUNC void smtp_connection_init(smtp_connection *c, const smtp_verbs *verbs,
                                    void *m, int fd);

/*
** Goes on until there is an event: 1. 0: wait for what waits says; for the
** machine's time alone if that is nothing. SMTP_ESYSTEM and errno, SMTP_ETLS:
** the stream is broken, of a machine that has no lost; the machine's failures.
*/
SMTP_FUNC int smtp_connection_step(smtp_connection *c);

/* Closes the socket, after close_notify if it can be written at once. */
SMTP_FUNC void smtp_connection_close(smtp_connection *c);

/* Ends our stream: close_notify, and the end of TCP's; reading goes on. */
SMTP_FUNC void smtp_connection_shutdown(smtp_connection *c);

/* From here on all goes through TLS, which the connection owns. What was read
** already must have been taken by the machine. */
SMTP_FUNC void smtp_connection_secure(smtp_connection *c, smtp_tls *tls);

/*
** Goes on with the handshake: 1 done; 0 the client wants a name, see
** smtp_tls_choose; SMTP_EBUSY: wait for reading, or for both if there is
** something to write (smtp_connection_waits); SMTP_ETLS; SMTP_ESYSTEM and errno.
*/
SMTP_FUNC int smtp_connection_handshake(smtp_connection *c);

/* Bytes that wait to be written, the machine's or those of TLS, and can be. */
SMTP_FUNC bool smtp_connection_waits(const smtp_connection *c);

/* Writes what the machine has: 0 all of it, SMTP_EBUSY wait for writing,
** SMTP_ESYSTEM and errno, SMTP_ETLS. */
SMTP_FUNC int smtp_connection_flush(smtp_connection *c);

/* As smtp_connection_flush, after a look if the machine wants one: 1: bytes of
** the peer came first, and nothing was written. */
SMTP_FUNC int smtp_connection_write(smtp_connection *c);

#endif
