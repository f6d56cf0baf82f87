/* SPDX-License-Identifier: MIT */
/*
** buf.c: the byte queue. The bytes lie in one piece, so that a line or a
** command is always a slice. Storage doubles from 256 bytes up to the cap;
** what was consumed at the front is won back by a move, and only when room is
** needed. A buffer that runs empty starts again at its front, so a queue that
** is drained as it should be never moves a byte.
*/
#include "buf.h"

#include <string.h>

#define FIRST_SIZE 256

void smtp_buf_init(smtp_buf *b, const smtp_mem *mem, size_t cap) {
  memset(b, 0, sizeof(*b));
  b->mem = mem;
  b->cap = cap;
}

void smtp_buf_clear(smtp_buf *b) {
  smtp_mem_free(b->mem, b->p, b->size);
  smtp_buf_init(b, b->mem, b->cap);
}

static void move_to_front(smtp_buf *b) {
  if (b->begin == 0) return;
  memmove(b->p, b->p + b->begin, b->end - b->begin);
  b->end -= b->begin;
  b->begin = 0;
}

/* Makes the storage hold need bytes, which is at most the cap. */
static int grow(smtp_buf *b, size_t need) {
  size_t size = b->size == 0 ? FIRST_SIZE : b->size;
  while (size < need && size <= b->cap / 2) size *= 2;
  if (size < need || size > b->cap) size = b->cap;
  char *p = smtp_mem_resize(b->mem, b->p, b->size, size);
  if (p == NULL) return SMTP_ENOMEM;
  b->p = p;
  b->size = size;
  return 0;
}

int smtp_buf_reserve(smtp_buf *b, size_t n, char **place) {
  size_t length = smtp_buf_length(b);
  if (n > b->cap - length) return SMTP_ETOOBIG;
  if (n > b->size - b->end) {
    move_to_front(b);
    if (n > b->size - b->end && grow(b, length + n) != 0) return SMTP_ENOMEM;
  }
  *place = b->p == NULL ? NULL : b->p + b->end;
  return 0;
}

void smtp_buf_commit(smtp_buf *b, size_t n) {
  b->end += n;
}

int smtp_buf_append(smtp_buf *b, const char *p, size_t n) {
  char *place;
  int result = smtp_buf_reserve(b, n, &place);
  if (result != 0 || n == 0) return result;
  memcpy(place, p, n);
  smtp_buf_commit(b, n);
  return 0;
}

int smtp_buf_append_slice(smtp_buf *b, smtp_slice s) {
  return smtp_buf_append(b, s.p, s.n);
}

int smtp_buf_append_number(smtp_buf *b, uint64_t value) {
  char digits[20]; /* as many as 2^64-1 has */
  size_t at = sizeof(digits);
  do {
    digits[--at] = (char)('0' + value % 10);
    value /= 10;
  } while (value != 0);
  return smtp_buf_append(b, digits + at, sizeof(digits) - at);
}

smtp_slice smtp_buf_data(const smtp_buf *b) {
  smtp_slice data = {"", 0}; /* never NULL: memchr and memcpy may have it */
  if (b->p != NULL) data.p = b->p + b->begin;
  data.n = smtp_buf_length(b);
  return data;
}

size_t smtp_buf_length(const smtp_buf *b) {
  return b->end - b->begin;
}

void smtp_buf_consume(smtp_buf *b, size_t n) {
  b->begin += n;
  b->scanned = b->scanned > n ? b->scanned - n : 0;
  if (b->begin == b->end) b->begin = b->end = 0;
}

void smtp_buf_wipe(smtp_buf *b) {
  if (b->p == NULL) return;
  smtp_mem_wipe(b->p, b->begin);
  smtp_mem_wipe(b->p + b->end, b->size - b->end);
}

void smtp_buf_truncate(smtp_buf *b, size_t n) {
  if (n >= smtp_buf_length(b)) return;
  b->end = b->begin + n;
  if (b->scanned > n) b->scanned = n;
  if (n == 0) b->begin = b->end = 0;
}

int smtp_buf_line(smtp_buf *b, smtp_slice *line) {
  smtp_slice data = smtp_buf_data(b);
  const char *from = data.p + b->scanned;
  const char *lf = memchr(from, '\n', data.n - b->scanned);
  if (lf == NULL) {
    b->scanned = data.n;
    return 0;
  }
  b->scanned = (size_t)(lf - data.p);
  line->p = data.p;
  line->n = b->scanned + 1;
  return 1;
}
