/* SPDX-License-Identifier: MIT */
/*
** signals.c: by signalfd, so there is no handler. The signals are blocked in
** the thread that opens the watch; those of the library take none anyway.
*/
#include "feature.h"

#include "signals.h"

#include <errno.h>

#ifdef SMTP_HAVE_SIGNALFD

#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

int smtp_signals_open(smtp_signals *s, const int *numbers, size_t n) {
  size_t i;
  int error;
  s->fd = -1;
  sigemptyset(&s->mask);
  for (i = 0; i < n; i++) sigaddset(&s->mask, numbers[i]);
  error = pthread_sigmask(SIG_BLOCK, &s->mask, &s->before);
  if (error != 0) {
    errno = error;
    return SMTP_ESYSTEM;
  }
  s->fd = signalfd(-1, &s->mask, SFD_CLOEXEC | SFD_NONBLOCK);
  if (s->fd >= 0) return 0;
  error = errno;
  pthread_sigmask(SIG_SETMASK, &s->before, NULL);
  errno = error;
  return SMTP_ESYSTEM;
}

int smtp_signals_take(const smtp_signals *s) {
  struct signalfd_siginfo info;
  ssize_t n;
  do n = read(s->fd, &info, sizeof info);
  while (n < 0 && errno == EINTR);
  return n == (ssize_t)sizeof info ? (int)info.ssi_signo : 0;
}

void smtp_signals_close(smtp_signals *s) {
  int error = errno;
  if (s->fd < 0) return;
  close(s->fd);
  s->fd = -1;
  pthread_sigmask(SIG_SETMASK, &s->before, NULL);
  errno = error;
}

#else

int smtp_signals_open(smtp_signals *s, const int *numbers, size_t n) {
  (void)numbers;
  (void)n;
  s->fd = -1;
  errno = ENOSYS;
  return SMTP_ESYSTEM;
}

int smtp_signals_take(const smtp_signals *s) {
  (void)s;
  return 0;
}

void smtp_signals_close(smtp_signals *s) {
  s->fd = -1;
}

#endif
