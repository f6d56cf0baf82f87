/* SPDX-License-Identifier: MIT */
/*
** engine.c: a poller, a lock and stations; see engine.h. The lock is held but
** while it waits. Other threads only set flags and wake it: what concerns the
** poller is done by whoever steps.
*/
#include "../net/feature.h"

#include "engine_state.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../net/clock.h"
#include "../net/pin.h"
#include "../net/socket.h"
#include "../net/tls_context.h"
#include "text.h"

#define EVENTS 64

/* Where there is no descriptor left it asks again after so many seconds. */
#define ACCEPT_PAUSE 0.05

static smtp_engine shared = {.door = PTHREAD_MUTEX_INITIALIZER,
                             .lock = PTHREAD_MUTEX_INITIALIZER,
                             .changed = PTHREAD_COND_INITIALIZER,
                             .wake = {-1, -1},
                             .threaded = true};

void smtp_engine_enter(smtp_engine *e) {
  pthread_mutex_lock(&e->door);
  pthread_mutex_lock(&e->lock);
  pthread_mutex_unlock(&e->door);
}

void smtp_engine_leave(smtp_engine *e) {
  pthread_mutex_unlock(&e->lock);
}

/* ---- sessions --------------------------------------------------------- */

static void drop(smtp_station *s, size_t i, double now) {
  int fd = smtp_mock_session_fd(s->sessions[i]);
  if (fd >= 0) smtp_poller_set(s->engine->poller, fd, 0);
  smtp_mock_session_free(s->sessions[i], now);
  s->sessions[i] = s->sessions[--s->sessions_n];
}

/* Steps session i; false: it is gone, and another one has its place. */
bool smtp_engine_session(smtp_station *s, size_t i, double now) {
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
    if (fd == SMTP_ESYSTEM) {
      smtp_poller_set(s->engine->poller, s->listener, 0);
      s->listed = false;
      s->retry_at = now + ACCEPT_PAUSE;
    }
    if (fd < 0) return;
    more = realloc(s->sessions, (s->sessions_n + 1) * sizeof *more);
    if (more == NULL) {
      smtp_socket_close(fd);
      return;
    }
    s->sessions = more;
    session = smtp_mock_session_new(s->mock, fd, &peer, now);
    if (session == NULL) continue;
    more[s->sessions_n++] = session;
    smtp_engine_session(s, s->sessions_n - 1, now);
  }
}

/* ---- turns ------------------------------------------------------------ */

static void remove_file(const smtp_station *s) {
  if (s->mock->file.n > 0) unlink(s->mock->file.p);
  smtp_text_clear(&s->mock->file);
}

static void close_station(smtp_station *s) {
  double now = smtp_clock_now();
  while (s->sessions_n > 0) drop(s, s->sessions_n - 1, now);
  if (s->listed) smtp_poller_set(s->engine->poller, s->listener, 0);
  shutdown(s->listener, SHUT_RDWR); /* a child that was forked has it too */
  smtp_socket_close(s->listener);
  s->listed = false;
  s->listener = -1;
  s->stopped = true;
  remove_file(s);
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
    if (!s->listed && smtp_clock_now() >= s->retry_at) {
      s->listed = smtp_poller_set(e->poller, s->listener, SMTP_READ) == 0;
      if (!s->listed) s->retry_at = smtp_clock_now() + ACCEPT_PAUSE;
    }
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
      smtp_engine_session(s, i, now);
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
      if (due >= 0 && due <= now) smtp_engine_session(s, i, now);
    }
  }
}

static bool all_idle(const smtp_station *s) {
  size_t i;
  for (i = 0; i < s->sessions_n; i++)
    if (!smtp_mock_session_idle(s->sessions[i])) return false;
  return true;
}

static void wake_watches(const smtp_station *s) {
  size_t i;
  for (i = 0; i < s->watches_n; i++) smtp_wake_signal(s->watches[i]);
}

/* A turn in which nothing came: whoever is idle then has dealt with it all. */
static void settle(smtp_engine *e, bool quiet) {
  smtp_station *s;
  for (s = e->stations; s != NULL; s = s->next) {
    if (s->settling && quiet && all_idle(s)) {
      s->settling = false;
      s->settled = s->news = true;
    }
    if (!s->news) continue;
    s->news = false;
    wake_watches(s);
  }
}

