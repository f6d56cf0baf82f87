/* SPDX-License-Identifier: MIT */
/*
** engine.h: what drives mocks: one thread of the process for all of them, which
** is there while there is one, or the caller, step by step. The thread takes no
** signals and never calls out; the process may fork, exit or unload its Lua at
** any time.
**
** A station is a mock that listens. Whoever looks at its mock, or changes it,
** holds the engine's lock.
*/
#ifndef SMTP_MOCK_ENGINE_H
#define SMTP_MOCK_ENGINE_H

#include "../net/wake.h"
#include "mock.h"
#include "session.h"

typedef struct smtp_engine smtp_engine;
typedef struct smtp_station smtp_station;

/* The engine with the thread. */
SMTP_FUNC smtp_engine *smtp_engine_shared(void);

/* One without a thread, for smtp_engine_step. NULL and errno. */
SMTP_FUNC smtp_engine *smtp_engine_new(void);
SMTP_FUNC void smtp_engine_free(smtp_engine *e);

/* Does what is due, and waits for nothing. */
SMTP_FUNC void smtp_engine_step(smtp_engine *e);

/* A descriptor that is readable when there is something to do; -1: none. And
** the seconds until something is due; negative: never. */
SMTP_FUNC int smtp_engine_fd(const smtp_engine *e);
SMTP_FUNC double smtp_engine_timeout(smtp_engine *e);

/*
** Serves a mock at a listening descriptor, both owned from here on. NULL and
** errno: nothing began, and both are still the caller's.
*/
SMTP_FUNC smtp_station *smtp_engine_start(smtp_engine *e, smtp_mock *m,
                                          int listener);

/* Ends its sessions and its listening, and returns when that is done; what it
** remembers stays. May be called again. */
SMTP_FUNC void smtp_station_stop(smtp_station *s);
SMTP_FUNC void smtp_station_free(smtp_station *s); /* stops it as well */

SMTP_FUNC smtp_mock *smtp_station_mock(smtp_station *s);
SMTP_FUNC void smtp_station_lock(smtp_station *s);
SMTP_FUNC void smtp_station_unlock(smtp_station *s);

/* The wake is signalled when something has happened, until it is taken off;
** false: no memory. */
SMTP_FUNC bool smtp_station_watch(smtp_station *s, smtp_wake *w);
SMTP_FUNC void smtp_station_unwatch(smtp_station *s, smtp_wake *w);

/* Asks for the moment at which everything that clients have sent was dealt
** with and all sessions are idle; watchers hear of it. */
SMTP_FUNC void smtp_station_settle(smtp_station *s);
SMTP_FUNC bool smtp_station_settled(smtp_station *s);

/* The engine looks again at what is due: rules have changed. */
SMTP_FUNC void smtp_station_wake(smtp_station *s);

/* The next session that asks its owner (SMTP_MOCK_CALL), or NULL. */
SMTP_FUNC smtp_mock_session *smtp_station_asking(smtp_station *s);

/* Answers it (smtp_mock_session_answer), and lets it go on. */
SMTP_FUNC void smtp_station_answer(smtp_station *s, smtp_slice reply);

#endif
