/* SPDX-License-Identifier: MIT */
/*
** punycode.h: domain names with letters that are not ASCII as they stand in
** DNS, in certificates and on the wire: A-labels (RFC 3492, RFC 5890).
**
** There are no tables of Unicode here: what is certainly not lower case and
** normalised is refused, and never mapped to something else.
*/
#ifndef SMTP_PUNYCODE_H
#define SMTP_PUNYCODE_H

#include "buf.h"
#include "smtp.h"

/* Room that is enough while one is made: beyond it a name is too long. */
#define SMTP_PUNYCODE_MAX 1024

/*
** Appends domain with each label of other letters as "xn--..." and all others
** in lower case; a dot at the end is dropped. SMTP_ESYNTAX: it is not UTF-8, a
** label is empty or has more than 63 octets, or all have more than 253;
** SMTP_EINVALID: a character that may not be in a name as it is. On an error
** out is as it was.
*/
SMTP_FUNC int smtp_punycode_domain(smtp_buf *out, smtp_slice domain);

#endif
