/* SPDX-License-Identifier: MIT */
/*
** punycode.h: domain names with non-ASCII labels in the form that the DNS, a
** certificate and SMTP without SMTPUTF8 know: each U-label as an A-label
** (RFC 5890 section 2.3.2.1), "xn--" and Punycode (RFC 3492).
**
** There is no case folding and no normalisation here: a name which is not yet
** in its final form is refused, as far as a short table can tell. It knows the
** capitals, compatibility forms, spaces, marks of direction and symbols of the
** scripts that have them (RFC 5892); ASCII letters alone are made small. The
** rules for right-to-left labels (RFC 5893) are not checked.
*/
#ifndef SMTP_PUNYCODE_H
#define SMTP_PUNYCODE_H

#include "buf.h"
#include "smtp.h"

/* RFC 1035 section 2.3.4, as text: no dot at the end, no length octets. */
#define SMTP_LABEL_MAX 63
#define SMTP_NAME_MAX 253

/*
** Appends the name that domain, in UTF-8, stands for. ASCII labels, A-labels
** among them, are made small and otherwise left; one dot at the end is dropped.
** SMTP_ESYNTAX: broken UTF-8, an empty label, or a label or the name is too
** long once encoded. SMTP_EINVALID: a character that is no letter, digit or
** hyphen (an underscore may stand in an ASCII label) or not in its final form,
** or a U-label with a hyphen at either end or two as third and fourth. On
** failure out is as it was.
*/
SMTP_FUNC int smtp_punycode_domain(smtp_buf *out, smtp_slice domain);

#endif
