/* SPDX-License-Identifier: MIT */
/*
** wake.c: both kinds take eight bytes: what an eventfd adds, a pipe carries. A
** full pipe or counter refuses more, and is readable already.
*/
#include "feature.h"

#include "wake.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#ifdef SMTP_HAVE_EVENTFD

#include <sys/eventfd.h>

int smtp_wake_init(smtp_wake *w) {
  w->fd = w->writer = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  return w->fd < 0 ? SMTP_ESYSTEM : 0;
}

#else

static int setflags(int fd) {
  return fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? -1
                                            : fcntl(fd, F_SETFL, O_NONBLOCK);
}

int smtp_wake_init(smtp_wake *w) {
  int pair[2];
  w->fd = w->writer = -1;
  if (pipe(pair) < 0) return SMTP_ESYSTEM;
  w->fd = pair[0];
  w->writer = pair[1];
  if (setflags(pair[0]) == 0 && setflags(pair[1]) == 0) return 0;
  smtp_wake_clear(w);
  return SMTP_ESYSTEM;
}

#endif

void smtp_wake_clear(smtp_wake *w) {
  int error = errno;
  if (w->writer >= 0 && w->writer != w->fd) close(w->writer);
  if (w->fd >= 0) close(w->fd);
  w->fd = w->writer = -1;
  errno = error;
}

void smtp_wake_signal(const smtp_wake *w) {
  uint64_t one = 1;
  while (write(w->writer, &one, sizeof one) < 0 && errno == EINTR) continue;
}

void smtp_wake_drain(const smtp_wake *w) {
  char bytes[64];
  ssize_t n;
  do n = read(w->fd, bytes, sizeof bytes);
  while (n == (ssize_t)sizeof bytes || (n < 0 && errno == EINTR));
}
