/* SPDX-License-Identifier: MIT */
/*
** clock.h: the one clock of the library. It never goes back and does not know
** the date; only differences of its values mean something.
*/
#ifndef SMTP_NET_CLOCK_H
#define SMTP_NET_CLOCK_H

#include "../core/smtp.h"

/* Seconds since some fixed point in the past. */
SMTP_FUNC double smtp_clock_now(void);

/* A time-out in seconds as whole milliseconds, rounded up; -1 if negative. */
SMTP_FUNC int smtp_clock_milliseconds(double seconds);

#endif
