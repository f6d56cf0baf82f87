/* SPDX-License-Identifier: MIT */
/*
** charset.h: text in any charset to UTF-8, for reading mail. The bytes are a
** stranger's, and so is the name of their charset: only names of a list of our
** own reach iconv(3), and whatever comes, the result is well-formed UTF-8.
**
** Names mean what they do in browsers (charset_labels.h). One that is unknown,
** "us-ascii" over 8-bit bytes, or none at all: what is UTF-8 stays, anything else
** is windows-1252. A character that has no meaning becomes U+FFFD, and a byte
** order mark in front is left out. WHATWG Encoding, RFC 2978, RFC 3629.
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

/* Whether the name is on the list, and so is not guessed at. */
SMTP_FUNC bool smtp_charset_known(smtp_slice charset);

#endif
