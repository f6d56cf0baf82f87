/* SPDX-License-Identifier: MIT */
/*
** decode.h: the encodings of mail, read as they come: base64 and
** quoted-printable (RFC 2045 section 6), encoded words (RFC 2047) and the
** percent form of RFC 2231. Nothing is refused: bytes outside of the grammar
** are skipped in base64 and unchanged elsewhere. Each is linear in its input.
** core/base64.h has the strict decoder.
*/
#ifndef SMTP_DECODE_H
#define SMTP_DECODE_H

#include <stdbool.h>

#include "../core/buf.h"
#include "../core/smtp.h"

/* Each appends to out; errors as smtp_buf_append. */

/* Bytes outside of the alphabet are skipped; "=" ends a group of four, and the
** next byte begins another. */
SMTP_FUNC int smtp_decode_base64(smtp_buf *out, smtp_slice in);

/* White space at the end of a line is dropped, "=" there joins two lines, and
** an "=" that two hexadecimal digits do not follow stays. */
SMTP_FUNC int smtp_decode_qp(smtp_buf *out, smtp_slice in);

/* uuencode of POSIX: the lines between "begin" and "end". Text before and after
** is skipped; without a "begin" the text is unchanged. */
SMTP_FUNC int smtp_decode_uu(smtp_buf *out, smtp_slice in);

/* A body by the name of its encoding (any case). An unknown or empty name
** changes nothing. */
SMTP_FUNC int smtp_decode_body(smtp_buf *out, smtp_slice in,
                               smtp_slice encoding);

/* Whether that encoding changes a body. */
SMTP_FUNC bool smtp_decode_changes(smtp_slice encoding);

/* %XX as RFC 2231 section 4 has it. */
SMTP_FUNC int smtp_decode_percent(smtp_buf *out, smtp_slice in);

/*
** The value of a header field as UTF-8: unfolded, encoded words decoded, white
** space between them dropped, a character split over two of the same charset
** mended. 8-bit text outside of words is UTF-8 or else windows-1252. The
** result is one line without controls but TAB (smtp_charset_line).
*/
SMTP_FUNC int smtp_decode_words(smtp_buf *out, smtp_slice in);

#endif
