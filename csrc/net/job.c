/* SPDX-License-Identifier: MIT */
/*
** job.c: a queue for each lane, one lock, and up to SMTP_JOB_THREADS threads a
** lane. A thread is made when there is work and no thread is free. The lock
** also guards the references and the state of every job: it is held for a few
** instructions, and jobs are rare.
*/
#include "feature.h"

#include "job.h"
#include "pin.h"
#include "wake.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

struct smtp_job {
  void (*run)(void *data);
  void (*destroy)(void *data);
  void *data;
  smtp_wake wake;
  smtp_job *next; /* in the queue */
  int refs;
  bool done;
};

typedef struct lane {
  pthread_cond_t more;
  smtp_job *head, *tail;
  int threads, idle, waiting; /* waiting: the length of the queue */
  int running;
  bool paused;
} lane;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static lane lanes[] = {
    [SMTP_JOB_LOOKUP] = {.more = PTHREAD_COND_INITIALIZER},
    [SMTP_JOB_FILE] = {.more = PTHREAD_COND_INITIALIZER},
};

static pthread_cond_t settled = PTHREAD_COND_INITIALIZER; /* none runs */

static void beforefork(void) {
  pthread_mutex_lock(&lock);
}

static void inparent(void) {
  pthread_mutex_unlock(&lock);
}

/* The child has no helpers; queued jobs remain the parent's. */
static void inchild(void) {
  size_t i;
  for (i = 0; i < sizeof lanes / sizeof *lanes; i++) {
    lanes[i] = (lane){0};
    pthread_cond_init(&lanes[i].more, NULL);
  }
  pthread_cond_init(&settled, NULL);
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

static smtp_job *takejob(lane *l) {
  smtp_job *job;
  l->idle++;
  while (!l->head || l->paused) pthread_cond_wait(&l->more, &lock);
  l->idle--;
  l->running++;
  job = l->head;
  l->head = job->next;
  if (!l->head) l->tail = NULL;
  l->waiting--;
  return job;
}

static void *helper(void *arg) {
  lane *l = arg;
  for (;;) {
    smtp_job *job;
    bool wanted;
    pthread_mutex_lock(&lock);
    job = takejob(l);
    wanted = job->refs > 1 || l == &lanes[SMTP_JOB_FILE];
    pthread_mutex_unlock(&lock);
    if (wanted) job->run(job->data);
    pthread_mutex_lock(&lock);
    if (--l->running == 0) pthread_cond_broadcast(&settled);
    job->done = true;
    if (job->refs > 1) smtp_wake_signal(&job->wake);
    unref(job);
  }
  return NULL;
}

/* A thread inherits the mask of its maker: signals are the program's. */
static int makethread(lane *l) {
  sigset_t all, old;
  pthread_attr_t attr;
  pthread_t thread;
  int error = pthread_attr_init(&attr);
  if (error) return error;
  pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  error = pthread_create(&thread, &attr, helper, l);
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
static void enqueue(lane *l, smtp_job *job) {
  job->refs++;
  if (l->tail)
    l->tail->next = job;
  else
    l->head = job;
  l->tail = job;
  l->waiting++;
  pthread_cond_signal(&l->more);
}

smtp_job *smtp_job_start(smtp_job_lane where, void (*run)(void *data),
                         void (*destroy)(void *data), void *data) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  lane *l = &lanes[where];
  smtp_job *job;
  bool queued;
  int error = 0;
  pthread_once(&once, prepare);
  if (!(job = newjob(run, destroy, data))) return NULL;
  pthread_mutex_lock(&lock);
  if (l->waiting >= l->idle && l->threads < SMTP_JOB_THREADS) {
    error = makethread(l);
    if (!error) l->threads++;
  }
  queued = l->threads > 0; /* one thread is enough */
  if (queued) enqueue(l, job);
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

void smtp_job_pause(double seconds) {
  lane *l = &lanes[SMTP_JOB_LOOKUP];
  struct timespec limit = {0, 0};
  int error = 0;
  clock_gettime(CLOCK_REALTIME, &limit);
  seconds += (double)limit.tv_nsec * 1e-9;
  limit.tv_sec += (time_t)seconds;
  limit.tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9);
  pthread_mutex_lock(&lock);
  l->paused = true;
  while (l->running > 0 && !error)
    error = pthread_cond_timedwait(&settled, &lock, &limit);
  pthread_mutex_unlock(&lock);
}

void smtp_job_resume(void) {
  lane *l = &lanes[SMTP_JOB_LOOKUP];
  pthread_mutex_lock(&lock);
  l->paused = false;
  pthread_cond_broadcast(&l->more);
  pthread_mutex_unlock(&lock);
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
