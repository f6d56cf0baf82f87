/* SPDX-License-Identifier: MIT */
/*
** dot.h: message content under DATA (RFC 5321 sections 2.3.8, 4.1.1.4 and
** 4.5.2). Both directions stream: any cut into chunks gives the same bytes.
**
** The decoder is strict: only CRLF ends a line, and only CRLF "." CRLF (or
** "." CRLF as the first line) ends the content. It works in place, a line
** at a time by memchr, and takes note of what a peer should not send.
*/
#ifndef SMTP_DOT_H
#define SMTP_DOT_H

#include <stdbool.h>

#include "buf.h"
#include "smtp.h"

enum smtp_dot_seen {
  SMTP_DOT_BARE_LF = 1,
  SMTP_DOT_BARE_CR = 2,
  SMTP_DOT_NUL = 4,
  SMTP_DOT_EIGHTBIT = 8,
  SMTP_DOT_UNSTUFFED = 16 /* decoder: a dot at a line start, with no other */
};

typedef struct smtp_dot_decoder {
  unsigned char state; /* what came before: line start, CR, other */
  unsigned seen;       /* OR of enum smtp_dot_seen */
} smtp_dot_decoder;

SMTP_FUNC void smtp_dot_decoder_init(smtp_dot_decoder *d);

/*
** Decodes the n bytes at p in place: the first *made bytes at p are then
** content, *used of the n were taken. 1 if the end was reached (bytes behind
** used are not content), else 0. Up to 2 bytes that cannot be judged yet
** are not taken: give them again with more behind. The last CRLF before the
** final dot belongs to the content.
*/
SMTP_FUNC int smtp_dot_decode(smtp_dot_decoder *d, char *p, size_t n,
                              size_t *used, size_t *made);

/*
** A look at content that has no dots to remove, as BDAT has it: notes
** what a peer should not send. `last`: it ends with these bytes.
*/
SMTP_FUNC void smtp_dot_look(smtp_dot_decoder *d, smtp_slice content,
                             bool last);

enum smtp_dot_mode {
  SMTP_DOT_STUFF = 1, /* double the dot at a line start, end with .CRLF */
  SMTP_DOT_STRICT = 2 /* a bare CR or LF is SMTP_EINVALID, not mended */
};

typedef struct smtp_dot_encoder {
  unsigned mode;       /* OR of enum smtp_dot_mode */
  unsigned char state; /* as in the decoder */
  unsigned seen;       /* OR of enum smtp_dot_seen: what the input held */
} smtp_dot_encoder;

SMTP_FUNC void smtp_dot_encoder_init(smtp_dot_encoder *e, unsigned mode);

/*
** Appends in, encoded: CRLF, a lone LF and a lone CR become CRLF; a dot at a
** line start is doubled. The output is at most twice the input. Without
** STUFF this mends line ends alone. Errors: as smtp_buf_append, and
** SMTP_EINVALID under STRICT; both leave out as it was.
*/
SMTP_FUNC int smtp_dot_encode(smtp_dot_encoder *e, smtp_slice in,
                              smtp_buf *out);

/* Appends the CRLF that is missing, and under STUFF the final dot. */
SMTP_FUNC int smtp_dot_finish(smtp_dot_encoder *e, smtp_buf *out);

/*
** The number of bytes that an encoder without STUFF writes for content and for
** its end: SIZE counts these (RFC 1870 section 3).
*/
typedef struct smtp_dot_measure {
  unsigned char state; /* as in the encoder; 0 at the beginning */
  uint64_t size;
} smtp_dot_measure;

SMTP_FUNC void smtp_dot_measure_add(smtp_dot_measure *m, smtp_slice content);
SMTP_FUNC void smtp_dot_measure_end(smtp_dot_measure *m);

#endif
