/* SPDX-License-Identifier: MIT */
/*
** plan.h: how what a session's machine says goes out: as it is, or, for ranges
** of it, other bytes in its place, and slowly. The machine's bytes are counted
** from the first one on; a range that is empty is a place where bytes are put
** in.
*/
#ifndef SMTP_MOCK_PLAN_H
#define SMTP_MOCK_PLAN_H

#include "../core/server.h"

/* In what pieces a range is written: size bytes (0: all at once), and then
** every so many seconds as many again; once: the second piece is the rest. */
typedef struct smtp_mock_pace {
  size_t size;
  double seconds;
  bool once;
} smtp_mock_pace;

typedef struct smtp_plan_item smtp_plan_item;

typedef struct smtp_plan {
  smtp_server *machine;
  smtp_plan_item *first, *last;
  uint64_t sent; /* bytes of the machine that were sent, or left out */
} smtp_plan;

SMTP_FUNC void smtp_plan_init(smtp_plan *p, smtp_server *machine);
SMTP_FUNC void smtp_plan_clear(smtp_plan *p);

/* How many bytes the machine has made by now: the end of the last range. */
SMTP_FUNC uint64_t smtp_plan_end(const smtp_plan *p);

/*
** From an earlier end to the end now: the pace, and, unless text.p is NULL,
** other bytes (copied). 0, SMTP_ENOMEM.
*/
SMTP_FUNC int smtp_plan_add(smtp_plan *p, uint64_t from, smtp_slice text,
                            smtp_mock_pace pace);

/* The bytes that may be written now; and how many of them were. */
SMTP_FUNC smtp_slice smtp_plan_peek(const smtp_plan *p, double now);
SMTP_FUNC void smtp_plan_sent(smtp_plan *p, size_t n, double now);

/* When the next piece is due; negative: nothing waits for a time. */
SMTP_FUNC double smtp_plan_due(const smtp_plan *p);

/* Everything was written. */
SMTP_FUNC bool smtp_plan_done(const smtp_plan *p);

#endif
