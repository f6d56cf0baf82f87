/* SPDX-License-Identifier: MIT */
/*
** punycode.c: RFC 3492 sections 5 and 6. The name is built in a local array,
** which its limit keeps small, and appended once; a label is at most 63 octets
** and each of its characters costs one or more, so that its code points have
** an array too.
*/
#include "punycode.h"

#include "ascii.h"
#include "ulabel.h"

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

/* The value of a digit of Punycode, in small letters; BASE if it is none. */
static uint32_t digit_of(char c) {
  if (c >= 'a' && c <= 'z') return (uint32_t)(c - 'a');
  return c >= '0' && c <= '9' ? (uint32_t)(c - '0') + 26 : BASE;
}

/* Takes a delta off the front of code and adds it to *i. */
static bool take_delta(smtp_slice *code, uint32_t *i, uint32_t bias) {
  uint32_t weight = 1;
  for (uint32_t k = BASE;; k += BASE) {
    uint32_t t = k <= bias ? T_MIN : k >= bias + T_MAX ? T_MAX : k - bias;
    uint32_t value = code->n > 0 ? digit_of(code->p[0]) : BASE;
    if (value == BASE || value > (UINT32_MAX - *i) / weight) return false;
    code->p++;
    code->n--;
    *i += value * weight;
    if (value < t) return true;
    if (weight > UINT32_MAX / (BASE - t)) return false;
    weight *= BASE - t;
  }
}

/* Decodes the Punycode after "xn--" (RFC 3492 section 6.2); 0: invalid. */
static size_t take_points(uint32_t points[SMTP_LABEL_MAX], smtp_slice code) {
  uint32_t n = INITIAL_N, i = 0, bias = INITIAL_BIAS;
  size_t count = 0, basic = code.n;
  while (basic > 0 && code.p[basic - 1] != '-') basic--;
  for (; count + 1 < basic; count++)
    points[count] = (unsigned char)code.p[count];
  code.p += basic;
  code.n -= basic;
  if (code.n == 0) return 0;
  while (code.n > 0) {
    uint32_t before = i, next = (uint32_t)count + 1;
    if (count == SMTP_LABEL_MAX || !take_delta(&code, &i, bias)) return 0;
    bias = adapt(i - before, next, before == 0 && n == INITIAL_N);
    if (i / next > 0x10ffff - n) return 0;
    n += i / next;
    i %= next;
    memmove(points + i + 1, points + i, (count - i) * sizeof points[0]);
    points[i++] = n;
    count++;
  }
  return count;
}

/*
** Whether the points may be a label: RFC 5891 sections 4.2.3.1 and 4.2.3.2 for
** hyphens and marks. Joiners are for scripts that join their letters (RFC 5892
** appendices A.1 and A.2), none of which is below Arabic.
*/
static bool is_label(const uint32_t *points, size_t count) {
  if (points[0] == '-' || points[count - 1] == '-') return false;
  if (count > 3 && points[2] == '-' && points[3] == '-') return false;
  if (smtp_ulabel_is_mark(points[0])) return false;
  for (size_t i = 0; i < count; i++) {
    if (points[i] < 0x80 ? !isldh(points[i])
                         : points[i] >= 0xd800 && points[i] < 0xe000)
      return false;
    if ((points[i] == 0x200c || points[i] == 0x200d) &&
        (i == 0 || points[i - 1] < 0x600))
      return false;
  }
  return true;
}

/* Whether the points are also a U-label by the tables of ulabel.h; RFC 5892
** appendix A.3 for the dot of Catalan. */
static bool is_ulabel(const uint32_t *points, size_t count) {
  if (!is_label(points, count)) return false;
  for (size_t i = 0; i < count; i++) {
    if (points[i] >= 0x80 && smtp_ulabel_refuses(points[i])) return false;
    if (i > 0 && smtp_ulabel_composes(points[i - 1], points[i])) return false;
    if (points[i] == 0xb7 && !(i > 0 && i + 1 < count && points[i - 1] == 'l' &&
                               points[i + 1] == 'l'))
      return false;
  }
  return true;
}

static int put_ulabel(name *to, smtp_slice label) {
  uint32_t points[SMTP_LABEL_MAX];
  size_t count = 0;
  while (label.n > 0) {
    if (count == SMTP_LABEL_MAX) return SMTP_ESYNTAX;
    uint32_t c = smtp_utf8_next(&label);
    points[count++] = c < 0x80 ? smtp_ascii_lower((unsigned char)c) : c;
  }
  if (!is_ulabel(points, count)) return SMTP_EINVALID;
  return put_points(to, points, count);
}

