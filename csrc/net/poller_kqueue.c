/* SPDX-License-Identifier: MIT */
/*
** poller_kqueue.c: the back-end of the BSDs and macOS. Reading and writing are
** two filters of a descriptor, so one descriptor may come twice. A kqueue is
** not inherited by fork: in a child its number is closed.
*/
#include "feature.h"

#include "poller_backend.h"

#ifdef SMTP_HAVE_KQUEUE

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/types.h>

#include <sys/event.h>
#include <sys/time.h>
#include <unistd.h>

#define BATCH 256   /* events of one call */
#define LONGEST 1e6 /* seconds; some systems refuse a much longer time */

typedef struct state {
  int fd;
  pid_t owner;
} state;

static void *kqueue_open(void) {
  state *s = malloc(sizeof *s);
  if (!s) return NULL;
  s->owner = getpid();
  s->fd = kqueue();
  if (s->fd < 0 || fcntl(s->fd, F_SETFD, FD_CLOEXEC) < 0) {
    int error = errno;
    if (s->fd >= 0) close(s->fd);
    free(s);
    errno = error;
    return NULL;
  }
  return s;
}

/* In a child the number may be another file's by now. */
static void kqueue_close(void *p) {
  state *s = p;
  if (s->owner == getpid()) close(s->fd);
  free(s);
}

/* Adds or removes one filter if its bit changed. */
static int setfilter(state *s, int fd, short filter, unsigned was,
                     unsigned is) {
  struct kevent e;
  if (!was == !is) return 0;
  EV_SET(&e, (uintptr_t)fd, filter, is ? EV_ADD : EV_DELETE, 0, 0, 0);
  if (kevent(s->fd, &e, 1, NULL, 0, NULL) == 0) return 0;
  /* closed before it was set to 0: the system has forgotten it already */
  return !is && (errno == ENOENT || errno == EBADF) ? 0 : -1;
}

static int kqueue_change(void *p, int fd, unsigned old, unsigned bits) {
  state *s = p;
  if (setfilter(s, fd, EVFILT_READ, old & SMTP_READ, bits & SMTP_READ) < 0)
    return -1;
  if (setfilter(s, fd, EVFILT_WRITE, old & SMTP_WRITE, bits & SMTP_WRITE) == 0)
    return 0;
  /* half a change would be forgotten by the table: take it back */
  setfilter(s, fd, EVFILT_READ, bits & SMTP_READ, old & SMTP_READ);
  return -1;
}

static int kqueue_wait(void *p, double timeout, smtp_ready *events, int max) {
  state *s = p;
  struct kevent got[BATCH];
  struct timespec t;
  int i, n;
  if (timeout > LONGEST) timeout = LONGEST;
  if (timeout >= 0) {
    t.tv_sec = (time_t)timeout;
    t.tv_nsec = (long)((timeout - (double)t.tv_sec) * 1e9);
  }
  n = kevent(s->fd, NULL, 0, got, max < BATCH ? max : BATCH,
             timeout < 0 ? NULL : &t);
  for (i = 0; i < n; i++) {
    events[i].fd = (int)got[i].ident;
    events[i].bits = got[i].filter == EVFILT_READ ? SMTP_READ : SMTP_WRITE;
    if (got[i].flags & (EV_EOF | EV_ERROR))
      events[i].bits = SMTP_READ | SMTP_WRITE;
  }
  return n;
}

static int kqueue_fd(const void *p) {
  const state *s = p;
  return s->fd;
}

const smtp_poller_type smtp_poller_kqueue = {
    "kqueue", kqueue_open, kqueue_close, kqueue_change, kqueue_wait, kqueue_fd};

#endif
