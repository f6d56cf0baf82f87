/* SPDX-License-Identifier: MIT */
/*
** wake.h: a descriptor that one thread makes readable and another waits for:
** an eventfd where there is one, else a pipe. Never blocks.
*/
#ifndef SMTP_NET_WAKE_H
#define SMTP_NET_WAKE_H

#include "../core/smtp.h"

typedef struct smtp_wake {
  int fd;     /* wait for this one to be readable */
  int writer; /* the same with an eventfd */
} smtp_wake;

/* 0, or SMTP_ESYSTEM and both descriptors -1. */
SMTP_FUNC int smtp_wake_init(smtp_wake *w);

/* Closes it; may be called again. */
SMTP_FUNC void smtp_wake_clear(smtp_wake *w);

/* Makes it readable, from any thread, until it is drained. */
SMTP_FUNC void smtp_wake_signal(const smtp_wake *w);
SMTP_FUNC void smtp_wake_drain(const smtp_wake *w);

#endif
