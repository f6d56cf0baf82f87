/* SPDX-License-Identifier: MIT */
/*
** ascii.c: one constant table gives each ASCII byte its classes; bytes above
** 0x7f are in none. UTF-8 is checked by the ranges of RFC 3629 section 4: only
** the second byte of a character has a range of its own.
*/
#include "ascii.h"

#include <string.h>

/* Classes of most bytes: a control, visible, an atom's, a letter's ... */
#define C SMTP_CONTROL
#define V (SMTP_QTEXT | SMTP_XCHAR | SMTP_ESMTP)
#define T (V | SMTP_ATEXT)
#define D (T | SMTP_DIGIT | SMTP_HEX)
#define A (T | SMTP_ALPHA)
#define H (A | SMTP_HEX)
/* ... and the bytes that stand alone: space, " and \, plus, equals sign. */
#define S SMTP_QTEXT
#define Q (SMTP_XCHAR | SMTP_ESMTP)
#define P (SMTP_ATEXT | SMTP_QTEXT | SMTP_ESMTP)
#define E (SMTP_ATEXT | SMTP_QTEXT)

/* clang-format off */
const unsigned char smtp_ascii_classes[256] = {
  C, C, C, C, C, C, C, C, C, C, C, C, C, C, C, C,
  C, C, C, C, C, C, C, C, C, C, C, C, C, C, C, C,
/*    !  "  #  $  %  &  '  (  )  *  +  ,  -  .  / */
  S, T, Q, T, T, T, T, T, V, V, T, P, V, T, V, T,
/* 0  1  2  3  4  5  6  7  8  9  :  ;  <  =  >  ? */
  D, D, D, D, D, D, D, D, D, D, V, V, V, E, V, T,
/* @  A  B  C  D  E  F  G                         */
  V, H, H, H, H, H, H, A, A, A, A, A, A, A, A, A,
/*                                  [  \  ]  ^  _ */
  A, A, A, A, A, A, A, A, A, A, A, V, Q, V, T, T,
/* `  a  b  c  d  e  f  g                         */
  T, H, H, H, H, H, H, A, A, A, A, A, A, A, A, A,
/*                                  {  |  }  ~    */
  A, A, A, A, A, A, A, A, A, A, A, T, T, T, T, C
};
/* clang-format on */

unsigned char smtp_ascii_lower(unsigned char c) {
  return c >= 'A' && c <= 'Z' ? (unsigned char)(c + ('a' - 'A')) : c;
}

unsigned smtp_ascii_hex(unsigned char c) {
  if (c >= '0' && c <= '9') return c - (unsigned)'0';
  c = smtp_ascii_lower(c);
  return c >= 'a' && c <= 'f' ? c - (unsigned)'a' + 10 : 16;
}

bool smtp_ascii_blank(char c, bool tab) {
  return c == ' ' || (tab && c == '\t');
}

smtp_slice smtp_ascii_skip_blanks(smtp_slice text, bool tab) {
  size_t n = 0;
  while (n < text.n && smtp_ascii_blank(text.p[n], tab)) n++;
  return (smtp_slice){text.p + n, text.n - n};
}

smtp_slice smtp_ascii_trim(smtp_slice text, bool tab) {
  text = smtp_ascii_skip_blanks(text, tab);
  while (text.n > 0 && smtp_ascii_blank(text.p[text.n - 1], tab)) text.n--;
  return text;
}

bool smtp_ascii_line(smtp_slice *rest, smtp_slice *line) {
  const char *lf = rest->n > 0 ? memchr(rest->p, '\n', rest->n) : NULL;
  *line = *rest;
  if (lf != NULL) line->n = (size_t)(lf - rest->p);
  rest->p += line->n + (lf != NULL);
  rest->n -= line->n + (lf != NULL);
  return lf != NULL;
}

