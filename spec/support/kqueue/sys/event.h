/* SPDX-License-Identifier: MIT */
/*
** sys/event.h: declarations only, so that poller_kqueue.c is compiled (never
** linked or run) on a system without kqueue and cannot rot there:
**   cc -DSMTP_HAVE_KQUEUE -Ispec/support/kqueue -fsyntax-only ...
** The values have no meaning.
*/
#ifndef SMTP_SPEC_KQUEUE_EVENT_H
#define SMTP_SPEC_KQUEUE_EVENT_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct kevent {
  uintptr_t ident;
  short filter;
  unsigned short flags;
  unsigned int fflags;
  intptr_t data;
  void *udata;
};

enum { EVFILT_READ = -1, EVFILT_WRITE = -2 };
enum { EV_ADD = 1, EV_DELETE = 2, EV_ERROR = 4, EV_EOF = 8 };

#define EV_SET(e, id, filt, flag, fflag, dat, user) \
  do {                                              \
    (e)->ident = (id);                              \
    (e)->filter = (filt);                           \
    (e)->flags = (flag);                            \
    (e)->fflags = (fflag);                          \
    (e)->data = (dat);                              \
    (e)->udata = (user);                            \
  } while (0)

int kqueue(void);
int kevent(int kq, const struct kevent *changes, int changed,
           struct kevent *events, int count, const struct timespec *timeout);

#endif
