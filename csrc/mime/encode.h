/* SPDX-License-Identifier: MIT */
/*
** encode.h: the bodies of a message for the wire: base64 in lines, piece by
** piece, quoted-printable of text (RFC 2045 sections 6.7 and 6.8), and the
** choice between them. The size of either is known before a byte is made.
*/
#ifndef SMTP_ENCODE_H
#define SMTP_ENCODE_H

#include "../core/buf.h"
#include "../core/smtp.h"

/* Characters of a line of base64 or quoted-printable, without its CRLF. */
#define SMTP_ENCODE_LINE 76

/* Base64 of bytes in any pieces; cleared memory is its beginning. */
typedef struct smtp_encode_lines {
  unsigned char held[3];
  unsigned held_n;
  unsigned column;
} smtp_encode_lines;

/* Appends the whole groups of these bytes. 0, or as smtp_buf_append. */
SMTP_FUNC int smtp_encode_base64(smtp_encode_lines *e, smtp_slice in,
                                 smtp_buf *out);

/* Appends the rest and the CRLF of the last line. */
SMTP_FUNC int smtp_encode_base64_end(smtp_encode_lines *e, smtp_buf *out);

/* The bytes that both make of n. */
SMTP_FUNC uint64_t smtp_encode_base64_size(uint64_t n);

/* The size of text with CRLF at the end of each line (CRLF, LF or CR), and of
** the last one; and that text, written to as many bytes. */
SMTP_FUNC size_t smtp_encode_canonical_size(smtp_slice text);
SMTP_FUNC void smtp_encode_canonical(char *to, smtp_slice text);

/*
** Appends text as quoted-printable: its lines (CRLF, LF or CR) end in CRLF, and
** so does the last one. With out NULL nothing is made, and *size is the size of
** the result.
*/
SMTP_FUNC int smtp_encode_qp(smtp_slice text, smtp_buf *out, uint64_t *size);

/* The encoding of a text on the wire (RFC 2045 section 6.2). */
typedef enum smtp_encode_kind {
  SMTP_ENCODE_7BIT, /* as it is, but for the ends of its lines */
  SMTP_ENCODE_QP,
  SMTP_ENCODE_BASE64
} smtp_encode_kind;

/* The smaller one of the two others if 7bit is not possible: for 8-bit bytes,
** controls, a line of more than 998, or a line that begins with "From ". */
SMTP_FUNC smtp_encode_kind smtp_encode_choose(smtp_slice text);

#endif
