/* SPDX-License-Identifier: MIT */
/*
** dkim_canon.h: the canonical forms of a message that DKIM signs (RFC 6376
** section 3.4). The body streams, in any cut, in constant memory: empty lines,
** which count only if something follows, are counted and not kept. Line ends
** may be CRLF, LF or CR; they come out as CRLF, as they go on the wire.
*/
#ifndef SMTP_MIME_DKIM_CANON_H
#define SMTP_MIME_DKIM_CANON_H

#include "../core/buf.h"
#include "../core/smtp.h"

#include <stdbool.h>

typedef enum smtp_dkim_canon {
  SMTP_DKIM_SIMPLE,
  SMTP_DKIM_RELAXED
} smtp_dkim_canon;

#define SMTP_DKIM_BODY_OUT 1024

/* Takes bytes of the canonical form: 0, or an error that ends the call. */
typedef int (*smtp_dkim_write)(void *ctx, smtp_slice bytes);

typedef struct smtp_dkim_body {
  smtp_dkim_canon canon;
  smtp_dkim_write write;
  void *ctx;
  uint64_t ends; /* line ends that are written if something follows */
  bool some;     /* something but line ends came */
  bool space;    /* relaxed: white space that is written if more follows */
  bool cr;       /* the last byte was CR: an LF now is of the same line end */
  size_t n;      /* bytes of out in use */
  char out[SMTP_DKIM_BODY_OUT];
} smtp_dkim_body;

/* ctx is borrowed, and passed to write, which keeps nothing it is given. */
SMTP_FUNC void smtp_dkim_body_init(smtp_dkim_body *b, smtp_dkim_canon canon,
                                   smtp_dkim_write write, void *ctx);

/* The next bytes of the body: 0, or the error of write, which is final. */
SMTP_FUNC int smtp_dkim_body_feed(smtp_dkim_body *b, smtp_slice in);

/* The body ends here. Nothing may be fed afterwards. */
SMTP_FUNC int smtp_dkim_body_finish(smtp_dkim_body *b);

/*
** Appends the canonical form of a whole header field, "Name: value", with one
** CRLF at its end whether it had a line end there or not. SMTP_ESYNTAX: it has
** no colon, or no name before it; other errors are of smtp_buf_append. On
** failure out is as it was.
*/
SMTP_FUNC int smtp_dkim_header(smtp_buf *out, smtp_dkim_canon canon,
                               smtp_slice field);

#endif
