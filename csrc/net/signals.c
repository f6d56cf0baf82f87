/* SPDX-License-Identifier: MIT */
/*
** signals.c: a handler writes the number to a pipe: it works wherever POSIX
** does, and no mask is left for children to inherit. A full pipe drops what is
** one of many signals to come already.
*/
#include "feature.h"

#include "signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

static int pipe_of[2] = {-1, -1};
static struct {
  int number;
  struct sigaction before;
} taken[SMTP_SIGNALS_MAX];
static size_t taken_n;

static void on_signal(int number) {
  int error = errno;
  unsigned char byte = (unsigned char)number;
  ssize_t n = write(pipe_of[1], &byte, 1);
  (void)n;
  errno = error;
}

static int set_flags(int fd) {
  return fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? -1
                                            : fcntl(fd, F_SETFL, O_NONBLOCK);
}

int smtp_signals_open(const int *numbers, size_t n) {
  struct sigaction action = {.sa_flags = SA_RESTART};
  size_t i;
  if (n > SMTP_SIGNALS_MAX || pipe_of[0] >= 0) {
    errno = n > SMTP_SIGNALS_MAX ? EINVAL : EBUSY;
    return SMTP_ESYSTEM;
  }
  if (pipe(pipe_of) < 0) return SMTP_ESYSTEM;
  if (set_flags(pipe_of[0]) < 0 || set_flags(pipe_of[1]) < 0) goto failed;
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  for (i = 0; i < n; i++) {
    taken[i].number = numbers[i];
    if (sigaction(numbers[i], &action, &taken[i].before) < 0) goto failed;
    taken_n = i + 1;
  }
  return pipe_of[0];
failed:
  smtp_signals_close();
  return SMTP_ESYSTEM;
}

int smtp_signals_take(void) {
  unsigned char byte;
  ssize_t n;
  do n = read(pipe_of[0], &byte, 1);
  while (n < 0 && errno == EINTR);
  return n == 1 ? byte : 0;
}

void smtp_signals_close(void) {
  int error = errno;
  while (taken_n > 0) {
    taken_n--;
    sigaction(taken[taken_n].number, &taken[taken_n].before, NULL);
  }
  if (pipe_of[0] >= 0) close(pipe_of[0]);
  if (pipe_of[1] >= 0) close(pipe_of[1]);
  pipe_of[0] = pipe_of[1] = -1;
  errno = error;
}
