/* SPDX-License-Identifier: MIT */
/*
** buf.h: a byte queue born with a cap. Bytes are appended at the end and
** consumed at the front; a search for a line remembers how far it looked, so
** that a line which comes byte by byte costs linear time.
*/
#ifndef SMTP_BUF_H
#define SMTP_BUF_H

#include "mem.h"
#include "smtp.h"

typedef struct smtp_buf {
  const smtp_mem *mem;
  char *p;        /* storage of size bytes, NULL while nothing was appended */
  size_t size;    /* bytes allocated */
  size_t begin;   /* the queued bytes are p[begin] to p[end - 1] */
  size_t end;     /* */
  size_t scanned; /* bytes from begin in which there is no LF */
  size_t cap;     /* the most bytes that it may hold */
} smtp_buf;

SMTP_FUNC void smtp_buf_init(smtp_buf *b, const smtp_mem *mem, size_t cap);

/* Drops the bytes and frees the storage; the buffer can be used again. */
SMTP_FUNC void smtp_buf_clear(smtp_buf *b);

/* Copies n bytes to the end: 0, SMTP_ETOOBIG beyond the cap, SMTP_ENOMEM. */
SMTP_FUNC int smtp_buf_append(smtp_buf *b, const char *p, size_t n);
SMTP_FUNC int smtp_buf_append_slice(smtp_buf *b, smtp_slice s);

/* An unsigned number in decimal digits; errors as smtp_buf_append. */
SMTP_FUNC int smtp_buf_append_number(smtp_buf *b, uint64_t value);

/*
** Makes room for n more bytes behind the end and gives its place, for a
** reader that writes there; then smtp_buf_commit tells how many came.
** The place is valid until the next call on b. Errors as smtp_buf_append.
*/
SMTP_FUNC int smtp_buf_reserve(smtp_buf *b, size_t n, char **place);
SMTP_FUNC void smtp_buf_commit(smtp_buf *b, size_t n);

/* The queued bytes: borrowed until the next call that adds or clears. */
SMTP_FUNC smtp_slice smtp_buf_data(const smtp_buf *b);
SMTP_FUNC size_t smtp_buf_length(const smtp_buf *b);

/* Drops n bytes at the front (n at most the length). */
SMTP_FUNC void smtp_buf_consume(smtp_buf *b, size_t n);

/* Overwrites everything in the storage that is not queued now: what was
** consumed may have been a secret. */
SMTP_FUNC void smtp_buf_wipe(smtp_buf *b);

/* Drops bytes at the end, so that n are left (to undo an append). */
SMTP_FUNC void smtp_buf_truncate(smtp_buf *b, size_t n);

/*
** 1 and the first line up to its LF, the LF included, not consumed; 0 if
** there is none yet. Borrowed as smtp_buf_data.
*/
SMTP_FUNC int smtp_buf_line(smtp_buf *b, smtp_slice *line);

#endif
