/* SPDX-License-Identifier: MIT */
/*
** net_check.c: a program for spec/net/jobs_spec.lua, of what a spec in Lua
** cannot do: fork, keep a helper thread busy, see its signal mask. The argument
** names the check; the status is 0 if all was right, and the failed line is
** printed if not. An alarm ends a check that hangs.
*/
#include "net_check.h"

#include "../../csrc/net/clock.h"
#include "../../csrc/net/job.h"
#include "../../csrc/net/poller.h"
#include "../../csrc/net/process.h"
#include "../../csrc/net/resolve.h"
#include "../../csrc/net/spool.h"
#include "../../csrc/net/wake.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Whole milliseconds, rounded up and no further. */
static void milliseconds(void) {
  REQUIRE(smtp_clock_milliseconds(0) == 0);
  REQUIRE(smtp_clock_milliseconds(0.25) == 250);
  REQUIRE(smtp_clock_milliseconds(0.2500625) == 251);
  REQUIRE(smtp_clock_milliseconds(0.0000625) == 1);
  REQUIRE(smtp_clock_milliseconds(3) == 3000);
  REQUIRE(smtp_clock_milliseconds(-0.5) == -1);
  REQUIRE(smtp_clock_milliseconds(-1) == -1);
  REQUIRE(smtp_clock_milliseconds(1e6) == 1000000000);
  REQUIRE(smtp_clock_milliseconds(2147483.645) == 2147483645);
  REQUIRE(smtp_clock_milliseconds(2147483.648) == INT_MAX);
  REQUIRE(smtp_clock_milliseconds(1e300) == INT_MAX);
  REQUIRE(smtp_clock_milliseconds((double)NAN) == INT_MAX);
}

/* A name that need not be looked up fails as one that is not found does. */
static void names(void) {
  static char long_name[2000];
  const smtp_slice none[] = {
      {"", 0}, {"a\0b", 3}, {long_name, sizeof long_name}};
  size_t i;
  memset(long_name, 'x', sizeof long_name);
  for (i = 0; i < sizeof none / sizeof *none; i++) {
    smtp_job *job = smtp_resolve_start(none[i], 25);
    const smtp_addresses *found;
    REQUIRE(job && smtp_job_done(job));
    REQUIRE((found = smtp_resolve_result(job)) != NULL);
    REQUIRE(found->count == 0 && found->code == EAI_NONAME);
    REQUIRE(!smtp_resolve_temporary(found));
    smtp_job_release(job);
  }
}

