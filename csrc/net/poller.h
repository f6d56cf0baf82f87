/* SPDX-License-Identifier: MIT */
/*
** poller.h: waits until one of many descriptors is ready. Level-triggered: an
** event comes again until its cause is gone. One interface over epoll, kqueue
** and poll, chosen when the poller is made.
**
** A descriptor must be set to 0 before it is closed, or its number, used again
** for another file, would never be watched. An event that smtp_poller_wait
** already gave may still name a number that was closed and used again since;
** it is then only a false alarm for a non-blocking reader.
**
** After a fork the child must make a poller of its own. With epoll the old one
** still is the parent's: the child may free it, but changes made with it would
** take the parent's descriptors away, so they fail with EPERM.
*/
#ifndef SMTP_NET_POLLER_H
#define SMTP_NET_POLLER_H

#include "../core/smtp.h"

#define SMTP_READ 1u
#define SMTP_WRITE 2u

/* In addition to other bits: if several processes wait for one file, such as
** an inherited listener, an event wakes one of them, not all (epoll; no effect
** elsewhere). */
#define SMTP_ALONE 4u

typedef struct smtp_poller smtp_poller;

typedef struct smtp_ready {
  int fd;
  unsigned bits; /* both after an error or hang-up: the next call tells it */
} smtp_ready;

/*
** backend is "epoll", "kqueue", "poll", or NULL for the best here. NULL and
** errno on failure (ENOTSUP: not on this system).
*/
SMTP_FUNC smtp_poller *smtp_poller_new(const char *backend);
SMTP_FUNC void smtp_poller_free(smtp_poller *p);

/*
** Sets the events to wait for at fd: SMTP_READ, SMTP_WRITE, both, or 0 to
** forget it. Costs no system call without a change. 0 or SMTP_ESYSTEM.
*/
SMTP_FUNC int smtp_poller_set(smtp_poller *p, int fd, unsigned bits);

/*
** Waits at most timeout seconds (negative: for ever) and fills in up to max
** (at least 1) events. Gives their number; 0 after the time, and also after a
** signal, so that the caller can check the effect of the signal.
** kqueue may give one descriptor twice, once for each bit.
*/
SMTP_FUNC int smtp_poller_wait(smtp_poller *p, double timeout,
                               smtp_ready *events, int max);

/* Waits for one descriptor, without a poller: 1 when it is ready, else as
** smtp_poller_wait; SMTP_ESYSTEM and errno on failure. */
SMTP_FUNC int smtp_poller_wait_one(int fd, unsigned bits, double timeout);

/* A descriptor that is readable when there are events; -1: poll has none. */
SMTP_FUNC int smtp_poller_fd(const smtp_poller *p);

/* Its back-end's name. */
SMTP_FUNC const char *smtp_poller_backend(const smtp_poller *p);

#endif
