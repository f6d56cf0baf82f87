/* SPDX-License-Identifier: MIT */
/*
** words.h: header fields as they go out (RFC 5322 section 2.2, RFC 2047, RFC
** 2231): folded at 78, with what is not ASCII in encoded words or in parameters
** of their own kind. Nothing here mends a CR, LF or NUL: they are refused.
*/
#ifndef SMTP_MIME_WORDS_H
#define SMTP_MIME_WORDS_H

#include "../core/buf.h"
#include "../core/smtp.h"

#include <stdbool.h>

/* A field is written from its name to its CRLF: column is that of the line. */
typedef struct smtp_field {
  smtp_buf *out;
  size_t column;
} smtp_field;

/* Name, colon. SMTP_EINVALID: a name is bytes 33 to 126 without ":". */
SMTP_FUNC int smtp_field_begin(smtp_field *f, smtp_buf *out, smtp_slice name);

/* Text without structure, as of Subject. SMTP_EINVALID: CR, LF, NUL or other
** controls, or bytes that are not UTF-8. */
SMTP_FUNC int smtp_field_text(smtp_field *f, smtp_slice text);

/* A name before an address (RFC 5322 section 3.2.5): atoms, a quoted string, or
** encoded words. */
SMTP_FUNC int smtp_field_phrase(smtp_field *f, smtp_slice phrase);

/* A piece that is not broken, after a space or where spaced is false directly
** behind the last one; on a line of its own if this one is full. Errors as
** above; it must be ASCII without spaces at its ends. */
SMTP_FUNC int smtp_field_token(smtp_field *f, smtp_slice token, bool spaced);

/* The same of a mailbox, which may be UTF-8 (RFC 6532 section 3.2). */
SMTP_FUNC int smtp_field_mailbox(smtp_field *f, smtp_slice mailbox);

/* "; name=value", quoted or as RFC 2231 says where that is needed. */
SMTP_FUNC int smtp_field_param(smtp_field *f, smtp_slice name,
                               smtp_slice value);

SMTP_FUNC int smtp_field_end(smtp_field *f);

#endif
