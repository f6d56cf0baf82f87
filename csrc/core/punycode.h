/* SPDX-License-Identifier: MIT */
/*
** punycode.h: domain names with non-ASCII labels in the form that the DNS, a
** certificate and SMTP without SMTPUTF8 know: each U-label as an A-label
** (RFC 5890 section 2.3.2.1), "xn--" and Punycode (RFC 3492).
**
** A name as people write it is mapped first (UTS 46): capitals, composed and
** decomposed letters, wide forms. The mapping needs all of Unicode, so the
** caller gives it as map. Without a map a label must be in its final form by
** the tables of ulabel.h, and the rules for right-to-left labels (RFC 5893) are
** not checked.
*/
#ifndef SMTP_PUNYCODE_H
#define SMTP_PUNYCODE_H

#include "buf.h"
#include "smtp.h"

/* RFC 1035 section 2.3.4, as text: no dot at the end, no length octets. */
#define SMTP_LABEL_MAX 63
#define SMTP_NAME_MAX 253

/*
** Writes the ASCII form of a label, which is valid UTF-8 without a dot, or an
** A-label in small letters, to `to`, which has SMTP_LABEL_MAX bytes, and its
** length to *n. 0; SMTP_ESYNTAX: too long; SMTP_EINVALID: an invalid label;
** SMTP_ENOMEM.
*/
typedef int (*smtp_label_map)(char *to, size_t *n, smtp_slice label);

/*
** Appends the ASCII name of a domain in UTF-8. U+3002 and its narrow and wide
** forms are dots; one dot at the end is dropped. ASCII labels are put in lower
** case. An A-label must be the canonical form of its points (RFC 3492). map may
** be NULL.
** SMTP_ESYNTAX: broken UTF-8, an empty label, or a label or the name is too
** long once encoded. SMTP_EINVALID: a character that is no letter, digit or
** hyphen (an underscore may stand in an ASCII label) or, without a map, not in
** its final form, a label that begins with a combining mark, a joiner where
** nothing joins, a U-label with a hyphen at either end or two as third and
** fourth, or a broken A-label. On failure out is as it was.
*/
SMTP_FUNC int smtp_punycode_domain(smtp_buf *out, smtp_slice domain,
                                   smtp_label_map map);

#endif
