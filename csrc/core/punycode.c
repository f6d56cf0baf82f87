/* SPDX-License-Identifier: MIT */
/*
** punycode.c: the encoder of RFC 3492 section 6.3, label by label. A label has
** at most 63 octets, so its code points fit on the stack and deltas fit in 32
** bits with room to spare; they are checked all the same.
*/
#include "punycode.h"

#include <stdbool.h>

#include "ascii.h"

#define LABEL_MAX 63
#define OCTETS_MAX 253

/* RFC 3492 section 5. */
enum { BASE = 36, TMIN = 1, TMAX = 26, SKEW = 38, DAMP = 700, BIAS = 72 };
#define INITIAL 0x80

/* ---- characters ------------------------------------------------------ */

/* What is no letter of a name as it should be written: see punycode.h. In
** pairs of first and last. */
static const uint32_t refused[] = {
    0x80,    0xde,  /* C1, spaces, signs, capitals of Latin-1 */
    0xf7,    0xf7,  /* the sign of division */
    0x130,   0x130, /* I with a dot */
    0x300,   0x36f, /* combining marks */
    0x37e,   0x37e, /* the question mark of Greek */
    0x386,   0x38f,   0x391,  0x3ab,  /* capitals of Greek */
    0x400,   0x42f,                   /* of Cyrillic */
    0x531,   0x556,   0x10a0, 0x10c5, /* of Armenian, of Georgian */
    0x13a0,  0x13f5,                  /* of Cherokee */
    0x1f08,  0x1f0f,  0x1f18, 0x1f1d, /* of Greek with accents */
    0x1f28,  0x1f2f,  0x1f38, 0x1f3f, 0x1f48, 0x1f4d, 0x1f59, 0x1f5f,
    0x1f68,  0x1f6f,  0x1f88, 0x1fff, 0x2000, 0x2bff, /* punctuation, marks of direction, symbols */
    0x2e00,  0x2e7f,                                  /* more punctuation */
    0x3000,  0x3004,  0x3008, 0x3020, 0x3099, 0x309c, /* that of CJK */
    0xd800,  0xfb4f,  /* surrogates, private, compatibility, ligatures */
    0xfe00,  0xffff,  /* selectors, full width, no characters */
    0xe0000, 0x10ffff /* tags and private */
};

/* Latin Extended-A and the like come in pairs, the capital first: at even code
** points, but for two stretches. */
static bool is_capital(uint32_t c) {
  if ((c >= 0x100 && c <= 0x137) || (c >= 0x14a && c <= 0x177) ||
      (c >= 0x1e00 && c <= 0x1e95) || (c >= 0x1ea0 && c <= 0x1eff) ||
      (c >= 0x460 && c <= 0x481) || (c >= 0x48a && c <= 0x4bf) ||
      (c >= 0x4d0 && c <= 0x52f) || (c >= 0x3d8 && c <= 0x3ef))
    return c % 2 == 0;
  if ((c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17e) ||
      (c >= 0x4c1 && c <= 0x4ce))
    return c % 2 == 1;
  return c == 0x178 || c == 0x1e9e || c == 0x4c0;
}

static bool is_refused(uint32_t c) {
  size_t i;
  for (i = 0; i < sizeof refused / sizeof *refused; i += 2)
    if (c >= refused[i] && c <= refused[i + 1]) return true;
  return is_capital(c);
}

/* The character at p[*i], which is known to be of UTF-8. */
static uint32_t take(smtp_slice s, size_t *i) {
  unsigned char c = (unsigned char)s.p[(*i)++];
  uint32_t value;
  if (c < 0x80) return c;
  value = c < 0xe0 ? c & 31u : c < 0xf0 ? c & 15u : c & 7u;
  while (*i < s.n && ((unsigned char)s.p[*i] & 0xc0) == 0x80)
    value = value << 6 | ((unsigned char)s.p[(*i)++] & 63u);
  return value;
}

/* ---- a label --------------------------------------------------------- */

typedef struct label {
  uint32_t c[LABEL_MAX];
  size_t n, basic; /* characters, and those of ASCII */
} label;

