/* SPDX-License-Identifier: MIT */
/*
** pump.h: moves bytes between a socket and a session machine, through TLS once
** there is some, with as few system calls as there can be: one recv and one
** send a turn. It asks the system for more only when the caller waited, or
** when the last read filled all of the room. What is plain is read directly
** into the machine's own buffer.
*/
#ifndef SMTP_NET_PUMP_H
#define SMTP_NET_PUMP_H

#include "../core/smtp.h"
#include "tls.h"
#include <stdbool.h>

/* The verbs of a session machine; m is the machine. */
typedef struct smtp_machine {
  int (*space)(void *m, char **place, size_t *room);
  void (*fed)(void *m, size_t n);
  void (*eof)(void *m);
  smtp_slice (*peek)(void *m);
  void (*sent)(void *m, size_t n);
} smtp_machine;

typedef struct smtp_pump {
  const smtp_machine *verbs;
  void *m;
  int fd;          /* -1: there is no socket */
  smtp_tls *tls;   /* NULL: clear text. Owned */
  bool readable;   /* a read is worth its system call */
  bool quickack;   /* acknowledge what is not answered at once (servers) */
  bool unanswered; /* bytes came, and nothing was written since */
} smtp_pump;

SMTP_FUNC void smtp_pump_init(smtp_pump *p, const smtp_machine *verbs, void *m,
                              int fd);

/* Closes the socket, after close_notify if it can be written at once. */
SMTP_FUNC void smtp_pump_close(smtp_pump *p);

/* Ends our stream: close_notify, and the end of TCP's; reading goes on. */
SMTP_FUNC void smtp_pump_shutdown(smtp_pump *p);

/* From here on all goes through TLS, which the pump owns. What was read
** already must have been taken by the machine. */
SMTP_FUNC void smtp_pump_secure(smtp_pump *p, smtp_tls *tls);

/*
** Goes on with the handshake: 1 done; 0 the client wants a name, see
** smtp_tls_choose; SMTP_EBUSY: wait for reading, or for both if there is
** something to write (smtp_pump_waits); SMTP_ETLS; SMTP_ESYSTEM and errno.
*/
SMTP_FUNC int smtp_pump_handshake(smtp_pump *p);

/* Bytes that wait to be written, the machine's or those of TLS. */
SMTP_FUNC bool smtp_pump_waits(const smtp_pump *p);

/* Writes what the machine has: 0 all of it, SMTP_EBUSY wait for writing,
** SMTP_ESYSTEM and errno, SMTP_ETLS. */
SMTP_FUNC int smtp_pump_flush(smtp_pump *p);

/*
** Reads once: 1 the machine was fed, or was told the end; SMTP_EBUSY wait for
** reading, then call again; SMTP_ESYSTEM and errno; SMTP_ETLS: the stream was
** cut off or is broken; the machine's failures.
*/
SMTP_FUNC int smtp_pump_receive(smtp_pump *p);

/* The same, but it asks the system even if it seems to be in vain: a look
** whether the peer speaks too early. */
SMTP_FUNC int smtp_pump_look(smtp_pump *p);

#endif