/* Both ends stay in this process, and nobody waits at them. */
static void lifeline(void) {
  smtp_lifeline line;
  int i;
  REQUIRE(smtp_lifeline_open(&line) == 0);
  for (i = 0; i < 2; i++) {
    int fd = i == 0 ? line.reader : line.writer;
    REQUIRE((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    REQUIRE((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
  }
  smtp_lifeline_close(&line);
  REQUIRE(line.reader == -1 && line.writer == -1);
}

static void exitwhileblocked(void) {
  smtp_wake started;
  struct pollfd p;
  int i;
  REQUIRE(smtp_wake_init(&started) == 0);
  for (i = 0; i < 2 * SMTP_JOB_THREADS; i++)
    REQUIRE(smtp_job_start(SMTP_JOB_FILE, block, nothing, &started));
  p.fd = started.fd;
  p.events = POLLIN;
  REQUIRE(poll(&p, 1, 20000) == 1);
  exit(0);
}

static void forbidden(void *data) {
  (void)data;
  abort();
}

static void runone(void);

/* Look-ups that hang: files go on, and what nobody wants is never begun. */
static void lanes(void) {
  smtp_wake started;
  int i;
  REQUIRE(smtp_wake_init(&started) == 0);
  for (i = 0; i < 2 * SMTP_JOB_THREADS; i++)
    REQUIRE(smtp_job_start(SMTP_JOB_LOOKUP, block, nothing, &started));
  for (i = 0; i < 50; i++) {
    smtp_job *job =
        smtp_job_start(SMTP_JOB_LOOKUP, forbidden, nothing, &started);
    REQUIRE(job);
    smtp_job_release(job);
  }
  runone();
  exit(0);
}

static void readmask(void *data) {
  pthread_sigmask(SIG_SETMASK, NULL, data);
}

static void signals(void) {
  static sigset_t mask, own;
  smtp_job *job = smtp_job_start(SMTP_JOB_FILE, readmask, nothing, &mask);
  REQUIRE(job);
  await(job);
  REQUIRE(sigismember(&mask, SIGINT) && sigismember(&mask, SIGALRM) &&
          sigismember(&mask, SIGCHLD) && sigismember(&mask, SIGXFSZ));
  smtp_job_release(job);
  pthread_sigmask(SIG_SETMASK, NULL, &own);
  REQUIRE(!sigismember(&own, SIGINT));
}

typedef struct number {
  int in, out;
} number;

static void square(void *data) {
  number *n = data;
  n->out = n->in * n->in;
}

static void many(void) {
  enum { ROUNDS = 20, WIDTH = 50 };
  smtp_job *jobs[WIDTH];
  int round, i;
  for (round = 0; round < ROUNDS; round++) {
    for (i = 0; i < WIDTH; i++) {
      number *n = calloc(1, sizeof *n);
      REQUIRE(n);
      n->in = i;
      REQUIRE((jobs[i] = smtp_job_start(SMTP_JOB_FILE, square, free, n)));
    }
    for (i = 0; i < WIDTH; i++) {
      await(jobs[i]);
      REQUIRE(((number *)smtp_job_data(jobs[i]))->out == i * i);
      smtp_job_release(jobs[i]);
    }
  }
}

static smtp_wake destroyed;

static void tell(void *data) {
  free(data);
  smtp_wake_signal(&destroyed);
}

/* The helper destroys what nobody waits for any more. */
static void releasefirst(void) {
  int i;
  REQUIRE(smtp_wake_init(&destroyed) == 0);
  for (i = 0; i < 200; i++) {
    struct pollfd p;
    number *n = calloc(1, sizeof *n);
    smtp_job *job = smtp_job_start(SMTP_JOB_FILE, square, tell, n);
    REQUIRE(job);
    smtp_job_release(job);
    p.fd = destroyed.fd;
    p.events = POLLIN;
    REQUIRE(poll(&p, 1, 20000) == 1);
    smtp_wake_drain(&destroyed);
    REQUIRE(poll(&p, 1, 0) == 0);
  }
}

/* A job as any other: what is in the queue is the parent's. */
static void runone(void) {
  number *n = calloc(1, sizeof *n);
  smtp_job *job;
  n->in = 7;
  REQUIRE((job = smtp_job_start(SMTP_JOB_FILE, square, free, n)));
  await(job);
  REQUIRE(n->out == 49);
  smtp_job_release(job);
}

static void forkjob(void) {
  int i;
  runone();
  for (i = 0; i < 50; i++) {
    number *n = calloc(1, sizeof *n);
    smtp_job *job = smtp_job_start(SMTP_JOB_FILE, square, free, n);
    pid_t child;
    REQUIRE(job);
    REQUIRE((child = fork()) >= 0);
    if (child == 0) {
      alarm(20);
      runone();
      smtp_job_release(job);
      runone();
      _exit(0);
    }
    await(job);
    smtp_job_release(job);
    REQUIRE(outcome(child) == 0);
  }
}

/* A child must not wait for locks that look-ups hold. */
static void forklookup(void) {
  int i, k;
  for (i = 0; i < 50; i++) {
    smtp_job *jobs[8];
    pid_t child;
    for (k = 0; k < 8; k++)
      REQUIRE((jobs[k] = smtp_resolve_start(SMTP_LIT("localhost"), 25)));
    REQUIRE((child = smtp_process_fork()) >= 0);
    if (child == 0) {
      smtp_job *job;
      alarm(10);
      REQUIRE((job = smtp_resolve_start(SMTP_LIT("localhost"), 25)));
      await(job);
      smtp_job_release(job);
      smtp_process_exit(0);
    }
    for (k = 0; k < 8; k++) {
      await(jobs[k]);
      smtp_job_release(jobs[k]);
    }
    REQUIRE(outcome(child) == 0);
  }
}

static void forkpoller(void) {
  static const char *const names[] = {"epoll", "poll"};
  size_t i;
  for (i = 0; i < 2; i++) {
    int pair[2];
    smtp_ready ready[4];
    smtp_poller *p = smtp_poller_new(names[i]);
    pid_t child;
    if (!p) continue;
    REQUIRE(pipe(pair) == 0);
    REQUIRE(smtp_poller_set(p, pair[0], SMTP_READ) == 0);
    REQUIRE((child = fork()) >= 0);
    if (child == 0) {
      smtp_poller *own = smtp_poller_new(names[i]);
      REQUIRE(smtp_poller_set(p, pair[0], 0) == SMTP_ESYSTEM);
      REQUIRE(errno == EPERM);
      smtp_poller_free(p);
      REQUIRE(own && smtp_poller_set(own, pair[1], SMTP_WRITE) == 0);
      REQUIRE(smtp_poller_wait(own, 5, ready, 4) == 1);
      _exit(0);
    }
    REQUIRE(outcome(child) == 0);
    REQUIRE(write(pair[1], "x", 1) == 1);
    REQUIRE(smtp_poller_wait(p, 5, ready, 4) == 1);
    REQUIRE(ready[0].fd == pair[0] && ready[0].bits == SMTP_READ);
    smtp_poller_free(p);
  }
}

static void forkspool(void) {
  smtp_spool *s = smtp_spool_new(SMTP_LIT("a.tmp"));
  const char *path = NULL;
  smtp_job *job;
  int error = -1;
  pid_t child;
  REQUIRE(s);
  REQUIRE(smtp_spool_write(s, "abc", 3) == 0);
  REQUIRE((child = fork()) >= 0);
  if (child == 0) {
    smtp_spool_free(s); /* as lua_close does */
    _exit(0);
  }
  REQUIRE(outcome(child) == 0);
  REQUIRE(access("a.tmp", F_OK) == 0);
  REQUIRE((job = smtp_spool_commit(s, SMTP_LIT("a"), false, 0)));
  await(job);
  REQUIRE(smtp_spool_result(job, &error, &path) && error == 0);
  smtp_job_release(job);
  REQUIRE(access("a", F_OK) == 0 && access("a.tmp", F_OK) < 0);
  REQUIRE(unlink("a") == 0);
}

/* Those that were synced: the system's fsync, which is for folders here. */
static struct stat synced[8];
static int synced_n;

int fsync(int fd) {
  REQUIRE(synced_n < 8 && fstat(fd, &synced[synced_n++]) == 0);
  return fdatasync(fd);
}

static void hassynced(const char *path) {
  struct stat s;
  int i, found = 0;
  REQUIRE(stat(path, &s) == 0);
  for (i = 0; i < synced_n; i++)
    found += synced[i].st_ino == s.st_ino && synced[i].st_dev == s.st_dev;
  REQUIRE(found == 1);
}

static void commitabove(smtp_slice target, int above) {
  smtp_spool *s = smtp_spool_new(SMTP_LIT("box/new/tmp"));
  const char *path = NULL;
  smtp_job *job;
  int error = -1;
  synced_n = 0;
  REQUIRE(s && (job = smtp_spool_commit(s, target, false, above)));
  await(job);
  REQUIRE(smtp_spool_result(job, &error, &path) && error == 0);
  smtp_job_release(job);
  REQUIRE(synced_n == 1 + above);
}

/* The folder of the target, and so many that name it. */
static void folders(void) {
  REQUIRE(mkdir("box", 0700) == 0 && mkdir("box/new", 0700) == 0);
  commitabove(SMTP_LIT("box/new/a"), 0);
  hassynced("box/new");
  commitabove(SMTP_LIT("box/new/b"), 1);
  hassynced("box/new");
  hassynced("box");
  commitabove(SMTP_LIT("box/new/c"), 2);
  hassynced("box/new");
  hassynced("box");
  hassynced(".");
  commitabove(SMTP_LIT("./box///new//d"), 2);
  hassynced("box/new");
  hassynced("box");
  hassynced(".");
  REQUIRE(unlink("box/new/a") == 0 && unlink("box/new/b") == 0);
  REQUIRE(unlink("box/new/c") == 0 && unlink("box/new/d") == 0);
  REQUIRE(rmdir("box/new") == 0 && rmdir("box") == 0);
}

/* Signals do not add up beyond what the system can hold. */
static void wake(void) {
  smtp_wake w;
  struct pollfd p;
  int i;
  REQUIRE(smtp_wake_init(&w) == 0);
  p.fd = w.fd;
  p.events = POLLIN;
  REQUIRE(poll(&p, 1, 0) == 0);
  for (i = 0; i < 20000; i++) smtp_wake_signal(&w);
  REQUIRE(poll(&p, 1, 0) == 1);
  smtp_wake_drain(&w);
  REQUIRE(poll(&p, 1, 0) == 0);
  smtp_wake_drain(&w);
  smtp_wake_clear(&w);
  smtp_wake_clear(&w);
}

int main(int argc, char **argv) {
  static const struct check checks[] = {
      {"exit-while-blocked", exitwhileblocked},
      {"lanes", lanes},
      {"signals", signals},
      {"many", many},
      {"release-first", releasefirst},
      {"fork-job", forkjob},
      {"fork-lookup", forklookup},
      {"fork-poller", forkpoller},
      {"fork-spool", forkspool},
      {"folders", folders},
      {"wake", wake},
      {"milliseconds", milliseconds},
      {"names", names},
      {"lifeline", lifeline}};
  return run_check(checks, sizeof checks / sizeof *checks, argc, argv);
}
