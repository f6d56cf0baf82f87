/* SPDX-License-Identifier: MIT */
/*
** punycode.c: RFC 3492 sections 5 and 6. The name is built in a local array,
** which its limit keeps small, and appended once; a label is at most 63 octets
** and each of its characters costs one or more, so that its code points have
** an array too.
*/
#include "punycode.h"

#include "ascii.h"

#include <string.h>

/* RFC 3492 section 5. */
#define BASE 36u
#define T_MIN 1u
#define T_MAX 26u
#define SKEW 38u
#define DAMP 700u
#define INITIAL_BIAS 72u
#define INITIAL_N 0x80u

typedef struct name {
  char text[SMTP_NAME_MAX];
  size_t n;
  size_t label; /* where the current label begins */
} name;

/*
** Code points that no U-label has (RFC 5892), each step-th from low to high:
** blocks of pairs of letters alternate. Combining marks that have composed
** forms (U+0300 to U+036F, U+3099, U+309A) are here as well, as a name with
** them may not be normalised. Of scripts without case there is only what shows
** as nothing or as a space.
*/
static const struct {
  uint32_t low, high, step;
} refused[] = {
    /* clang-format off */
  {0x0080, 0x00b6, 1}, {0x00b8, 0x00de, 1}, {0x00f7, 0x00f7, 1},
  {0x0100, 0x0130, 2}, {0x0132, 0x0134, 1}, {0x0136, 0x0136, 1},
  {0x0139, 0x013d, 2}, {0x013f, 0x0141, 1}, {0x0143, 0x0147, 2},
  {0x0149, 0x014a, 1}, {0x014c, 0x0176, 2}, {0x0178, 0x0179, 1},
  {0x017b, 0x017f, 2}, {0x0181, 0x0182, 1}, {0x0184, 0x0184, 1},
  {0x0186, 0x0187, 1}, {0x0189, 0x018b, 1}, {0x018e, 0x0191, 1},
  {0x0193, 0x0194, 1}, {0x0196, 0x0198, 1}, {0x019c, 0x019d, 1},
  {0x019f, 0x01a0, 1}, {0x01a2, 0x01a4, 2}, {0x01a6, 0x01a7, 1},
  {0x01a9, 0x01a9, 1}, {0x01ac, 0x01ac, 1}, {0x01ae, 0x01af, 1},
  {0x01b1, 0x01b3, 1}, {0x01b5, 0x01b5, 1}, {0x01b7, 0x01b8, 1},
  {0x01bc, 0x01bc, 1}, {0x01c4, 0x01cd, 1}, {0x01cf, 0x01db, 2},
  {0x01de, 0x01ee, 2}, {0x01f1, 0x01f4, 1}, {0x01f6, 0x01f8, 1},
  {0x01fa, 0x0232, 2}, {0x023a, 0x023b, 1}, {0x023d, 0x023e, 1},
  {0x0241, 0x0241, 1}, {0x0243, 0x0246, 1}, {0x0248, 0x024e, 2},
  {0x02b0, 0x02b8, 1}, {0x02c2, 0x02c5, 1}, {0x02d2, 0x02eb, 1},
  {0x02ed, 0x02ed, 1}, {0x02ef, 0x036f, 1}, {0x0370, 0x037a, 2},
  {0x037e, 0x038f, 1}, {0x0391, 0x03ab, 1}, {0x03cf, 0x03d6, 1},
  {0x03d8, 0x03ee, 2}, {0x03f0, 0x03f2, 1}, {0x03f4, 0x03f7, 1},
  {0x03f9, 0x03fa, 1}, {0x03fd, 0x042f, 1}, {0x0460, 0x0482, 2},
  {0x0488, 0x048a, 1}, {0x048c, 0x04be, 2}, {0x04c0, 0x04c1, 1},
  {0x04c3, 0x04cd, 2}, {0x04d0, 0x052e, 2}, {0x0531, 0x0556, 1},
  {0x055a, 0x055f, 1}, {0x0587, 0x0587, 1}, {0x0589, 0x058f, 1},
  {0x0600, 0x060f, 1}, {0x061b, 0x061f, 1}, {0x0640, 0x0640, 1},
  {0x066a, 0x066d, 1}, {0x06d4, 0x06d4, 1}, {0x06dd, 0x06de, 1},
  {0x0700, 0x070f, 1}, {0x08e2, 0x08e2, 1}, {0x10a0, 0x10cd, 1},
  {0x10fb, 0x10fc, 1}, {0x1100, 0x11ff, 1}, {0x1680, 0x1680, 1},
  {0x17b4, 0x17b5, 1}, {0x1800, 0x180f, 1}, {0x1c80, 0x1cc7, 1},
  {0x1d2c, 0x1d2e, 1}, {0x1d30, 0x1d3a, 1}, {0x1d3c, 0x1d4d, 1},
  {0x1d4f, 0x1d6a, 1}, {0x1d78, 0x1d78, 1}, {0x1d9b, 0x1dbf, 1},
  {0x1e00, 0x1e94, 2}, {0x1e9a, 0x1e9b, 1}, {0x1e9e, 0x1efe, 2},
  {0x1f08, 0x1f0f, 1}, {0x1f18, 0x1f1d, 1}, {0x1f28, 0x1f2f, 1},
  {0x1f38, 0x1f3f, 1}, {0x1f48, 0x1f4d, 1}, {0x1f59, 0x1f5f, 1},
  {0x1f68, 0x1f6f, 1}, {0x1f71, 0x1f7d, 2}, {0x1f80, 0x1faf, 1},
  {0x1fb2, 0x1fb4, 1}, {0x1fb7, 0x1fc4, 1}, {0x1fc7, 0x1fcf, 1},
  {0x1fd3, 0x1fd3, 1}, {0x1fd8, 0x1fdf, 1}, {0x1fe3, 0x1fe3, 1},
  {0x1fe8, 0x1ff4, 1}, {0x1ff7, 0x20c0, 1}, {0x20dd, 0x20e0, 1},
  {0x20e2, 0x20e4, 1}, {0x2100, 0x214d, 1}, {0x214f, 0x2183, 1},
  {0x2185, 0x2c2f, 1}, {0x2c60, 0x2c60, 1}, {0x2c62, 0x2c64, 1},
  {0x2c67, 0x2c6b, 2}, {0x2c6d, 0x2c70, 1}, {0x2c72, 0x2c72, 1},
  {0x2c75, 0x2c75, 1}, {0x2c7c, 0x2c80, 1}, {0x2c82, 0x2ce2, 2},
  {0x2ce5, 0x2ceb, 1}, {0x2ced, 0x2ced, 1}, {0x2cf2, 0x2cf2, 1},
  {0x2cf9, 0x2cff, 1}, {0x2d6f, 0x2d70, 1}, {0x2e00, 0x2e2e, 1},
  {0x2e30, 0x2ffb, 1}, {0x3000, 0x3004, 1}, {0x3008, 0x3029, 1},
  {0x302e, 0x303b, 1}, {0x303d, 0x303f, 1}, {0x3099, 0x309c, 1},
  {0x309f, 0x30a0, 1}, {0x30ff, 0x30ff, 1}, {0x3131, 0x319f, 1},
  {0x31c0, 0x31e3, 1}, {0x3200, 0x33ff, 1}, {0xa640, 0xa66c, 2},
  {0xa670, 0xa673, 1}, {0xa67e, 0xa69a, 2}, {0xa69c, 0xa69d, 1},
  {0xa6e6, 0xa6ef, 1}, {0xa6f2, 0xa716, 1}, {0xa720, 0xa722, 1},
  {0xa724, 0xa72e, 2}, {0xa732, 0xa770, 2}, {0xa779, 0xa77b, 2},
  {0xa77d, 0xa77e, 1}, {0xa780, 0xa786, 2}, {0xa789, 0xa78b, 1},
  {0xa78d, 0xa78d, 1}, {0xa790, 0xa792, 2}, {0xa796, 0xa7a8, 2},
  {0xa7aa, 0xa7ae, 1}, {0xa7b0, 0xa7b4, 1}, {0xa7b6, 0xa7c2, 2},
  {0xa7c4, 0xa7c7, 1}, {0xa7c9, 0xa7c9, 1}, {0xa7d0, 0xa7d8, 2},
  {0xa7f2, 0xa7f5, 1}, {0xa7f8, 0xa7f9, 1}, {0xab70, 0xabbf, 1},
  {0xd800, 0xfa0d, 1}, {0xfa10, 0xfa12, 2}, {0xfa15, 0xfa1e, 1},
  {0xfa20, 0xfa22, 2}, {0xfa25, 0xfa26, 1}, {0xfa2a, 0xfb1d, 1},
  {0xfb1f, 0xfe19, 1}, {0xfe30, 0xfe72, 1}, {0xfe74, 0xffff, 1},
  {0x10400, 0x10427, 1}, {0x1d000, 0x1d9ff, 1}, {0x1e900, 0x1e921, 1},
  {0x1e95e, 0x1ffff, 1}, {0x2f800, 0x2fa1d, 1}, {0xe0000, 0x10ffff, 1}
    /* clang-format on */
};

