/* SPDX-License-Identifier: MIT */
/* text.h: slices that own their bytes. One with p NULL is not set. */
#ifndef SMTP_MOCK_TEXT_H
#define SMTP_MOCK_TEXT_H

#include "../core/smtp.h"

/* Copies text, with a NUL behind it, into *place, in place of what it held. 0,
** SMTP_ENOMEM. */
SMTP_FUNC int smtp_text_set(smtp_slice *place, smtp_slice text);
SMTP_FUNC void smtp_text_clear(smtp_slice *place);

/* A slice of a static string. */
SMTP_FUNC smtp_slice smtp_text_of(const char *text);

#endif
