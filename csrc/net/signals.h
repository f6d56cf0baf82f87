/* SPDX-License-Identifier: MIT */
/*
** signals.h: signals as a descriptor to wait for, in place of their usual
** effect. For programs (the command line, a supervisor): the library itself
** takes no signals.
*/
#ifndef SMTP_NET_SIGNALS_H
#define SMTP_NET_SIGNALS_H

#include <signal.h>

#include "../core/smtp.h"

typedef struct smtp_signals {
  int fd; /* readable when one came; -1: closed */
  sigset_t mask, before;
} smtp_signals;

/* Takes over these signals, in this thread and its future threads. 0, or
** SMTP_ESYSTEM: ENOSYS if the system has no signalfd. */
SMTP_FUNC int smtp_signals_open(smtp_signals *s, const int *numbers, size_t n);

/* The next signal; 0: none. */
SMTP_FUNC int smtp_signals_take(const smtp_signals *s);

/* Restores the effect of the signals; a signal that was not taken has it now.
** May be called again. */
SMTP_FUNC void smtp_signals_close(smtp_signals *s);

#endif