static int read_label(label *l, smtp_slice text) {
  size_t i = 0;
  l->n = l->basic = 0;
  while (i < text.n) {
    uint32_t c = take(text, &i);
    if (l->n == LABEL_MAX) return SMTP_ESYNTAX;
    if (c >= 0x80 && is_refused(c)) return SMTP_EINVALID;
    if (c >= 'A' && c <= 'Z') c += 'a' - 'A';
    l->basic += c < 0x80;
    l->c[l->n++] = c;
  }
  return l->n == 0 ? SMTP_ESYNTAX : 0;
}

static int put(smtp_buf *out, uint32_t c) {
  char byte = (char)c;
  return smtp_buf_append(out, &byte, 1);
}

static int put_digit(smtp_buf *out, uint32_t digit) {
  return put(out, digit < 26 ? 'a' + digit : '0' + digit - 26);
}

static uint32_t adapt(uint32_t delta, uint32_t points, bool first) {
  uint32_t k = 0;
  delta /= first ? DAMP : 2;
  for (delta += delta / points; delta > (BASE - TMIN) * TMAX / 2; k += BASE)
    delta /= BASE - TMIN;
  return k + (BASE - TMIN + 1) * delta / (delta + SKEW);
}

/* A delta as a number of variable length (RFC 3492 section 3.3). */
static int put_delta(smtp_buf *out, uint32_t delta, uint32_t bias) {
  uint32_t k;
  int r = 0;
  for (k = BASE; r == 0; k += BASE) {
    uint32_t t = k <= bias ? TMIN : k >= bias + TMAX ? TMAX : k - bias;
    if (delta < t) break;
    r = put_digit(out, t + (delta - t) % (BASE - t));
    delta = (delta - t) / (BASE - t);
  }
  return r != 0 ? r : put_digit(out, delta);
}

static int encode(smtp_buf *out, const label *l) {
  uint32_t n = INITIAL, delta = 0, bias = BIAS;
  size_t handled = l->basic, i;
  int r = smtp_buf_append(out, "xn--", 4);
  for (i = 0; r == 0 && i < l->n; i++)
    if (l->c[i] < INITIAL) r = put(out, l->c[i]);
  if (r == 0 && l->basic > 0) r = put(out, '-');
  while (r == 0 && handled < l->n) {
    uint32_t next = UINT32_MAX;
    for (i = 0; i < l->n; i++)
      if (l->c[i] >= n && l->c[i] < next) next = l->c[i];
    if (next - n > (UINT32_MAX - delta) / (handled + 1)) return SMTP_ESYNTAX;
    delta += (next - n) * (uint32_t)(handled + 1);
    n = next;
    for (i = 0; r == 0 && i < l->n; i++) {
      if (l->c[i] < n && ++delta == 0) return SMTP_ESYNTAX;
      if (l->c[i] != n) continue;
      r = put_delta(out, delta, bias);
      bias = adapt(delta, (uint32_t)handled + 1, handled == l->basic);
      delta = 0;
      handled++;
    }
    delta++;
    n++;
  }
  return r;
}

static int put_label(smtp_buf *out, smtp_slice text) {
  size_t before = smtp_buf_length(out), i;
  label l;
  int r = read_label(&l, text);
  if (r != 0) return r;
  if (l.basic < l.n) {
    r = encode(out, &l);
  } else {
    for (i = 0; r == 0 && i < l.n; i++) r = put(out, l.c[i]);
  }
  if (r == 0 && smtp_buf_length(out) - before > LABEL_MAX) r = SMTP_ESYNTAX;
  return r;
}

int smtp_punycode_domain(smtp_buf *out, smtp_slice domain) {
  size_t before = smtp_buf_length(out), from = 0, i;
  int r = domain.n > 0 && smtp_utf8_valid(domain) ? 0 : SMTP_ESYNTAX;
  if (domain.n > 1 && domain.p[domain.n - 1] == '.') domain.n--;
  for (i = 0; r == 0 && i <= domain.n; i++) {
    if (i < domain.n && domain.p[i] != '.') continue;
    if (from > 0) r = put(out, '.');
    if (r == 0) r = put_label(out, (smtp_slice){domain.p + from, i - from});
    from = i + 1;
  }
  if (r == 0 && smtp_buf_length(out) - before > OCTETS_MAX) r = SMTP_ESYNTAX;
  if (r != 0) smtp_buf_truncate(out, before);
  return r;
}
