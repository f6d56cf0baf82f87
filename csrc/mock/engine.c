/* SPDX-License-Identifier: MIT */
/*
** engine.c: a poller, a lock and stations; see engine.h. The lock is held but
** while it waits. Other threads only set flags and wake it: what concerns the
** poller is done by whoever steps.
*/
#include "../net/feature.h"

#include "engine.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../net/clock.h"
#include "../net/pin.h"
#include "../net/poller.h"
#include "../net/socket.h"
#include "../net/tls_context.h"

#define EVENTS 64
#define WATCHES 64 /* of a station */

struct smtp_station {
  smtp_station *next;
  smtp_engine *engine;
  smtp_mock *mock;
  int listener; /* -1: it does not listen */
  smtp_mock_session **sessions;
  size_t sessions_n;
  smtp_wake *watches[WATCHES];
  bool listed; /* the poller has the listener */
  bool stopping, stopped, settling, settled, news;
  pid_t owner;
};

struct smtp_engine {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  smtp_poller *poller;
  smtp_wake wake;
  smtp_station *stations;
  bool threaded, running, quitting;
  pthread_t thread;
  pid_t owner;
};

static smtp_engine shared = {.lock = PTHREAD_MUTEX_INITIALIZER,
                             .changed = PTHREAD_COND_INITIALIZER,
                             .wake = {-1, -1},
                             .threaded = true};

/* ---- sessions --------------------------------------------------------- */

static void drop(smtp_station *s, size_t i, double now) {
  int fd = smtp_mock_session_fd(s->sessions[i]);
  if (fd >= 0) smtp_poller_set(s->engine->poller, fd, 0);
  smtp_mock_session_free(s->sessions[i], now);
  s->sessions[i] = s->sessions[--s->sessions_n];
}

/* Steps session i; false: it is gone, and another one has its place. */
static bool step(smtp_station *s, size_t i, double now) {
  smtp_mock_session *session = s->sessions[i];
  s->news = true;
  if (!smtp_mock_session_step(session, now)) {
    drop(s, i, now);
    return false;
  }
  smtp_poller_set(s->engine->poller, smtp_mock_session_fd(session),
                  smtp_mock_session_waits(session));
  return true;
}

static void accept_all(smtp_station *s, double now) {
  for (;;) {
    smtp_address peer;
    smtp_mock_session *session, **more;
    int fd = smtp_socket_accept(s->listener, &peer);
    if (fd < 0) return; /* without descriptors left it tries at the next turn */
    more = realloc(s->sessions, (s->sessions_n + 1) * sizeof *more);
    if (more == NULL) {
      smtp_socket_close(fd);
      return;
    }
    s->sessions = more;
    session = smtp_mock_session_new(s->mock, fd, &peer, now);
    if (session == NULL) continue;
    more[s->sessions_n++] = session;
    step(s, s->sessions_n - 1, now);
  }
}

/* ---- turns ------------------------------------------------------------ */

static void close_station(smtp_station *s) {
  double now = smtp_clock_now();
  while (s->sessions_n > 0) drop(s, s->sessions_n - 1, now);
  if (s->listed) smtp_poller_set(s->engine->poller, s->listener, 0);
  if (s->listener >= 0) smtp_socket_close(s->listener);
  s->listed = false;
  s->listener = -1;
  s->stopped = true;
}

/* Stations come and go. */
static void manage(smtp_engine *e) {
  smtp_station **place = &e->stations;
  while (*place != NULL) {
    smtp_station *s = *place;
    if (s->stopping) {
      *place = s->next;
      close_station(s);
      pthread_cond_broadcast(&e->changed);
      continue;
    }
    if (!s->listed && smtp_poller_set(e->poller, s->listener, SMTP_READ) == 0)
      s->listed = true;
    place = &s->next;
  }
}

static void handle(smtp_engine *e, const smtp_ready *ready, double now) {
  smtp_station *s;
  size_t i;
  if (ready->fd == e->wake.fd) {
    smtp_wake_drain(&e->wake);
    return;
  }
  for (s = e->stations; s != NULL; s = s->next) {
    if (ready->fd == s->listener) {
      accept_all(s, now);
      return;
    }
    for (i = 0; i < s->sessions_n; i++) {
      if (smtp_mock_session_fd(s->sessions[i]) != ready->fd) continue;
      step(s, i, now);
      return;
    }
  }
}

static void run_due(smtp_engine *e, double now) {
  smtp_station *s;
  for (s = e->stations; s != NULL; s = s->next) {
    size_t i = s->sessions_n;
    while (i-- > 0) {
      double due = smtp_mock_session_due(s->sessions[i]);
      if (due >= 0 && due <= now) step(s, i, now);
    }
  }
}

static bool all_idle(const smtp_station *s) {
  size_t i;
  for (i = 0; i < s->sessions_n; i++)
    if (!smtp_mock_session_idle(s->sessions[i])) return false;
  return true;
}

