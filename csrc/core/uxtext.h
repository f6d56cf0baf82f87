/* SPDX-License-Identifier: MIT */
/*
** uxtext.h: RFC 6533 section 3, an address of the type utf-8 in ORCPT.
**   utf-8-addr-xtext    = 1*( QCHAR / EmbeddedUnicodeChar )
**   EmbeddedUnicodeChar = "\x{" hexadecimal digits of a code point "}"
**   QCHAR               = visible ASCII but "+", "=" and "\"
** A control is neither written nor read, as in xtext.
*/
#ifndef SMTP_UXTEXT_H
#define SMTP_UXTEXT_H

#include "buf.h"
#include "smtp.h"

/* Appends in, which is UTF-8, in ASCII; SMTP_EINVALID if it is not, or has a
** control. */
SMTP_FUNC int smtp_uxtext_format(smtp_buf *out, smtp_slice in);

/*
** Appends the UTF-8 that in stands for: UTF-8 may also stand there itself
** (utf-8-addr-unitext), and a byte as xtext writes it. SMTP_ESYNTAX for
** anything else, and leaves out as it was.
*/
SMTP_FUNC int smtp_uxtext_parse(smtp_buf *out, smtp_slice in);

#endif