/* Seconds until something is due; negative: never. */
static double next_due(const smtp_engine *e, double now) {
  const smtp_station *s;
  double least = -1;
  for (s = e->stations; s != NULL; s = s->next) {
    size_t i;
    if (s->stopping || (s->settling && all_idle(s))) return 0;
    if (!s->listed && (least < 0 || s->retry_at - now < least))
      least = s->retry_at > now ? s->retry_at - now : 0;
    for (i = 0; i < s->sessions_n; i++) {
      double due = smtp_mock_session_due(s->sessions[i]);
      double left = due > now ? due - now : 0;
      if (due >= 0 && (least < 0 || left < least)) least = left;
    }
  }
  return least;
}

/* With the lock, which is given up while it waits. */
static void turn(smtp_engine *e, bool waits) {
  smtp_ready events[EVENTS];
  double now, timeout = 0;
  int i, n;
  manage(e);
  if (waits) timeout = next_due(e, smtp_clock_now());
  smtp_engine_leave(e);
  n = smtp_poller_wait(e->poller, timeout, events, EVENTS);
  smtp_engine_enter(e);
  now = smtp_clock_now();
  for (i = 0; i < n; i++) handle(e, &events[i], now);
  run_due(e, now);
  settle(e, n <= 0);
  manage(e);
}

/* ---- the thread ------------------------------------------------------- */

static void *serve(void *arg) {
  smtp_engine *e = arg;
  smtp_engine_enter(e);
  while (!e->quitting) turn(e, true);
  smtp_engine_leave(e);
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
  smtp_station *s;
  smtp_engine_enter(&shared);
  join_thread(&shared);
  for (s = shared.stations; s != NULL; s = s->next)
    if (s->owner == getpid()) remove_file(s);
  smtp_engine_leave(&shared);
}

static void before_fork(void) {
  pthread_mutex_lock(&shared.door);
  pthread_mutex_lock(&shared.lock);
}

static void in_parent(void) {
  pthread_mutex_unlock(&shared.lock);
  pthread_mutex_unlock(&shared.door);
}

/* The child has no thread; its stations are the parent's. */
static void in_child(void) {
  shared.running = shared.quitting = false;
  pthread_cond_init(&shared.changed, NULL); /* nobody waits here */
  shared.stations = NULL;
  in_parent();
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
  pthread_mutex_init(&e->door, NULL);
  pthread_mutex_init(&e->lock, NULL);
  pthread_cond_init(&e->changed, NULL);
  if (open_engine(e) == 0) return e;
  smtp_engine_free(e);
  return NULL;
}

void smtp_engine_free(smtp_engine *e) {
  if (e == NULL || e == &shared) return;
  close_engine(e);
  pthread_mutex_destroy(&e->door);
  pthread_mutex_destroy(&e->lock);
  pthread_cond_destroy(&e->changed);
  free(e);
}

void smtp_engine_step(smtp_engine *e) {
  smtp_engine_enter(e);
  turn(e, false);
  smtp_engine_leave(e);
}

int smtp_engine_fd(const smtp_engine *e) {
  return smtp_poller_fd(e->poller);
}

double smtp_engine_timeout(smtp_engine *e) {
  double left;
  smtp_engine_enter(e);
  left = next_due(e, smtp_clock_now());
  smtp_engine_leave(e);
  return left;
}

/* ---- stations --------------------------------------------------------- */

smtp_station *smtp_engine_start(smtp_engine *e, smtp_mock *m, int listener) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  smtp_station *s = calloc(1, sizeof *s);
  int r;
  if (s == NULL) return NULL;
  pthread_once(&once, prepare);
  smtp_engine_enter(e);
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
  smtp_engine_leave(e);
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
  smtp_engine_enter(e);
  s->stopping = true;
  if (e->running) {
    smtp_wake_signal(&e->wake);
    while (!s->stopped && e->running) pthread_cond_wait(&e->changed, &e->lock);
  }
  if (!s->stopped) {
    manage(e);                  /* there is no thread */
    smtp_wake_signal(&e->wake); /* whoever waits for the engine looks again */
  }
  wake_watches(s);
  if (e->threaded && e->stations == NULL && !e->quitting) {
    join_thread(e);
    if (e->stations == NULL) close_engine(e);
  }
  smtp_engine_leave(e);
}

void smtp_station_free(smtp_station *s) {
  if (s == NULL) return;
  smtp_station_stop(s);
  smtp_mock_free(s->mock);
  free(s->sessions);
  free(s->watches);
  free(s);
}
