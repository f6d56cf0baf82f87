/* SPDX-License-Identifier: MIT */
/*
** signals.h: signals of the process as something to wait for. There is one
** such watch in a process, since signals are the process's too; a child has
** its parent's, and should close it.
*/
#ifndef SMTP_NET_SIGNALS_H
#define SMTP_NET_SIGNALS_H

#include "../core/smtp.h"

/* Takes over these signals, at most SMTP_SIGNALS_MAX: a descriptor that is
** readable when one came, or SMTP_ESYSTEM (EBUSY: there is a watch already). */
SMTP_FUNC int smtp_signals_open(const int *numbers, size_t n);

#define SMTP_SIGNALS_MAX 8

/* The next signal that came; 0: none. */
SMTP_FUNC int smtp_signals_take(void);

/* What signals did before, they do again. */
SMTP_FUNC void smtp_signals_close(void);

#endif
