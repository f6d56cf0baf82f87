/* SPDX-License-Identifier: MIT */
/*
** xtext.h: RFC 3461 section 4.
**   xtext   = *( xchar / hexchar )
**   xchar   = any ASCII CHAR between "!" (33) and "~" (126) inclusive,
**             except for "+" and "="
**   hexchar = "+" followed by two upper case hexadecimal digits
*/
#ifndef SMTP_XTEXT_H
#define SMTP_XTEXT_H

#include "buf.h"
#include "smtp.h"

/* Appends in with all that is not xchar as hexchar; SMTP_EINVALID for NUL. */
SMTP_FUNC int smtp_xtext_format(smtp_buf *out, smtp_slice in);

/*
** Appends the bytes that in stands for. SMTP_ESYNTAX for anything else than
** xtext, lower case hexchars and +00 included, and leaves out as it was.
*/
SMTP_FUNC int smtp_xtext_parse(smtp_buf *out, smtp_slice in);

#endif
