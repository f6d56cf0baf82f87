/* SPDX-License-Identifier: MIT */
/*
** poller_backend.h: the functions of a back-end for poller.c. The state is the
** back-end's own; poller.c remembers the interest of each descriptor and calls
** change only if it differs. Failures are -1 and errno.
*/
#ifndef SMTP_NET_POLLER_BACKEND_H
#define SMTP_NET_POLLER_BACKEND_H

#include "poller.h"

typedef struct smtp_poller_type {
  const char *name;
  void *(*open)(void); /* NULL and errno on failure */
  void (*close)(void *state);
  /* old and bits differ; each is 0 while fd is not watched */
  int (*change)(void *state, int fd, unsigned old, unsigned bits);
  /* as smtp_poller_wait, EINTR included */
  int (*wait)(void *state, double timeout, smtp_ready *events, int max);
  int (*fd)(const void *state);
} smtp_poller_type;

SMTP_FUNC extern const smtp_poller_type smtp_poller_epoll;
SMTP_FUNC extern const smtp_poller_type smtp_poller_kqueue;
SMTP_FUNC extern const smtp_poller_type smtp_poller_poll;

#endif
