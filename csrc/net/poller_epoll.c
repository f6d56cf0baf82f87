/* SPDX-License-Identifier: MIT */
/*
** poller_epoll.c: the Linux back-end. The state is the epoll descriptor in a
** small block. EPOLLHUP and EPOLLERR come unasked.
*/
#include "feature.h"

#include "poller_backend.h"

#ifdef SMTP_HAVE_EPOLL

#include "clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define BATCH 256 /* events of one call */

#ifndef EPOLLEXCLUSIVE
#define EPOLLEXCLUSIVE 0 /* an old system: all are woken, and one accepts */
#endif

typedef struct state {
  int fd;
} state;

static void *epoll_open(void) {
  state *s = malloc(sizeof *s);
  if (!s) return NULL;
  s->fd = epoll_create1(EPOLL_CLOEXEC);
  if (s->fd < 0) {
    int error = errno;
    free(s);
    errno = error;
    return NULL;
  }
  return s;
}

static void epoll_shut(void *p) {
  state *s = p;
  close(s->fd);
  free(s);
}

static int epoll_change(void *p, int fd, unsigned old, unsigned bits) {
  state *s = p;
  struct epoll_event e;
  memset(&e, 0, sizeof e);
  e.data.fd = fd;
  if (bits & SMTP_READ) e.events |= EPOLLIN;
  if (bits & SMTP_WRITE) e.events |= EPOLLOUT;
  if (bits & SMTP_ALONE) e.events |= EPOLLEXCLUSIVE;
  if (bits == 0) {
    /* closed before it was set to 0: the system has forgotten it already */
    if (epoll_ctl(s->fd, EPOLL_CTL_DEL, fd, &e) == 0) return 0;
    return errno == ENOENT || errno == EBADF ? 0 : -1;
  }
  if ((old | bits) & SMTP_ALONE && old != 0) { /* it cannot be modified */
    if (epoll_ctl(s->fd, EPOLL_CTL_DEL, fd, &e) < 0 && errno != ENOENT)
      return -1;
    old = 0;
  }
  if (old == 0) return epoll_ctl(s->fd, EPOLL_CTL_ADD, fd, &e);
  if (epoll_ctl(s->fd, EPOLL_CTL_MOD, fd, &e) == 0) return 0;
  return errno == ENOENT ? epoll_ctl(s->fd, EPOLL_CTL_ADD, fd, &e) : -1;
}

static int epoll_await(void *p, double timeout, smtp_ready *events, int max) {
  state *s = p;
  struct epoll_event got[BATCH];
  int i, n = epoll_wait(s->fd, got, max < BATCH ? max : BATCH,
                        smtp_clock_milliseconds(timeout));
  for (i = 0; i < n; i++) {
    uint32_t e = got[i].events;
    events[i].fd = got[i].data.fd;
    events[i].bits = 0;
    if (e & (EPOLLIN | EPOLLHUP | EPOLLERR)) events[i].bits |= SMTP_READ;
    if (e & (EPOLLOUT | EPOLLHUP | EPOLLERR)) events[i].bits |= SMTP_WRITE;
  }
  return n;
}

static int epoll_fd(const void *p) {
  const state *s = p;
  return s->fd;
}

const smtp_poller_type smtp_poller_epoll = {
    "epoll", epoll_open, epoll_shut, epoll_change, epoll_await, epoll_fd};

#endif
