/* SPDX-License-Identifier: MIT */
/*
** xtext.c: RFC 3461 section 4. A first pass checks and counts, a second one
** writes: an error leaves no trace, and the cap of the buffer is met exactly.
*/
#include "xtext.h"

#include "ascii.h"

/* The value of an upper case hexadecimal digit, or 16 for any other byte. */
static unsigned hex_value(unsigned char c) {
  return c >= 'a' ? 16 : smtp_ascii_hex(c);
}

int smtp_xtext_format(smtp_buf *out, smtp_slice in) {
  static const char hex[] = "0123456789ABCDEF";
  size_t length = 0;
  char *to;
  for (size_t i = 0; i < in.n; i++) {
    unsigned char c = (unsigned char)in.p[i];
    if (smtp_ascii_is(c, SMTP_CONTROL)) return SMTP_EINVALID;
    if (length > SIZE_MAX - 3) return SMTP_ETOOBIG;
    length += smtp_ascii_is(c, SMTP_XCHAR) ? 1 : 3;
  }
  int result = smtp_buf_reserve(out, length, &to);
  if (result != 0) return result;
  for (size_t i = 0; i < in.n; i++) {
    unsigned char c = (unsigned char)in.p[i];
    if (smtp_ascii_is(c, SMTP_XCHAR)) {
      *to++ = (char)c;
    } else {
      *to++ = '+';
      *to++ = hex[c >> 4];
      *to++ = hex[c & 15];
    }
  }
  smtp_buf_commit(out, length);
  return 0;
}

/*
** Takes one xchar or hexchar off the front of in and gives the byte that it
** stands for; 0 if there is neither, or a control.
*/
static unsigned char next_byte(smtp_slice *in) {
  unsigned char c = (unsigned char)in->p[0];
  size_t n = 1;
  if (c == '+') {
    n = 3;
    if (in->n < n) return 0;
    unsigned high = hex_value((unsigned char)in->p[1]);
    unsigned low = hex_value((unsigned char)in->p[2]);
    if (high == 16 || low == 16) return 0;
    c = (unsigned char)(high << 4 | low);
    if (smtp_ascii_is(c, SMTP_CONTROL)) return 0;
  } else if (!smtp_ascii_is(c, SMTP_XCHAR)) {
    return 0;
  }
  in->p += n;
  in->n -= n;
  return c;
}

int smtp_xtext_parse(smtp_buf *out, smtp_slice in) {
  size_t length = 0;
  char *to;
  for (smtp_slice rest = in; rest.n > 0; length++) {
    if (next_byte(&rest) == 0) return SMTP_ESYNTAX;
  }
  int result = smtp_buf_reserve(out, length, &to);
  if (result != 0) return result;
  while (in.n > 0) *to++ = (char)next_byte(&in);
  smtp_buf_commit(out, length);
  return 0;
}
