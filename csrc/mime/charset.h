/* SPDX-License-Identifier: MIT */
/*
** charset.h: text in any charset to UTF-8, for reading mail. The bytes are a
** stranger's, and so is the name of their charset: only names of a list of our
** own reach iconv(3), and whatever comes, the result is well-formed UTF-8.
**
** Names have their meaning in browsers (charset_labels.h). For an unknown name,
** for "us-ascii" over 8-bit bytes, and without a name, valid UTF-8 stays, and
** other text is windows-1252. A character without a meaning becomes U+FFFD, and
** a byte order mark in front is left out. WHATWG Encoding, RFC 2978, RFC 3629.
*/
#ifndef SMTP_CHARSET_H
#define SMTP_CHARSET_H

#include <stdbool.h>

#include "../core/buf.h"
#include "../core/smtp.h"

/* Appends in, which is of the charset named (any case, may be empty), as
** UTF-8; errors as smtp_buf_append. */
SMTP_FUNC int smtp_charset_utf8(smtp_buf *out, smtp_slice in,
                                smtp_slice charset);

/* Appends text of one line, as a header field holds it: CR and LF become a
** space each, and other controls but TAB U+FFFD. */
SMTP_FUNC int smtp_charset_line(smtp_buf *out, smtp_slice in,
                                smtp_slice charset);

/* Whether the name is on the list; else the charset is guessed. */
SMTP_FUNC bool smtp_charset_known(smtp_slice charset);

#endif
