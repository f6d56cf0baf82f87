/* SPDX-License-Identifier: MIT */
/*
** session.h: one connection of a mock: the core's server machine on a socket,
** with the rules of the mock between what happens and what is said.
*/
#ifndef SMTP_MOCK_SESSION_H
#define SMTP_MOCK_SESSION_H

#include "../net/address.h"
#include "mock.h"

typedef struct smtp_mock_session smtp_mock_session;

/* The mock must outlive it. It owns fd, also when it fails (NULL: no memory). */
SMTP_FUNC smtp_mock_session *smtp_mock_session_new(smtp_mock *m, int fd,
                                                   const smtp_address *peer,
                                                   double now);

/* Ends it without a word; nothing is sent. */
SMTP_FUNC void smtp_mock_session_free(smtp_mock_session *s, double now);

/* Does what there is to do; false: it is over, free it. */
SMTP_FUNC bool smtp_mock_session_step(smtp_mock_session *s, double now);

/* The events to wait for (SMTP_READ, SMTP_WRITE), and until when; < 0: for
** ever. */
SMTP_FUNC unsigned smtp_mock_session_waits(const smtp_mock_session *s);
SMTP_FUNC double smtp_mock_session_due(const smtp_mock_session *s);

/* Between commands with nothing at hand, or hung on purpose. */
SMTP_FUNC bool smtp_mock_session_idle(const smtp_mock_session *s);

SMTP_FUNC int smtp_mock_session_fd(const smtp_mock_session *s);

/*
** A rule has SMTP_MOCK_CALL and nothing else can happen until it is answered:
** its number, or 0. Facts are borrowed until the answer, which is a reply as
** that of SMTP_MOCK_REPLY, or empty: as ever.
*/
SMTP_FUNC uint64_t smtp_mock_session_asks(const smtp_mock_session *s,
                                          smtp_mock_facts *facts);
SMTP_FUNC void smtp_mock_session_answer(smtp_mock_session *s, smtp_slice reply);

#endif