/* A turn in which nothing came: whoever is idle then has dealt with it all. */
static void settle(smtp_engine *e, bool quiet) {
  smtp_station *s;
  for (s = e->stations; s != NULL; s = s->next) {
    size_t i;
    if (s->settling && quiet && all_idle(s)) {
      s->settling = false;
      s->settled = s->news = true;
    }
    if (!s->news) continue;
    s->news = false;
    for (i = 0; i < WATCHES; i++)
      if (s->watches[i] != NULL) smtp_wake_signal(s->watches[i]);
  }
}

/* Seconds until something is due; negative: never. */
static double next_due(const smtp_engine *e, double now) {
  const smtp_station *s;
  double least = -1;
  for (s = e->stations; s != NULL; s = s->next) {
    size_t i;
    if (s->stopping || !s->listed || (s->settling && all_idle(s))) return 0;
    for (i = 0; i < s->sessions_n; i++) {
      double due = smtp_mock_session_due(s->sessions[i]);
      double left = due > now ? due - now : 0;
      if (due >= 0 && (least < 0 || left < least)) least = left;
    }
  }
  return least;
}

/* With the lock, which is given up while it waits. */
static void turn(smtp_engine *e, double timeout) {
  smtp_ready events[EVENTS];
  double now, left;
  int i, n;
  manage(e);
  left = next_due(e, smtp_clock_now());
  if (left >= 0 && (timeout < 0 || left < timeout)) timeout = left;
  pthread_mutex_unlock(&e->lock);
  n = smtp_poller_wait(e->poller, timeout, events, EVENTS);
  pthread_mutex_lock(&e->lock);
  now = smtp_clock_now();
  for (i = 0; i < n; i++) handle(e, &events[i], now);
  run_due(e, now);
  settle(e, n <= 0);
  manage(e);
}

/* ---- the thread ------------------------------------------------------- */

static void *serve(void *arg) {
  smtp_engine *e = arg;
  pthread_mutex_lock(&e->lock);
  while (!e->quitting) turn(e, -1);
  pthread_mutex_unlock(&e->lock);
  return NULL;
}

/* With the lock, which is given up while it waits. */
static void join_thread(smtp_engine *e) {
  pthread_t thread = e->thread;
  if (!e->running || e->owner != getpid()) return;
  e->quitting = true;
  e->running = false;
  smtp_wake_signal(&e->wake);
  pthread_mutex_unlock(&e->lock);
  pthread_join(thread, NULL);
  pthread_mutex_lock(&e->lock);
  e->quitting = false;
  pthread_cond_broadcast(&e->changed);
}

static void at_exit(void) {
  pthread_mutex_lock(&shared.lock);
  join_thread(&shared);
  pthread_mutex_unlock(&shared.lock);
}

static void before_fork(void) {
  pthread_mutex_lock(&shared.lock);
}

static void in_parent(void) {
  pthread_mutex_unlock(&shared.lock);
}

/* The child has no thread; its stations are the parent's. */
static void in_child(void) {
  shared.running = shared.quitting = false;
  pthread_cond_init(&shared.changed, NULL); /* nobody waits here */
  shared.stations = NULL;
  pthread_mutex_unlock(&shared.lock);
}

static void prepare(void) {
  smtp_pin();
  smtp_tls_prepare();
  atexit(at_exit);
  pthread_atfork(before_fork, in_parent, in_child);
}

static int start_thread(smtp_engine *e) {
  sigset_t all, old;
  int error;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  error = pthread_create(&e->thread, NULL, serve, e);
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  e->running = error == 0;
  errno = error;
  return error == 0 ? 0 : SMTP_ESYSTEM;
}

/* ---- engines ---------------------------------------------------------- */

static void close_engine(smtp_engine *e) {
  smtp_poller_free(e->poller);
  smtp_wake_clear(&e->wake);
  e->poller = NULL;
}

/* A poller of this process, with the wake in it. */
static int open_engine(smtp_engine *e) {
  if (e->poller != NULL && e->owner == getpid()) return 0;
  close_engine(e);
  e->owner = getpid();
  e->poller = smtp_poller_new(NULL);
  if (e->poller == NULL) return SMTP_ESYSTEM;
  if (smtp_wake_init(&e->wake) == 0 &&
      smtp_poller_set(e->poller, e->wake.fd, SMTP_READ) == 0)
    return 0;
  close_engine(e);
  return SMTP_ESYSTEM;
}

smtp_engine *smtp_engine_shared(void) {
  return &shared;
}

smtp_engine *smtp_engine_new(void) {
  smtp_engine *e = calloc(1, sizeof *e);
  if (e == NULL) return NULL;
  e->wake.fd = e->wake.writer = -1;
  pthread_mutex_init(&e->lock, NULL);
  pthread_cond_init(&e->changed, NULL);
  if (open_engine(e) == 0) return e;
  smtp_engine_free(e);
  return NULL;
}

void smtp_engine_free(smtp_engine *e) {
  if (e == NULL || e == &shared) return;
  close_engine(e);
  pthread_mutex_destroy(&e->lock);
  pthread_cond_destroy(&e->changed);
  free(e);
}

