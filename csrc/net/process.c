/* SPDX-License-Identifier: MIT */
/* process.c: see process.h for what this promises. */
#include "feature.h"

#include "job.h"
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Seconds for look-ups to end. Longer ones wait for the network, and hold no
** locks. */
#define PATIENCE 1

/* Restores SIGCHLD if it is ignored, which a process inherits. */
static void heed_children(void) {
  struct sigaction a;
  if (sigaction(SIGCHLD, NULL, &a) < 0) return;
  if (a.sa_handler != SIG_IGN && !(a.sa_flags & SA_NOCLDWAIT)) return;
  if (a.sa_handler == SIG_IGN) a.sa_handler = SIG_DFL;
  a.sa_flags &= ~SA_NOCLDWAIT;
  sigaction(SIGCHLD, &a, NULL);
}

pid_t smtp_process_fork(void) {
  pid_t child;
  int error;
  heed_children();
  fflush(NULL);
  smtp_job_pause(PATIENCE);
  child = fork();
  error = errno;
  smtp_job_resume();
  errno = error;
  return child < 0 ? SMTP_ESYSTEM : child;
}

int smtp_process_ended(pid_t child, int *status) {
  int how = 0;
  pid_t r;
  do r = waitpid(child, &how, WNOHANG);
  while (r < 0 && errno == EINTR);
  if (r == 0) return 0;
  if (r < 0)
    *status = -1;
  else
    *status = WIFSIGNALED(how) ? 128 + WTERMSIG(how) : WEXITSTATUS(how);
  return 1;
}

int smtp_process_signal(pid_t child, int number) {
  return kill(child, number) == 0 ? 0 : SMTP_ESYSTEM;
}

void smtp_process_exit(int status) {
  fflush(NULL);
  _exit(status);
}

size_t smtp_process_descriptors(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur > SIZE_MAX) return 0;
  return (size_t)limit.rlim_cur;
}

void smtp_process_trim(void) {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

int smtp_process_cpus(void) {
  long n = -1;
#if defined(CPU_COUNT) && !defined(SMTP_PORTABLE)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) n = CPU_COUNT(&set);
#endif
#ifdef _SC_NPROCESSORS_ONLN
  if (n < 1) n = sysconf(_SC_NPROCESSORS_ONLN);
#endif
  return n < 1 ? 1 : (int)n;
}

/* ---- the lifeline ---------------------------------------------------- */

#if defined(__linux__) && !defined(SMTP_PORTABLE)

static int open_pipe(int pair[2]) {
  return pipe2(pair, O_CLOEXEC | O_NONBLOCK);
}

#else

static int setflags(int fd) {
  return fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? -1
                                            : fcntl(fd, F_SETFL, O_NONBLOCK);
}

/* After a failure, too, the pair has the open ends. */
static int open_pipe(int pair[2]) {
  if (pipe(pair) < 0) return -1;
  return setflags(pair[0]) < 0 ? -1 : setflags(pair[1]);
}

#endif

static void shut(int *fd) {
  int error = errno;
  if (*fd >= 0) close(*fd);
  *fd = -1;
  errno = error;
}

int smtp_lifeline_open(smtp_lifeline *l) {
  int pair[2] = {-1, -1};
  int result = open_pipe(pair);
  l->reader = pair[0];
  l->writer = pair[1];
  if (result == 0) return 0;
  smtp_lifeline_close(l);
  return SMTP_ESYSTEM;
}

void smtp_lifeline_follow(smtp_lifeline *l) {
  shut(&l->writer);
}

void smtp_lifeline_close(smtp_lifeline *l) {
  shut(&l->writer);
  shut(&l->reader);
}
