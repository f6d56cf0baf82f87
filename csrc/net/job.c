/* SPDX-License-Identifier: MIT */
/*
** job.c: a queue, one lock, and up to SMTP_JOB_THREADS threads that are made
** when there is work and none of them is free. The lock also guards the
** references and the state of every job: it is held for a few instructions,
** and jobs are rare.
*/
#include "feature.h"

#include "job.h"
#include "pin.h"
#include "wake.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

struct smtp_job {
  void (*run)(void *data);
  void (*destroy)(void *data);
  void *data;
  smtp_wake wake;
  smtp_job *next; /* in the queue */
  int refs;
  bool done;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t more = PTHREAD_COND_INITIALIZER;
static smtp_job *head, *tail;
static int threads, idle, waiting; /* waiting: the length of the queue */

static void beforefork(void) {
  pthread_mutex_lock(&lock);
}

static void inparent(void) {
  pthread_mutex_unlock(&lock);
}

/* The child has no helper, and what was queued is the parent's to do. */
static void inchild(void) {
  head = tail = NULL;
  threads = idle = waiting = 0;
  pthread_cond_init(&more, NULL);
  pthread_mutex_unlock(&lock);
}

/* Pinned first: a fork handler in an unloaded object would be fatal. */
static void prepare(void) {
  smtp_pin();
  pthread_atfork(beforefork, inparent, inchild);
}

/* Drops a reference; the lock is held, and is given back. */
static void unref(smtp_job *job) {
  bool last = --job->refs == 0;
  pthread_mutex_unlock(&lock);
  if (!last) return;
  smtp_wake_clear(&job->wake);
  job->destroy(job->data);
  free(job);
}

static smtp_job *takejob(void) {
  smtp_job *job;
  idle++;
  while (!head) pthread_cond_wait(&more, &lock);
  idle--;
  job = head;
  head = job->next;
  if (!head) tail = NULL;
  waiting--;
  return job;
}

static void *helper(void *unused) {
  (void)unused;
  for (;;) {
    smtp_job *job;
    pthread_mutex_lock(&lock);
    job = takejob();
    pthread_mutex_unlock(&lock);
    job->run(job->data);
    pthread_mutex_lock(&lock);
    job->done = true;
    if (job->refs > 1) smtp_wake_signal(&job->wake);
    unref(job);
  }
  return NULL;
}

/* A thread inherits the mask of its maker: signals are the program's. */
static int makethread(void) {
  sigset_t all, old;
  pthread_attr_t attr;
  pthread_t thread;
  int error = pthread_attr_init(&attr);
  if (error) return error;
  pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  error = pthread_create(&thread, &attr, helper, NULL);
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  pthread_attr_destroy(&attr);
  return error;
}

static smtp_job *newjob(void (*run)(void *data), void (*destroy)(void *data),
                        void *data) {
  smtp_job *job = calloc(1, sizeof *job);
  if (!job) return NULL;
  if (smtp_wake_init(&job->wake) < 0) {
    int error = errno;
    free(job);
    errno = error;
    return NULL;
  }
  job->run = run;
  job->destroy = destroy;
  job->data = data;
  job->refs = 1;
  return job;
}

static void freejob(smtp_job *job) {
  smtp_wake_clear(&job->wake);
  free(job);
}

/* The lock is held. */
static void enqueue(smtp_job *job) {
  job->refs++;
  if (tail)
    tail->next = job;
  else
    head = job;
  tail = job;
  waiting++;
  pthread_cond_signal(&more);
}

smtp_job *smtp_job_start(void (*run)(void *data), void (*destroy)(void *data),
                         void *data) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  smtp_job *job;
  bool queued;
  int error = 0;
  pthread_once(&once, prepare);
  if (!(job = newjob(run, destroy, data))) return NULL;
  pthread_mutex_lock(&lock);
  if (waiting >= idle && threads < SMTP_JOB_THREADS) {
    error = makethread();
    if (!error) threads++;
  }
  queued = threads > 0; /* fewer threads than wished will also do */
  if (queued) enqueue(job);
  pthread_mutex_unlock(&lock);
  if (queued) return job;
  freejob(job);
  errno = error;
  return NULL;
}

smtp_job *smtp_job_finished(void (*destroy)(void *data), void *data) {
  smtp_job *job = newjob(NULL, destroy, data);
  if (!job) return NULL;
  job->done = true;
  smtp_wake_signal(&job->wake);
  return job;
}

int smtp_job_fd(const smtp_job *job) {
  return job->wake.fd;
}

bool smtp_job_done(smtp_job *job) {
  bool done;
  pthread_mutex_lock(&lock);
  done = job->done;
  pthread_mutex_unlock(&lock);
  return done;
}

void *smtp_job_data(smtp_job *job) {
  return job->data;
}

void smtp_job_release(smtp_job *job) {
  if (!job) return;
  pthread_mutex_lock(&lock);
  unref(job);
}
