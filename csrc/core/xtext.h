/* SPDX-License-Identifier: MIT */
/*
** xtext.h: RFC 3461 section 4.
**   xtext   = *( xchar / hexchar )
**   xchar   = any ASCII CHAR between "!" (33) and "~" (126) inclusive,
**             except for "+" and "="
**   hexchar = "+" followed by two upper case hexadecimal digits
** The encoded text is printable (section 4): a control (below 0x20, 0x7f) is
** neither written nor read, so that no handler puts one into a log or a header.
*/
#ifndef SMTP_XTEXT_H
#define SMTP_XTEXT_H

#include "buf.h"
#include "smtp.h"

/* Appends in; bytes outside xchar become hexchar. SMTP_EINVALID for a control.
** */
SMTP_FUNC int smtp_xtext_format(smtp_buf *out, smtp_slice in);

/*
** Appends the bytes that in stands for. SMTP_ESYNTAX for anything else than
** xtext, lower case hexchars and controls included, and leaves out as it was.
*/
SMTP_FUNC int smtp_xtext_parse(smtp_buf *out, smtp_slice in);

#endif
