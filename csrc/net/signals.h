/* SPDX-License-Identifier: MIT */
/*
** signals.h: signals as something to wait for, in place of what they do
** otherwise. For programs (the command line, a supervisor): the library itself
** takes none.
*/
#ifndef SMTP_NET_SIGNALS_H
#define SMTP_NET_SIGNALS_H

#include <signal.h>

#include "../core/smtp.h"

typedef struct smtp_signals {
  int fd; /* readable when one came; -1: closed */
  sigset_t mask, before;
} smtp_signals;

/* Takes over these signals, in this thread and what it starts. 0, or
** SMTP_ESYSTEM: ENOSYS where the system has no such thing. */
SMTP_FUNC int smtp_signals_open(smtp_signals *s, const int *numbers, size_t n);

/* The next signal that came; 0: none. */
SMTP_FUNC int smtp_signals_take(const smtp_signals *s);

/* What signals did before, they do again; one that was not taken does it now.
** May be called again. */
SMTP_FUNC void smtp_signals_close(smtp_signals *s);

#endif
