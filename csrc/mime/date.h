/* SPDX-License-Identifier: MIT */
/*
** date.h: the date-time of a header field (RFC 5322 section 3.3).
*/
#ifndef SMTP_DATE_H
#define SMTP_DATE_H

#include "../core/smtp.h"

/* "Mon, 30 Nov 2026 22:33:44 +0000" */
#define SMTP_DATE_SIZE 31

/* The last second of the year 9999. */
#define SMTP_DATE_MAX INT64_C(253402300799)

/* Writes the date-time in UTC of the seconds since 1970, from 0 to SMTP_DATE_MAX,
** at most SMTP_DATE_SIZE bytes, and gives its length. */
SMTP_FUNC size_t smtp_date_format(char *to, int64_t seconds);

#endif
