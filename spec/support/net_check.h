/* SPDX-License-Identifier: MIT */
/* net_check.h: what the programs net_check.c and net_faults.c share. */
#ifndef SMTP_NET_CHECK_H
#define SMTP_NET_CHECK_H

#include "../../csrc/net/feature.h"

#include "../../csrc/net/job.h"
#include "../../csrc/net/wake.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define REQUIRE(x)                           \
  do {                                       \
    if (!(x)) {                              \
      printf("line %d: %s\n", __LINE__, #x); \
      fflush(stdout);                        \
      _exit(1);                              \
    }                                        \
  } while (0)

/* Jobs: one that does nothing; one that signals the wake and never ends. */
static void nothing(void *data) {
  (void)data;
}

static void block(void *data) {
  smtp_wake_signal(data);
  for (;;) pause();
}

static void await(smtp_job *job) {
  struct pollfd p;
  p.fd = smtp_job_fd(job);
  p.events = POLLIN;
  REQUIRE(poll(&p, 1, 20000) == 1);
  REQUIRE(smtp_job_done(job));
}

/* Status of a child. */
static int outcome(pid_t child) {
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

struct check {
  const char *name;
  void (*run)(void);
};

/* Runs the check that the argument names: the status of the program. */
static int run_check(const struct check *checks, size_t n, int argc,
                     char **argv) {
  size_t i;
  alarm(60);
  for (i = 0; i < n; i++) {
    if (argc == 2 && strcmp(argv[1], checks[i].name) == 0) {
      checks[i].run();
      return 0;
    }
  }
  printf("no such check\n");
  return 2;
}

#endif