bool smtp_ascii_equal(smtp_slice a, smtp_slice b) {
  if (a.n != b.n) return false;
  for (size_t i = 0; i < a.n; i++) {
    if (smtp_ascii_lower((unsigned char)a.p[i]) !=
        smtp_ascii_lower((unsigned char)b.p[i]))
      return false;
  }
  return true;
}

bool smtp_ascii_begins(smtp_slice text, smtp_slice with) {
  if (text.n > with.n) text.n = with.n;
  return smtp_ascii_equal(text, with);
}

bool smtp_ascii_listed(smtp_slice all, smtp_slice word) {
  size_t i = 0;
  while (i < all.n) {
    size_t from = i;
    while (i < all.n && all.p[i] != ' ') i++;
    if (smtp_ascii_equal((smtp_slice){all.p + from, i - from}, word))
      return true;
    i++;
  }
  return false;
}

int smtp_ascii_number(smtp_slice text, uint64_t *value) {
  uint64_t sum = 0;
  bool over = text.n > 20;
  if (text.n == 0) return SMTP_ESYNTAX;
  for (size_t i = 0; i < text.n; i++) {
    unsigned char c = (unsigned char)text.p[i];
    if (!smtp_ascii_is(c, SMTP_DIGIT)) return SMTP_ESYNTAX;
    unsigned digit = c - (unsigned)'0';
    if (sum > (UINT64_MAX - digit) / 10) over = true;
    sum = sum * 10 + digit; /* wraps only once over is set */
  }
  if (over) return SMTP_ETOOBIG;
  *value = sum;
  return 0;
}

/* Whole messages pass here: eight bytes at a time. */
bool smtp_ascii_eightbit(smtp_slice text) {
  const uint64_t high = UINT64_C(0x8080808080808080);
  size_t i = 0;
  for (; text.n - i >= sizeof high; i += sizeof high) {
    uint64_t word;
    memcpy(&word, text.p + i, sizeof word);
    if ((word & high) != 0) return true;
  }
  for (; i < text.n; i++) {
    if ((unsigned char)text.p[i] > 0x7f) return true;
  }
  return false;
}

size_t smtp_ascii_run(smtp_slice text) {
  size_t n = 0;
  while (n < text.n && (unsigned char)text.p[n] < 0x80) n++;
  return n;
}

/*
** The length of the character that begins with byte c, 0 if none does, and
** the range of its second byte.
*/
static size_t utf8_lead(unsigned char c, unsigned char *low,
                        unsigned char *high) {
  *low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;  /* no overlong form */
  *high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf; /* no surrogate */
  if (c < 0x80) return 1;
  if (c >= 0xc2 && c <= 0xdf) return 2;
  if (c >= 0xe0 && c <= 0xef) return 3;
  if (c >= 0xf0 && c <= 0xf4) return 4;
  return 0;
}

bool smtp_utf8_valid(smtp_slice text) {
  size_t i = 0;
  while (i < text.n) {
    unsigned char low, high;
    size_t n = utf8_lead((unsigned char)text.p[i], &low, &high);
    if (n == 0 || n > text.n - i) return false;
    for (size_t k = 1; k < n; k++) {
      unsigned char c = (unsigned char)text.p[i + k];
      if (c < low || c > high) return false;
      low = 0x80;
      high = 0xbf;
    }
    i += n;
  }
  return true;
}

uint32_t smtp_utf8_next(smtp_slice *text) {
  unsigned char c = (unsigned char)text->p[0];
  size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
  uint32_t point = n == 1 ? c : c & (0x7fu >> n);
  for (size_t i = 1; i < n; i++)
    point = point << 6 | ((unsigned char)text->p[i] & 0x3fu);
  text->p += n;
  text->n -= n;
  return point;
}

size_t smtp_utf8_put(char *to, uint32_t point) {
  static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
  size_t n = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
  for (size_t i = n; i-- > 1; point >>= 6)
    to[i] = (char)(0x80 | (point & 0x3f));
  to[0] = (char)(lead[n] | point);
  return n;
}