static bool isrefused(uint32_t c) {
  size_t low = 0, high = sizeof(refused) / sizeof(refused[0]);
  if ((c & 0xfffe) == 0xfffe) return true; /* the end of each plane */
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (c > refused[middle].high)
      low = middle + 1;
    else if (c < refused[middle].low)
      high = middle;
    else
      return (c - refused[middle].low) % refused[middle].step == 0;
  }
  return false;
}

static bool isldh(uint32_t c) {
  return c < 0x80 &&
         (c == '-' || smtp_ascii_is((unsigned char)c, SMTP_ALPHA | SMTP_DIGIT));
}

/* Adds one octet: SMTP_ESYNTAX when the label or the name is full. */
static int put(name *to, char c) {
  if (to->n - to->label == SMTP_LABEL_MAX || to->n == SMTP_NAME_MAX)
    return SMTP_ESYNTAX;
  to->text[to->n++] = c;
  return 0;
}

static int put_text(name *to, smtp_slice text) {
  int result = 0;
  for (size_t i = 0; result == 0 && i < text.n; i++)
    result = put(to, (char)smtp_ascii_lower((unsigned char)text.p[i]));
  return result;
}

/* RFC 3492 section 6.1. */
static uint32_t adapt(uint32_t delta, uint32_t count, bool first) {
  uint32_t k = 0;
  delta = first ? delta / DAMP : delta / 2;
  delta += delta / count;
  for (; delta > (BASE - T_MIN) * T_MAX / 2; k += BASE) delta /= BASE - T_MIN;
  return k + (BASE - T_MIN + 1) * delta / (delta + SKEW);
}

