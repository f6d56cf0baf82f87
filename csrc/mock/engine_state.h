/* SPDX-License-Identifier: MIT */
/*
** engine_state.h: what the files of the engine share, and nobody else: engine.c
** has the poller, the thread and the turns, engine_station.c what owners ask of
** a station.
*/
#ifndef SMTP_MOCK_ENGINE_STATE_H
#define SMTP_MOCK_ENGINE_STATE_H

#include <pthread.h>
#include <sys/types.h>

#include "../net/poller.h"
#include "engine.h"

struct smtp_station {
  smtp_station *next;
  smtp_engine *engine;
  smtp_mock *mock;
  int listener; /* -1: it does not listen */
  smtp_mock_session **sessions;
  size_t sessions_n;
  smtp_wake **watches;
  size_t watches_n;
  double retry_at; /* to list the listener again */
  bool listed;     /* the poller has the listener */
  bool stopping, stopped, settling, settled, news;
  pid_t owner;
};

/* A caller who wants the lock goes through the door first and holds it until he
** has the lock, so that the thread, which is back at once, cannot pass him. */
struct smtp_engine {
  pthread_mutex_t door, lock;
  pthread_cond_t changed;
  smtp_poller *poller;
  smtp_wake wake;
  smtp_station *stations;
  bool threaded, running, quitting;
  pthread_t thread;
  pid_t owner;
};

SMTP_FUNC void smtp_engine_enter(smtp_engine *e);
SMTP_FUNC void smtp_engine_leave(smtp_engine *e);

/* Steps session i; false: it is gone, and another one has its place. */
SMTP_FUNC bool smtp_engine_session(smtp_station *s, size_t i, double now);

#endif
