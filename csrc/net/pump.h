/* SPDX-License-Identifier: MIT */
/*
** pump.h: moves bytes between a socket and a session machine, with as few
** system calls as there can be: one recv into the machine's own buffer and
** one send from it a turn. It asks the system for more only when the caller
** waited, or when the last read filled all of the room.
*/
#ifndef SMTP_NET_PUMP_H
#define SMTP_NET_PUMP_H

#include "../core/smtp.h"
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
  bool readable;   /* a read is worth its system call */
  bool quickack;   /* acknowledge what is not answered at once (servers) */
  bool unanswered; /* bytes came, and nothing was written since */
} smtp_pump;

SMTP_FUNC void smtp_pump_init(smtp_pump *p, const smtp_machine *verbs, void *m,
                              int fd);

/* Writes what the machine has: 0 all of it, SMTP_EBUSY wait for writing,
** SMTP_ESYSTEM and errno. */
SMTP_FUNC int smtp_pump_flush(smtp_pump *p);

/*
** Reads once: 1 the machine was fed, or was told the end; SMTP_EBUSY wait for
** reading, then call again; SMTP_ESYSTEM and errno; the machine's failures.
*/
SMTP_FUNC int smtp_pump_receive(smtp_pump *p);

#endif
