/* SPDX-License-Identifier: MIT */
/*
** field_writer.h: header fields for the wire (RFC 5322 section 2.2, RFC 2047,
** RFC 2231): folded at 78, with non-ASCII text in encoded words or in extended
** parameters. CR, LF and NUL are refused.
*/
#ifndef SMTP_FIELD_WRITER_H
#define SMTP_FIELD_WRITER_H

#include "../core/buf.h"
#include "../core/smtp.h"

#include <stdbool.h>

/* Writes a field from its name to its CRLF. A line is folded if the next piece
** does not fit, but never directly after the name. */
typedef struct smtp_field_writer {
  smtp_buf *out;
  const char *why; /* of SMTP_EINVALID: the end of a sentence about the value */
  size_t column;   /* of the line */
  size_t behind;   /* bytes that will follow the next piece without a space */
  bool bare;       /* the line may not be folded: nothing is on it yet */
  bool encoded;    /* an encoded word is on the line */
} smtp_field_writer;

/* Name, colon. SMTP_EINVALID: a name is bytes 33 to 126 without ":". */
SMTP_FUNC int smtp_field_writer_begin(smtp_field_writer *f, smtp_buf *out,
                                      smtp_slice name);

/* Text without structure, as of Subject. SMTP_EINVALID: CR, LF, NUL or other
** controls, or bytes that are not UTF-8. */
SMTP_FUNC int smtp_field_writer_text(smtp_field_writer *f, smtp_slice text);

/* A name before an address (RFC 5322 section 3.2.5): atoms, a quoted string, or
** encoded words. */
SMTP_FUNC int smtp_field_writer_phrase(smtp_field_writer *f, smtp_slice phrase);

/* The value of a field with a grammar, where encoded words are forbidden (RFC
** 2047 section 5): ASCII, folded only at its white space. */
SMTP_FUNC int smtp_field_writer_structured(smtp_field_writer *f,
                                           smtp_slice text);

/* A piece that is not broken, after a space or where spaced is false directly
** behind the last one; on a line of its own if this one is full. Errors as
** above, and a line of more than 998 bytes; it must be ASCII without spaces at
** its ends. */
SMTP_FUNC int smtp_field_writer_token(smtp_field_writer *f, smtp_slice token,
                                      bool spaced);

/* A spaced token that is a mailbox, and may be UTF-8 (RFC 6532 section 3.2). */
SMTP_FUNC int smtp_field_writer_mailbox(smtp_field_writer *f,
                                        smtp_slice mailbox);

/* "; name=value", if needed quoted or in the form of RFC 2231. If words is
** true, a quoted string of encoded words instead: RFC 2047 forbids it, but old
** mail readers understand it. */
SMTP_FUNC int smtp_field_writer_param(smtp_field_writer *f, smtp_slice name,
                                      smtp_slice value, bool words);

SMTP_FUNC int smtp_field_writer_end(smtp_field_writer *f);

#endif