void smtp_engine_step(smtp_engine *e, double timeout) {
  pthread_mutex_lock(&e->lock);
  turn(e, timeout);
  pthread_mutex_unlock(&e->lock);
}

int smtp_engine_fd(const smtp_engine *e) {
  return smtp_poller_fd(e->poller);
}

double smtp_engine_timeout(smtp_engine *e) {
  double left;
  pthread_mutex_lock(&e->lock);
  left = next_due(e, smtp_clock_now());
  pthread_mutex_unlock(&e->lock);
  return left;
}

/* ---- stations --------------------------------------------------------- */

smtp_station *smtp_engine_start(smtp_engine *e, smtp_mock *m, int listener) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  smtp_station *s = calloc(1, sizeof *s);
  int r;
  if (s == NULL) return NULL;
  pthread_once(&once, prepare);
  pthread_mutex_lock(&e->lock);
  while (e->quitting) pthread_cond_wait(&e->changed, &e->lock);
  r = open_engine(e);
  if (r == 0 && e->threaded && !e->running) r = start_thread(e);
  if (r == 0) {
    s->engine = e;
    s->mock = m;
    s->listener = listener;
    s->owner = getpid();
    s->next = e->stations;
    e->stations = s;
    smtp_wake_signal(&e->wake);
  }
  pthread_mutex_unlock(&e->lock);
  if (r == 0) return s;
  free(s);
  return NULL;
}

/* The parent of this process serves it: only what is ours of it is closed. */
static void abandon(smtp_station *s) {
  while (s->sessions_n > 0)
    smtp_mock_session_free(s->sessions[--s->sessions_n], 0);
  if (s->listener >= 0) smtp_socket_close(s->listener);
  s->listener = -1;
  s->stopped = true;
}

void smtp_station_stop(smtp_station *s) {
  smtp_engine *e = s->engine;
  if (s->stopped) return;
  if (s->owner != getpid()) {
    abandon(s);
    return;
  }
  pthread_mutex_lock(&e->lock);
  s->stopping = true;
  if (e->running) {
    smtp_wake_signal(&e->wake);
    while (!s->stopped && e->running) pthread_cond_wait(&e->changed, &e->lock);
  }
  if (!s->stopped) manage(e); /* there is no thread */
  if (e->threaded && e->stations == NULL) {
    join_thread(e);
    if (e->stations == NULL) close_engine(e);
  }
  pthread_mutex_unlock(&e->lock);
}

void smtp_station_free(smtp_station *s) {
  if (s == NULL) return;
  smtp_station_stop(s);
  smtp_mock_free(s->mock);
  free(s->sessions);
  free(s);
}

smtp_mock *smtp_station_mock(smtp_station *s) {
  return s->mock;
}

void smtp_station_lock(smtp_station *s) {
  pthread_mutex_lock(&s->engine->lock);
}

void smtp_station_unlock(smtp_station *s) {
  pthread_mutex_unlock(&s->engine->lock);
}

bool smtp_station_watch(smtp_station *s, smtp_wake *w) {
  size_t i;
  smtp_station_lock(s);
  for (i = 0; i < WATCHES && s->watches[i] != NULL; i++) continue;
  if (i < WATCHES) s->watches[i] = w;
  smtp_station_unlock(s);
  return i < WATCHES;
}

void smtp_station_unwatch(smtp_station *s, smtp_wake *w) {
  size_t i;
  smtp_station_lock(s);
  for (i = 0; i < WATCHES; i++)
    if (s->watches[i] == w) s->watches[i] = NULL;
  smtp_station_unlock(s);
}

void smtp_station_settle(smtp_station *s) {
  smtp_station_lock(s);
  s->settled = s->stopped;
  s->settling = !s->stopped;
  if (s->engine->running) smtp_wake_signal(&s->engine->wake);
  smtp_station_unlock(s);
}

bool smtp_station_settled(smtp_station *s) {
  bool settled;
  smtp_station_lock(s);
  settled = s->settled || s->stopped;
  smtp_station_unlock(s);
  return settled;
}

size_t smtp_station_sessions(const smtp_station *s, size_t *busy) {
  size_t i;
  *busy = 0;
  for (i = 0; i < s->sessions_n; i++)
    if (!smtp_mock_session_idle(s->sessions[i])) ++*busy;
  return s->sessions_n;
}

/* The place of the session that asks, or that behind the last one. */
static size_t find_asking(const smtp_station *s) {
  smtp_mock_facts facts;
  size_t i = 0;
  while (i < s->sessions_n &&
         smtp_mock_session_asks(s->sessions[i], &facts) == 0)
    i++;
  return i;
}

smtp_mock_session *smtp_station_asking(smtp_station *s) {
  size_t i = find_asking(s);
  return i < s->sessions_n ? s->sessions[i] : NULL;
}

void smtp_station_answer(smtp_station *s, smtp_slice reply) {
  size_t i = find_asking(s);
  if (i == s->sessions_n) return;
  smtp_mock_session_answer(s->sessions[i], reply);
  step(s, i, smtp_clock_now());
}
