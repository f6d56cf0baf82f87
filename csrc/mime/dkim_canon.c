/* SPDX-License-Identifier: MIT */
/*
** dkim_canon.c: RFC 6376 sections 3.4.1 to 3.4.4. Both forms of the body drop
** the empty lines at its end; relaxed also makes white space within a line one
** space and drops it at the end of a line. An empty body is CRLF in the simple
** form and nothing in the relaxed one.
*/
#include "dkim_canon.h"

#include "../core/ascii.h"

#include <string.h>

static bool iswhite(char c) {
  return c == ' ' || c == '\t';
}

static bool isend(char c) {
  return c == '\r' || c == '\n';
}

/* ---- the body ---- */

void smtp_dkim_body_init(smtp_dkim_body *b, smtp_dkim_canon canon,
                         smtp_dkim_write write, void *ctx) {
  b->canon = canon;
  b->write = write;
  b->ctx = ctx;
  b->ends = 0;
  b->some = b->space = b->cr = false;
  b->n = 0;
}

static int flush(smtp_dkim_body *b) {
  smtp_slice bytes = {b->out, b->n};
  b->n = 0;
  return bytes.n > 0 ? b->write(b->ctx, bytes) : 0;
}

static int put(smtp_dkim_body *b, const char *p, size_t n) {
  if (n > sizeof b->out - b->n) {
    int result = flush(b);
    if (result != 0) return result;
    if (n > sizeof b->out) return b->write(b->ctx, (smtp_slice){p, n});
  }
  memcpy(b->out + b->n, p, n);
  b->n += n;
  return 0;
}

/* Writes the held bytes, since other bytes follow them. */
static int putheld(smtp_dkim_body *b) {
  int result = 0;
  for (; result == 0 && b->ends > 0; b->ends--) result = put(b, "\r\n", 2);
  if (result == 0 && b->space) result = put(b, " ", 1);
  b->space = false;
  b->some = true;
  return result;
}

/* How many bytes of a line at p go out as they are. */
static size_t plain(const smtp_dkim_body *b, const char *p, size_t n) {
  size_t i = 0;
  bool relaxed = b->canon == SMTP_DKIM_RELAXED;
  while (i < n && !isend(p[i]) && !(relaxed && iswhite(p[i]))) i++;
  return i;
}

int smtp_dkim_body_feed(smtp_dkim_body *b, smtp_slice in) {
  size_t i = 0;
  while (i < in.n) {
    size_t run = plain(b, in.p + i, in.n - i);
    if (run > 0) {
      int result = putheld(b);
      if (result == 0) result = put(b, in.p + i, run);
      if (result != 0) return result;
      b->cr = false;
      i += run;
    } else if (!isend(in.p[i])) {
      b->space = true;
      b->cr = false;
      i++;
    } else {
      if (in.p[i] == '\r' || !b->cr) {
        b->ends++;
        b->space = false;
      }
      b->cr = in.p[i++] == '\r';
    }
  }
  return 0;
}

int smtp_dkim_body_finish(smtp_dkim_body *b) {
  int result = 0;
  if (b->some || b->canon == SMTP_DKIM_SIMPLE) result = put(b, "\r\n", 2);
  return result == 0 ? flush(b) : result;
}

/* ---- header fields ---- */

/* As it is, but for its line ends. */
static int putsimple(smtp_buf *out, smtp_slice field) {
  size_t from = 0;
  int result = 0;
  for (size_t i = 0; result == 0 && i < field.n; i++) {
    if (!isend(field.p[i])) continue;
    result = smtp_buf_append(out, field.p + from, i - from);
    if (result == 0) result = smtp_buf_append(out, "\r\n", 2);
    if (field.p[i] == '\r' && i + 1 < field.n && field.p[i + 1] == '\n') i++;
    from = i + 1;
  }
  if (result == 0)
    result = smtp_buf_append(out, field.p + from, field.n - from);
  return result;
}

/* The name is small, its colon bare, the value unfolded and its white space
** one space within and none around. */
static int putrelaxed(smtp_buf *out, smtp_slice name, smtp_slice value) {
  char *place;
  bool space = false, some = false;
  size_t n = 0;
  int result = smtp_buf_reserve(out, name.n + value.n + 1, &place);
  if (result != 0) return result;
  for (size_t i = 0; i < name.n; i++)
    place[n++] = (char)smtp_ascii_lower((unsigned char)name.p[i]);
  place[n++] = ':';
  for (size_t i = 0; i < value.n; i++) {
    if (isend(value.p[i])) continue;
    if (iswhite(value.p[i])) {
      space = some;
    } else {
      if (space) place[n++] = ' ';
      place[n++] = value.p[i];
      space = false;
      some = true;
    }
  }
  smtp_buf_commit(out, n);
  return 0;
}

int smtp_dkim_header(smtp_buf *out, smtp_dkim_canon canon, smtp_slice field) {
  size_t before = smtp_buf_length(out);
  const char *colon;
  smtp_slice name, value;
  int result;
  if (field.n > 0 && field.p[field.n - 1] == '\n') field.n--;
  if (field.n > 0 && field.p[field.n - 1] == '\r') field.n--;
  colon = field.n > 0 ? memchr(field.p, ':', field.n) : NULL;
  if (colon == NULL) return SMTP_ESYNTAX;
  name.p = field.p;
  name.n = (size_t)(colon - field.p);
  value.p = colon + 1;
  value.n = field.n - name.n - 1;
  while (name.n > 0 && iswhite(name.p[name.n - 1])) name.n--;
  if (name.n == 0) return SMTP_ESYNTAX;
  result = canon == SMTP_DKIM_SIMPLE ? putsimple(out, field)
                                     : putrelaxed(out, name, value);
  if (result == 0) result = smtp_buf_append(out, "\r\n", 2);
  if (result != 0) smtp_buf_truncate(out, before);
  return result;
}
