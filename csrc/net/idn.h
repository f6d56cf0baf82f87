/* SPDX-License-Identifier: MIT */
/*
** idn.h: the mapping of domain names (UTS 46, non-transitional, IDNA2008) by
** libidn2. The library is loaded at the first name that needs it, and stays
** loaded. If the system has no libidn2, core/punycode.h works without a map.
*/
#ifndef SMTP_NET_IDN_H
#define SMTP_NET_IDN_H

#include <stdbool.h>

#include "../core/buf.h"
#include "../core/smtp.h"

/* smtp_punycode_domain with the map of libidn2, if that can be loaded; else
** without a map, and *own is true. Any thread may call it. */
SMTP_FUNC int smtp_idn_domain(smtp_buf *out, smtp_slice domain, bool *own);

#endif