/* Whether the points may be in an A-label. More points may than in a U-label,
** since symbols are registered. */
static bool is_registered(const uint32_t *points, size_t count) {
  if (!is_label(points, count)) return false;
  for (size_t i = 0; i < count; i++) {
    uint32_t c = points[i];
    bool is_symbol =
        (c >= 0x2190 && c < 0x2c00) || (c >= 0x1f000 && c < 0x1fb00);
    if (c >= 0x80 && !is_symbol && !smtp_ulabel_may_have(c)) return false;
  }
  return true;
}

/* Takes the points of an A-label in small letters, if they are written so. */
static bool take_alabel(uint32_t points[SMTP_LABEL_MAX], size_t *count,
                        smtp_slice text) {
  name again;
  again.n = again.label = 0;
  *count = take_points(points, (smtp_slice){text.p + 4, text.n - 4});
  return *count > 0 && put_points(&again, points, *count) == 0 &&
         again.n == text.n && memcmp(again.text, text.p, text.n) == 0;
}

/* A label from map; the rules for ASCII labels hold. */
static int put_mapped(name *to, smtp_slice label, smtp_label_map map) {
  char text[SMTP_LABEL_MAX];
  size_t n;
  int result = map(text, &n, label);
  if (result != 0) return result;
  if (n == 0) return SMTP_ESYNTAX;
  bool is_plain = n < 4 || memcmp(text, "xn--", 4) != 0;
  for (size_t i = 0; i < n; i++) {
    unsigned char c = (unsigned char)text[i];
    if (!isldh(c) && !(is_plain && c == '_')) return SMTP_EINVALID;
  }
  return put_text(to, (smtp_slice){text, n});
}

static int put_ascii(name *to, smtp_slice label, smtp_label_map map) {
  for (size_t i = 0; i < label.n; i++) {
    unsigned char c = (unsigned char)label.p[i];
    if (c != '_' && !isldh(c)) return SMTP_EINVALID;
  }
  int result = put_text(to, label);
  smtp_slice put = {to->text + to->label, to->n - to->label};
  if (result != 0 || put.n < 4 || memcmp(put.p, "xn--", 4) != 0) return result;
  uint32_t points[SMTP_LABEL_MAX];
  size_t count;
  if (!take_alabel(points, &count, put)) return SMTP_EINVALID;
  if (map == NULL) return is_registered(points, count) ? 0 : SMTP_EINVALID;
  to->n = to->label;
  return put_mapped(to, put, map);
}

static int put_label(name *to, smtp_slice label, smtp_label_map map) {
  if (label.n == 0) return SMTP_ESYNTAX;
  to->label = to->n;
  if (!smtp_ascii_eightbit(label)) return put_ascii(to, label, map);
  return map == NULL ? put_ulabel(to, label) : put_mapped(to, label, map);
}

/* The length of the dot at p, where n bytes are left; 0 if there is no dot.
** U+3002, U+FF0E and U+FF61 are dots too (UTS 46 section 2.3). */
static size_t dot_at(const char *p, size_t n) {
  if (p[0] == '.') return 1;
  if (n < 3) return 0;
  return memcmp(p, "\xe3\x80\x82", 3) == 0 ||
                 memcmp(p, "\xef\xbc\x8e", 3) == 0 ||
                 memcmp(p, "\xef\xbd\xa1", 3) == 0
             ? 3
             : 0;
}

/* Takes a label and the dot behind it off the front of rest. */
static smtp_slice next_label(smtp_slice *rest) {
  smtp_slice label = {rest->p, 0};
  size_t dot = 0;
  while (label.n < rest->n &&
         (dot = dot_at(rest->p + label.n, rest->n - label.n)) == 0)
    label.n++;
  rest->p += label.n + dot;
  rest->n -= label.n + dot;
  return label;
}

int smtp_punycode_domain(smtp_buf *out, smtp_slice domain, smtp_label_map map) {
  name to;
  to.n = 0;
  if (domain.n == 0 || !smtp_utf8_valid(domain)) return SMTP_ESYNTAX;
  while (domain.n > 0) {
    if (to.n > 0) {
      to.label = to.n; /* the dot is of no label */
      if (put(&to, '.') != 0) return SMTP_ESYNTAX;
    }
    int result = put_label(&to, next_label(&domain), map);
    if (result != 0) return result;
  }
  return smtp_buf_append(out, to.text, to.n);
}
