/* SPDX-License-Identifier: MIT */
/* engine_station.c: what owners ask of a station; see engine.h. */
#include "../net/feature.h"

#include <stdlib.h>

#include "../net/clock.h"
#include "engine_state.h"

smtp_mock *smtp_station_mock(smtp_station *s) {
  return s->mock;
}

void smtp_station_lock(smtp_station *s) {
  smtp_engine_enter(s->engine);
}

void smtp_station_unlock(smtp_station *s) {
  smtp_engine_leave(s->engine);
}

bool smtp_station_watch(smtp_station *s, smtp_wake *w) {
  smtp_wake **more;
  smtp_station_lock(s);
  more = realloc(s->watches, (s->watches_n + 1) * sizeof *more);
  if (more != NULL) {
    s->watches = more;
    more[s->watches_n++] = w;
  }
  smtp_station_unlock(s);
  return more != NULL;
}

void smtp_station_unwatch(smtp_station *s, smtp_wake *w) {
  size_t i;
  smtp_station_lock(s);
  for (i = 0; i < s->watches_n; i++)
    if (s->watches[i] == w) s->watches[i--] = s->watches[--s->watches_n];
  smtp_station_unlock(s);
}

void smtp_station_settle(smtp_station *s) {
  smtp_station_lock(s);
  s->settled = s->stopped;
  s->settling = !s->stopped;
  smtp_station_unlock(s);
  smtp_station_wake(s);
}

void smtp_station_wake(smtp_station *s) {
  smtp_station_lock(s);
  if (!s->stopped) smtp_wake_signal(&s->engine->wake);
  smtp_station_unlock(s);
}

bool smtp_station_settled(smtp_station *s) {
  bool settled;
  smtp_station_lock(s);
  settled = s->settled || s->stopped;
  smtp_station_unlock(s);
  return settled;
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
  smtp_engine_session(s, i, smtp_clock_now());
}