/* A delta as a generalized variable-length integer, RFC 3492 section 3.3. */
static int put_delta(name *to, uint32_t delta, uint32_t bias) {
  static const char digits[] = "abcdefghijklmnopqrstuvwxyz0123456789";
  for (uint32_t k = BASE;; k += BASE) {
    uint32_t t = k <= bias ? T_MIN : k >= bias + T_MAX ? T_MAX : k - bias;
    if (delta < t) break;
    int result = put(to, digits[t + (delta - t) % (BASE - t)]);
    if (result != 0) return result;
    delta = (delta - t) / (BASE - t);
  }
  return put(to, digits[delta]);
}

/* The smallest code point of the label that is n or more. */
static uint32_t next_point(const uint32_t *points, size_t count, uint32_t n) {
  uint32_t next = UINT32_MAX;
  for (size_t i = 0; i < count; i++)
    if (points[i] >= n && points[i] < next) next = points[i];
  return next;
}

/* RFC 3492 section 6.3; at least one point is not ASCII. */
static int put_points(name *to, const uint32_t *points, size_t count) {
  uint32_t n = INITIAL_N, delta = 0, bias = INITIAL_BIAS, basic = 0, done;
  int result = put_text(to, SMTP_LIT("xn--"));
  for (size_t i = 0; result == 0 && i < count; i++) {
    if (points[i] >= INITIAL_N) continue;
    result = put(to, (char)points[i]);
    basic++;
  }
  if (result == 0 && basic > 0) result = put(to, '-');
  for (done = basic; result == 0 && done < count; delta++, n++) {
    uint32_t next = next_point(points, count, n);
    /* section 6.4: no label that fits comes near, but nothing rests on that */
    if (next - n > (UINT32_MAX - delta - (uint32_t)count) / (done + 1))
      return SMTP_ESYNTAX;
    delta += (next - n) * (done + 1);
    n = next;
    for (size_t i = 0; result == 0 && i < count; i++) {
      if (points[i] < n) delta++;
      if (points[i] != n) continue;
      result = put_delta(to, delta, bias);
      bias = adapt(delta, done + 1, done == basic);
      delta = 0;
      done++;
    }
  }
  return result;
}

