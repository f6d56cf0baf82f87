/* SPDX-License-Identifier: MIT */
/*
** poller.c: the interest of each descriptor, in a table by number, above one
** of the back-ends. Descriptors are small and dense, so a byte for each is
** less than any map.
*/
#include "feature.h"

#include "clock.h"
#include "poller.h"
#include "poller_backend.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct smtp_poller {
  const smtp_poller_type *type;
  void *state;
  unsigned char *bits; /* by descriptor */
  int size;            /* descriptors in bits */
  pid_t owner;         /* the process that may change it */
};

/* The best first. */
static const smtp_poller_type *const types[] = {
#ifdef SMTP_HAVE_EPOLL
    &smtp_poller_epoll,
#endif
#ifdef SMTP_HAVE_KQUEUE
    &smtp_poller_kqueue,
#endif
    &smtp_poller_poll,
};

static const smtp_poller_type *findtype(const char *name) {
  size_t i;
  if (!name) return types[0];
  for (i = 0; i < sizeof types / sizeof *types; i++)
    if (strcmp(name, types[i]->name) == 0) return types[i];
  return NULL;
}

smtp_poller *smtp_poller_new(const char *backend) {
  const smtp_poller_type *type = findtype(backend);
  smtp_poller *p;
  if (!type) {
    errno = ENOTSUP;
    return NULL;
  }
  if (!(p = calloc(1, sizeof *p))) return NULL;
  p->type = type;
  p->owner = getpid();
  if (!(p->state = type->open())) {
    int error = errno;
    free(p);
    errno = error;
    return NULL;
  }
  return p;
}

void smtp_poller_free(smtp_poller *p) {
  if (!p) return;
  p->type->close(p->state);
  free(p->bits);
  free(p);
}

/* Makes the table reach fd. */
static int growtable(smtp_poller *p, int fd) {
  int size = p->size < 64 ? 64 : p->size;
  unsigned char *bits;
  if (fd < p->size) return 0;
  while (size <= fd) size = size > INT_MAX / 2 ? INT_MAX : size * 2;
  if (!(bits = realloc(p->bits, (size_t)size))) return -1;
  memset(bits + p->size, 0, (size_t)(size - p->size));
  p->bits = bits;
  p->size = size;
  return 0;
}

int smtp_poller_set(smtp_poller *p, int fd, unsigned bits) {
  unsigned old;
  bits &= SMTP_READ | SMTP_WRITE | SMTP_ALONE;
  if (bits == SMTP_ALONE) bits = 0;
  if (fd < 0 || fd == INT_MAX) {
    errno = EBADF;
    return SMTP_ESYSTEM;
  }
  old = fd < p->size ? p->bits[fd] : 0;
  if (old == bits) return 0;
  if (getpid() != p->owner) {
    errno = EPERM;
    return SMTP_ESYSTEM;
  }
  if (growtable(p, fd) < 0) return SMTP_ESYSTEM;
  if (p->type->change(p->state, fd, old, bits) < 0) return SMTP_ESYSTEM;
  p->bits[fd] = (unsigned char)bits;
  return 0;
}

int smtp_poller_wait(smtp_poller *p, double timeout, smtp_ready *events,
                     int max) {
  int n = p->type->wait(p->state, timeout, events, max);
  if (n >= 0) return n;
  return errno == EINTR ? 0 : SMTP_ESYSTEM;
}

int smtp_poller_wait_one(int fd, unsigned bits, double timeout) {
  struct pollfd one = {fd, 0, 0};
  int n;
  if ((bits & SMTP_READ) != 0) one.events |= POLLIN;
  if ((bits & SMTP_WRITE) != 0) one.events |= POLLOUT;
  n = poll(&one, 1, smtp_clock_milliseconds(timeout));
  if (n >= 0) return n;
  return errno == EINTR ? 0 : SMTP_ESYSTEM;
}

int smtp_poller_fd(const smtp_poller *p) {
  return p->type->fd(p->state);
}

const char *smtp_poller_backend(const smtp_poller *p) {
  return p->type->name;
}
