/* SPDX-License-Identifier: MIT */
/*
** uxtext.c: RFC 6533 section 3. What was appended is dropped again where the
** text turns out to be none.
*/
#include "uxtext.h"

#include "ascii.h"
#include "xtext.h"

#include <string.h>

enum { CODE_MAX = 0x10ffff, DIGITS_MAX = 6 };

static bool is_qchar(unsigned char c) {
  return smtp_ascii_is(c, SMTP_XCHAR) && c != '\\';
}

/* "\x{E9}": as few digits as there can be, but two at least. */
static int put_escape(smtp_buf *out, uint32_t code) {
  static const char hex[] = "0123456789ABCDEF";
  char text[DIGITS_MAX + 4] = "\\x{";
  size_t n = 3;
  int shift = 4;
  while (code >> shift > 15) shift += 4;
  for (; shift >= 0; shift -= 4) text[n++] = hex[code >> shift & 15];
  text[n++] = '}';
  return smtp_buf_append(out, text, n);
}

int smtp_uxtext_format(smtp_buf *out, smtp_slice in) {
  size_t before = smtp_buf_length(out);
  int result = 0;
  if (!smtp_utf8_valid(in)) return SMTP_EINVALID;
  while (in.n > 0 && result == 0) {
    const char *p = in.p;
    uint32_t code = smtp_utf8_next(&in);
    if (code < 0x80 && smtp_ascii_is((unsigned char)code, SMTP_CONTROL))
      result = SMTP_EINVALID;
    else if (code < 0x80 && is_qchar((unsigned char)code))
      result = smtp_buf_append(out, p, 1);
    else
      result = put_escape(out, code);
  }
  if (result != 0) smtp_buf_truncate(out, before);
  return result;
}

/* The length of the escape at the front of in, 0 if there is none, and its
** code. */
static size_t escape_of(smtp_slice in, uint32_t *code) {
  size_t n = 3;
  *code = 0;
  if (in.n < 6 || memcmp(in.p, "\\x{", 3) != 0) return 0;
  for (; n < in.n && in.p[n] != '}'; n++) {
    unsigned value = smtp_ascii_hex((unsigned char)in.p[n]);
    if (value == 16 || n == 3 + DIGITS_MAX) return 0;
    *code = *code << 4 | value;
  }
  if (n == in.n || n < 5 || *code > CODE_MAX) return 0;
  if (*code < 0x80 && smtp_ascii_is((unsigned char)*code, SMTP_CONTROL))
    return 0;
  return n + 1;
}

/* Appends what the front of in stands for, and takes it off. */
static int take(smtp_buf *out, smtp_slice *in) {
  unsigned char c = (unsigned char)in->p[0];
  size_t n = 1;
  int result;
  if (c == '\\') {
    char text[4];
    uint32_t code;
    n = escape_of(*in, &code);
    if (n == 0) return SMTP_ESYNTAX;
    result = smtp_buf_append(out, text, smtp_utf8_put(text, code));
  } else if (c == '+') {
    n = 3;
    if (in->n < n) return SMTP_ESYNTAX;
    result = smtp_xtext_parse(out, (smtp_slice){in->p, n});
  } else {
    if (c < 0x80 && !is_qchar(c)) return SMTP_ESYNTAX;
    result = smtp_buf_append(out, in->p, 1);
  }
  in->p += n;
  in->n -= n;
  return result;
}

int smtp_uxtext_parse(smtp_buf *out, smtp_slice in) {
  size_t before = smtp_buf_length(out);
  int result = 0;
  while (in.n > 0 && result == 0) result = take(out, &in);
  if (result == 0) {
    smtp_slice all = smtp_buf_data(out);
    if (!smtp_utf8_valid((smtp_slice){all.p + before, all.n - before}))
      result = SMTP_ESYNTAX;
  }
  if (result != 0) smtp_buf_truncate(out, before);
  return result;
}
