/* SPDX-License-Identifier: MIT */
/* encode.c: see encode.h for what this promises. */
#include "encode.h"

#include <stdbool.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                               "abcdefghijklmnopqrstuvwxyz0123456789+/";

/* RFC 5322 section 2.1.1. */
#define LINE_MAX 998

/* ---- base64 ---------------------------------------------------------- */

/* Four characters of n bytes (1 to 3), and a CRLF where the line is full. */
static size_t group(smtp_encode_lines *e, const unsigned char *p, unsigned n,
                    char *to) {
  uint32_t bits = (uint32_t)p[0] << 16 | (n > 1 ? (uint32_t)p[1] << 8 : 0) |
                  (n > 2 ? p[2] : 0);
  to[0] = alphabet[bits >> 18];
  to[1] = alphabet[bits >> 12 & 63];
  to[2] = n > 1 ? alphabet[bits >> 6 & 63] : '=';
  to[3] = n > 2 ? alphabet[bits & 63] : '=';
  e->column += 4;
  if (e->column < SMTP_ENCODE_LINE) return 4;
  e->column = 0;
  to[4] = '\r';
  to[5] = '\n';
  return 6;
}

int smtp_encode_base64(smtp_encode_lines *e, smtp_slice in, smtp_buf *out) {
  const unsigned char *p = (const unsigned char *)in.p, *end = p + in.n;
  char *place, *to;
  int r;
  if (in.n > SIZE_MAX / 4) return SMTP_ETOOBIG;
  r = smtp_buf_reserve(out, (in.n / 3 + 2) * 4 + (in.n / 57 + 2) * 2, &place);
  if (r != 0) return r;
  to = place;
  while (e->held_n > 0 && e->held_n < 3 && p < end) e->held[e->held_n++] = *p++;
  if (e->held_n == 3) {
    to += group(e, e->held, 3, to);
    e->held_n = 0;
  }
  for (; end - p >= 3; p += 3) to += group(e, p, 3, to);
  while (p < end) e->held[e->held_n++] = *p++;
  smtp_buf_commit(out, (size_t)(to - place));
  return 0;
}

int smtp_encode_base64_end(smtp_encode_lines *e, smtp_buf *out) {
  char room[8];
  size_t n = 0;
  if (e->held_n > 0) n = group(e, e->held, e->held_n, room);
  if (e->column > 0) {
    room[n++] = '\r';
    room[n++] = '\n';
  }
  e->held_n = e->column = 0;
  return n == 0 ? 0 : smtp_buf_append(out, room, n);
}

uint64_t smtp_encode_base64_size(uint64_t n) {
  uint64_t characters = (n + 2) / 3 * 4;
  uint64_t lines = (characters + SMTP_ENCODE_LINE - 1) / SMTP_ENCODE_LINE;
  return characters + 2 * lines;
}

/* ---- lines and quoted-printable ------------------------------------------------ */

/* A line of text without its end, and that end off the front of *in. */
static smtp_slice cut_line(smtp_slice *in) {
  smtp_slice line = *in;
  size_t i = 0, skip = 0;
  while (i < in->n && in->p[i] != '\r' && in->p[i] != '\n') i++;
  if (i < in->n)
    skip = in->p[i] == '\r' && i + 1 < in->n && in->p[i + 1] == '\n' ? 2 : 1;
  line.n = i;
  in->p += i + skip;
  in->n -= i + skip;
  return line;
}

size_t smtp_encode_canonical_size(smtp_slice text) {
  size_t size = 0;
  while (text.n > 0) size += cut_line(&text).n + 2;
  return size;
}

void smtp_encode_canonical(char *to, smtp_slice text) {
  while (text.n > 0) {
    smtp_slice line = cut_line(&text);
    if (line.n > 0) memcpy(to, line.p, line.n);
    to += line.n;
    *to++ = '\r';
    *to++ = '\n';
  }
}

static bool is_literal(unsigned char c) {
  return (c >= 33 && c <= 126 && c != '=') || c == ' ' || c == '\t';
}

typedef struct writer {
  smtp_buf *out;
  uint64_t size;
  int result;
  unsigned column;
} writer;

static void put(writer *w, const char *p, size_t n) {
  w->size += n;
  w->column += (unsigned)n;
  if (w->out != NULL && w->result == 0)
    w->result = smtp_buf_append(w->out, p, n);
}

/* One byte; a space at the end of a line would be lost on its way, and a dot or
** "From" at its beginning is what old programs stumble over. */
static void put_byte(writer *w, unsigned char c, bool last) {
  static const char digits[] = "0123456789ABCDEF";
  char text[3];
  bool literal = is_literal(c) && !(last && (c == ' ' || c == '\t')) &&
                 !(w->column == 0 && (c == '.' || c == 'F'));
  size_t n = literal ? 1 : 3;
  if (w->column + n > SMTP_ENCODE_LINE - (last ? 0 : 1)) {
    put(w, "=\r\n", 3);
    w->column = 0;
    literal = literal && c != '.' && c != 'F';
    n = literal ? 1 : 3;
  }
  text[0] = literal ? (char)c : '=';
  text[1] = digits[c >> 4];
  text[2] = digits[c & 15];
  put(w, text, n);
}

int smtp_encode_qp(smtp_slice text, smtp_buf *out, uint64_t *size) {
  writer w = {out, 0, 0, 0};
  while (text.n > 0) {
    smtp_slice line = cut_line(&text);
    size_t i;
    for (i = 0; i < line.n; i++)
      put_byte(&w, (unsigned char)line.p[i], i + 1 == line.n);
    put(&w, "\r\n", 2);
    w.column = 0;
  }
  if (size != NULL) *size = w.size;
  return w.result;
}

/* ---- which ----------------------------------------------------------- */

static bool is_plain_line(smtp_slice line) {
  size_t i;
  if (line.n > LINE_MAX) return false;
  if (line.n >= 5 && memcmp(line.p, "From ", 5) == 0) return false;
  for (i = 0; i < line.n; i++) {
    unsigned char c = (unsigned char)line.p[i];
    if ((c < 32 && c != '\t') || c >= 127) return false;
  }
  return line.n == 0 ||
         (line.p[line.n - 1] != ' ' && line.p[line.n - 1] != '\t');
}

smtp_encode_kind smtp_encode_choose(smtp_slice text) {
  smtp_slice rest = text;
  uint64_t size;
  bool plain = true;
  while (plain && rest.n > 0) plain = is_plain_line(cut_line(&rest));
  if (plain) return SMTP_ENCODE_7BIT;
  smtp_encode_qp(text, NULL, &size);
  return size <= smtp_encode_base64_size(text.n) ? SMTP_ENCODE_QP
                                                 : SMTP_ENCODE_BASE64;
}
