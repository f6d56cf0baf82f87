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

/* A table, since its branches would be guessed wrongly at every other byte. */
const unsigned char smtp_base64_value[256] = {
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 62, 64, 64, 64, 63, 52, 53, 54, 55, 56, 57, 58, 59, 60,
    61, 64, 64, 64, 64, 64, 64, 64, 0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10,
    11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 64, 64, 64, 64,
    64, 64, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42,
    43, 44, 45, 46, 47, 48, 49, 50, 51, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64};

void smtp_base64_group(const char *from, size_t n, char *to) {
  uint32_t bits = 0;
  for (size_t k = 0; k < 3; k++)
    bits = bits << 8 | (k < n ? (unsigned char)from[k] : 0);
  for (size_t k = 0; k < 4; k++)
    to[k] = k <= n ? alphabet[bits >> (18 - 6 * k) & 63] : '=';
}

int smtp_base64_format(smtp_buf *out, smtp_slice in) {
  char *to;
  size_t groups = in.n / 3 + (in.n % 3 != 0);
  if (groups > SIZE_MAX / 4) return SMTP_ETOOBIG;
  int result = smtp_buf_reserve(out, groups * 4, &to);
  if (result != 0) return result;
  for (size_t i = 0; i < in.n; i += 3, to += 4)
    smtp_base64_group(in.p + i, in.n - i < 3 ? in.n - i : 3, to);
  smtp_buf_commit(out, groups * 4);
  return 0;
}

/* Decodes four digits, the last pad of which are "="; false if it cannot. */
static bool decode_group(const char *from, size_t pad, char *to) {
  uint32_t bits = 0;
  for (size_t k = 0; k < 4 - pad; k++) {
    unsigned value = smtp_base64_value[(unsigned char)from[k]];
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