/* Takes a code point off the front of text, which is valid UTF-8. */
static uint32_t next_character(smtp_slice *text) {
  unsigned char c = (unsigned char)text->p[0];
  size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
  uint32_t point = n == 1 ? c : c & (0x7fu >> n);
  for (size_t i = 1; i < n; i++)
    point = point << 6 | ((unsigned char)text->p[i] & 0x3fu);
  text->p += n;
  text->n -= n;
  return point;
}

/*
** Whether the points are a U-label, as far as can be told: RFC 5891 section
** 4.2.3.1 for the hyphens, RFC 5892 appendix A.3 for the dot of Catalan.
*/
static bool isulabel(const uint32_t *points, size_t count) {
  if (points[0] == '-' || points[count - 1] == '-') return false;
  if (count > 3 && points[2] == '-' && points[3] == '-') return false;
  for (size_t i = 0; i < count; i++) {
    bool between = i > 0 && i + 1 < count;
    if (points[i] < 0x80 ? !isldh(points[i]) : isrefused(points[i]))
      return false;
    if (points[i] == 0xb7 &&
        !(between && points[i - 1] == 'l' && points[i + 1] == 'l'))
      return false;
  }
  return true;
}

static int put_ulabel(name *to, smtp_slice label) {
  uint32_t points[SMTP_LABEL_MAX];
  size_t count = 0;
  while (label.n > 0) {
    if (count == SMTP_LABEL_MAX) return SMTP_ESYNTAX;
    uint32_t c = next_character(&label);
    points[count++] = c < 0x80 ? smtp_ascii_lower((unsigned char)c) : c;
  }
  if (!isulabel(points, count)) return SMTP_EINVALID;
  return put_points(to, points, count);
}

static int put_label(name *to, smtp_slice label) {
  if (label.n == 0) return SMTP_ESYNTAX;
  to->label = to->n;
  if (smtp_ascii_eightbit(label)) return put_ulabel(to, label);
  for (size_t i = 0; i < label.n; i++) {
    unsigned char c = (unsigned char)label.p[i];
    if (c != '_' && !isldh(c)) return SMTP_EINVALID;
  }
  return put_text(to, label);
}

/* Takes a label and the dot behind it off the front of rest. */
static smtp_slice next_label(smtp_slice *rest) {
  const char *dot = memchr(rest->p, '.', rest->n);
  smtp_slice label = {rest->p, dot ? (size_t)(dot - rest->p) : rest->n};
  size_t used = dot ? label.n + 1 : label.n;
  rest->p += used;
  rest->n -= used;
  return label;
}

int smtp_punycode_domain(smtp_buf *out, smtp_slice domain) {
  name to;
  to.n = 0;
  if (domain.n == 0 || !smtp_utf8_valid(domain)) return SMTP_ESYNTAX;
  while (domain.n > 0) {
    if (to.n > 0) {
      to.label = to.n; /* the dot is of no label */
      if (put(&to, '.') != 0) return SMTP_ESYNTAX;
    }
    int result = put_label(&to, next_label(&domain));
    if (result != 0) return result;
  }
  return smtp_buf_append(out, to.text, to.n);
}
