/* SPDX-License-Identifier: MIT */
/*
** base64.c: both directions work on groups of 24 bits. The exact length of
** the outcome is known beforehand, so there is one reservation, nothing is
** committed before all is known to be right, and an error leaves no trace.
*/
#include "base64.h"

#include <stdbool.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                               "abcdefghijklmnopqrstuvwxyz0123456789+/";

/* The value of a digit, or 64 for any other byte. */
static unsigned digit_value(unsigned char c) {
  if (c >= 'A' && c <= 'Z') return c - (unsigned)'A';
  if (c >= 'a' && c <= 'z') return c - (unsigned)'a' + 26;
  if (c >= '0' && c <= '9') return c - (unsigned)'0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : 64;
}

int smtp_base64_format(smtp_buf *out, smtp_slice in) {
  char *to;
  size_t groups = in.n / 3 + (in.n % 3 != 0);
  if (groups > SIZE_MAX / 4) return SMTP_ETOOBIG;
  int result = smtp_buf_reserve(out, groups * 4, &to);
  if (result != 0) return result;
  for (size_t i = 0; i < in.n; i += 3) {
    size_t n = in.n - i < 3 ? in.n - i : 3;
    uint32_t bits = 0;
    for (size_t k = 0; k < 3; k++)
      bits = bits << 8 | (k < n ? (unsigned char)in.p[i + k] : 0);
    for (size_t k = 0; k < 4; k++)
      *to++ = k <= n ? alphabet[bits >> (18 - 6 * k) & 63] : '=';
  }
  smtp_buf_commit(out, groups * 4);
  return 0;
}

/* Decodes four digits, the last pad of which are "="; false if it cannot. */
static bool decode_group(const char *from, size_t pad, char *to) {
  uint32_t bits = 0;
  for (size_t k = 0; k < 4 - pad; k++) {
    unsigned value = digit_value((unsigned char)from[k]);
    if (value == 64) return false;
    bits |= (uint32_t)value << (18 - 6 * k);
  }
  if ((bits & ((1UL << (8 * pad)) - 1)) != 0) return false; /* trailing bits */
  for (size_t k = 0; k < 3 - pad; k++) to[k] = (char)(bits >> (16 - 8 * k));
  return true;
}

int smtp_base64_parse(smtp_buf *out, smtp_slice in) {
  char *to;
  size_t pad = 0;
  if (in.n % 4 != 0) return SMTP_ESYNTAX;
  while (pad < 2 && pad < in.n && in.p[in.n - 1 - pad] == '=') pad++;
  size_t length = in.n / 4 * 3 - pad;
  int result = smtp_buf_reserve(out, length, &to);
  if (result != 0) return result;
  for (size_t i = 0; i < in.n; i += 4) {
    if (!decode_group(in.p + i, i + 4 == in.n ? pad : 0, to + i / 4 * 3))
      return SMTP_ESYNTAX;
  }
  smtp_buf_commit(out, length);
  return 0;
}
