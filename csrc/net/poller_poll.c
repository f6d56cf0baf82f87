/* SPDX-License-Identifier: MIT */
/*
** poller_poll.c: the back-end for any system. An array of struct pollfd
** without gaps, and a table that tells where in it a descriptor is. When more
** are ready than the caller has room for, the next call goes on behind the
** last one given, so that none starves.
*/
#include "feature.h"

#include "clock.h"
#include "poller_backend.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

typedef struct state {
  struct pollfd *list;
  size_t count;
  size_t size;  /* entries allocated in list */
  size_t *spot; /* by descriptor: its index in list, plus 1 */
  size_t spots; /* entries allocated in spot */
  size_t next;  /* where the next look at the results begins */
} state;

static void *poll_open(void) {
  return calloc(1, sizeof(state));
}

static void poll_close(void *p) {
  state *s = p;
  free(s->list);
  free(s->spot);
  free(s);
}

/* Room for one entry more, and for fd in the table. */
static int makeroom(state *s, size_t fd) {
  if (s->count == s->size) {
    size_t size = s->size ? s->size * 2 : 16;
    struct pollfd *list = realloc(s->list, size * sizeof *list);
    if (!list) return -1;
    s->list = list;
    s->size = size;
  }
  if (fd >= s->spots) {
    size_t spots = (fd + 64) / 64 * 128;
    size_t *spot = realloc(s->spot, spots * sizeof *spot);
    if (!spot) return -1;
    memset(spot + s->spots, 0, (spots - s->spots) * sizeof *spot);
    s->spot = spot;
    s->spots = spots;
  }
  return 0;
}

/* The last entry takes the place of the one that goes. */
static void removefd(state *s, size_t fd) {
  size_t i = s->spot[fd] - 1;
  s->list[i] = s->list[--s->count];
  s->spot[s->list[i].fd] = i + 1;
  s->spot[fd] = 0;
}

static int poll_change(void *p, int fd, unsigned old, unsigned bits) {
  state *s = p;
  struct pollfd *e;
  if (bits == 0) {
    removefd(s, (size_t)fd);
    return 0;
  }
  if (old == 0) {
    if (makeroom(s, (size_t)fd) < 0) return -1;
    s->list[s->count].fd = fd;
    s->list[s->count].revents = 0;
    s->spot[fd] = ++s->count;
  }
  e = &s->list[s->spot[fd] - 1];
  e->events = 0;
  if (bits & SMTP_READ) e->events |= POLLIN;
  if (bits & SMTP_WRITE) e->events |= POLLOUT;
  return 0;
}

static int poll_wait(void *p, double timeout, smtp_ready *events, int max) {
  state *s = p;
  size_t i, seen;
  int n = 0;
  int left = poll(s->list, (nfds_t)s->count, smtp_clock_milliseconds(timeout));
  if (left <= 0) return left;
  for (seen = 0; seen < s->count && n < max && left > 0; seen++) {
    short e;
    i = (s->next + seen) % s->count;
    if (!(e = s->list[i].revents)) continue;
    left--;
    events[n].fd = s->list[i].fd;
    events[n].bits = 0;
    if (e & (POLLIN | POLLHUP | POLLERR | POLLNVAL))
      events[n].bits |= SMTP_READ;
    if (e & (POLLOUT | POLLHUP | POLLERR | POLLNVAL))
      events[n].bits |= SMTP_WRITE;
    n++;
  }
  s->next = (s->next + seen) % s->count;
  return n;
}

static int poll_fd(const void *p) {
  (void)p;
  return -1;
}

const smtp_poller_type smtp_poller_poll = {"poll",      poll_open, poll_close,
                                           poll_change, poll_wait, poll_fd};
