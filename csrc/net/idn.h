/* SPDX-License-Identifier: MIT */
/*
** idn.h: the one mapping of domain names (UTS 46, non-transitional, IDNA2008),
** by libidn2 where the system has it. It is loaded when a name first needs it
** and stays; where it is missing core/punycode.h does without a map.
*/
#ifndef SMTP_NET_IDN_H
#define SMTP_NET_IDN_H

#include <stdbool.h>

#include "../core/buf.h"
#include "../core/smtp.h"

/* As smtp_punycode_domain with the map of libidn2, if that can be loaded; *own
** tells whether it was done without. Any thread may call it. */
SMTP_FUNC int smtp_idn_domain(smtp_buf *out, smtp_slice domain, bool *own);

#endif
