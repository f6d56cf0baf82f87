/* SPDX-License-Identifier: MIT */
/* converter.c: see converter.h. */
#include "converter.h"

#include <errno.h>

static bool open(iconv_t *cd, const char *name) {
  *cd = iconv_open("UTF-8", name);
  return *cd != (iconv_t)-1;
}

bool smtp_converter_open(smtp_converter *c, const char *name, const char *other,
                         enum smtp_converter_unit unit) {
  c->unit = unit;
  c->other = other;
  c->has_second = false;
  c->open = open(&c->cd, name);
  if (c->open || other == NULL) return c->open;
  c->other = NULL;
  c->open = open(&c->cd, other);
  return c->open;
}

void smtp_converter_close(smtp_converter *c) {
  if (c->open) iconv_close(c->cd);
  if (c->has_second) iconv_close(c->second);
  c->open = c->has_second = false;
}

static unsigned at(smtp_slice in, size_t i) {
  return i < in.n ? (unsigned char)in.p[i] : 0;
}

static bool islead(unsigned c) {
  return c > 0x80 && c < 0xff;
}

/* Whether four bytes are one character; bytes behind the text's end are taken to
** be right. */
static bool isfour(smtp_slice in) {
  unsigned second = at(in, 1), fourth = at(in, 3);
  return islead(at(in, 0)) && second >= '0' && second <= '9' &&
         (in.n < 3 || islead(at(in, 2))) &&
         (in.n < 4 || (fourth >= '0' && fourth <= '9'));
}

/* The length of the character at the front if it is known, and if it is not:
** then a byte of ASCII is never its second, but stands for itself. */
static size_t length(enum smtp_converter_unit unit, smtp_slice in,
                     bool is_known) {
  unsigned lead = at(in, 0);
  size_t n = 1;
  switch (unit) {
  case SMTP_UNIT_1: break;
  case SMTP_UNIT_2: n = 2; break;
  case SMTP_UNIT_3: n = 3; break;
  case SMTP_UNIT_4: n = 4; break;
  case SMTP_UNIT_SHIFT_JIS:
    if (lead >= 0xfd || (lead >= 0xa0 && lead < 0xe0)) break;
    n = islead(lead) && (is_known || at(in, 1) >= 0x80) ? 2 : 1;
    break;
  case SMTP_UNIT_GB18030:
    if (isfour(in)) {
      n = 4;
      break;
    }
    /* fallthrough */
  case SMTP_UNIT_DOUBLE:
    n = islead(lead) && (is_known || at(in, 1) >= 0x80) ? 2 : 1;
    break;
  }
  return n < in.n ? n : in.n;
}

static void pass(smtp_slice *in, size_t n) {
  in->p += n;
  in->n -= n;
}

/* Passes over the character at the front of *in, which is not known. */
static int replace(enum smtp_converter_unit unit, smtp_buf *out,
                   smtp_slice *in) {
  bool is_euro = unit == SMTP_UNIT_GB18030 && at(*in, 0) == 0x80;
  pass(in, length(unit, *in, false));
  /* GBK has the sign of the euro there (WHATWG Encoding, section 10.2.1) */
  if (is_euro) return smtp_buf_append(out, "\xe2\x82\xac", 3);
  return smtp_buf_append_slice(out, SMTP_REPLACEMENT);
}

/* iconv's source is a char ** though it only reads. */
typedef union source {
  const char *in;
  char *p;
} source;

/* Converts what iconv knows; *in is then what it does not. *why is 0 at the end,
** or the errno. A call without input gives out what iconv holds back. */
static int convert(iconv_t cd, smtp_buf *out, smtp_slice *in, int *why) {
  int result = 0;
  *why = E2BIG;
  while (result == 0 && *why == E2BIG) {
    char chunk[1024], *to = chunk;
    size_t room = sizeof chunk, got;
    source from;
    from.in = in->p;
    got = in->p == NULL ? iconv(cd, NULL, NULL, &to, &room)
                        : iconv(cd, &from.p, &in->n, &to, &room);
    *why = got == (size_t)-1 ? errno : 0;
    if (in->p != NULL) in->p = from.in;
    result = smtp_buf_append(out, chunk, (size_t)(to - chunk));
  }
  return result;
}

/* Forgets, or gives out, what iconv holds back. */
static int finish(smtp_converter *c, smtp_buf *out) {
  smtp_slice none = {NULL, 0};
  int why;
  return convert(c->cd, out, &none, &why);
}

/* Converts a character that the first converter does not know; *why stays if the
** second one does not either. */
static int bysecond(smtp_converter *c, smtp_buf *out, smtp_slice one,
                    int *why) {
  if (c->other != NULL && !c->has_second)
    c->has_second = open(&c->second, c->other);
  c->other = NULL;
  return c->has_second ? convert(c->second, out, &one, why) : 0;
}

/* Converts character by character until the one at or behind last was passed. An
** iconv may tell of an error behind it, so only this finds it surely. */
static int bycharacter(smtp_converter *c, smtp_buf *out, smtp_slice *in,
                       const char *last) {
  int result = 0;
  while (result == 0 && in->n > 0 && in->p <= last) {
    smtp_slice one = {in->p, length(c->unit, *in, true)};
    size_t n = one.n;
    int why = EILSEQ;
    if (c->open) result = convert(c->cd, out, &one, &why);
    if (result == 0 && why != 0 && c->open) result = finish(c, out);
    if (result == 0 && why != 0 && n > 1)
      result = bysecond(c, out, (smtp_slice){in->p, n}, &why);
    if (result != 0) break;
    if (why == 0)
      pass(in, n);
    else
      result = replace(c->unit, out, in);
  }
  return result;
}

int smtp_converter_append(smtp_converter *c, smtp_buf *out, smtp_slice in) {
  int result = 0;
  if (!c->open) return bycharacter(c, out, &in, in.p + in.n);
  while (result == 0 && in.n > 0) {
    size_t before = smtp_buf_length(out);
    smtp_slice rest = in;
    int why;
    result = convert(c->cd, out, &rest, &why);
    if (result != 0 || why == 0) break;
    if (c->unit < SMTP_UNIT_DOUBLE) {
      result = finish(c, out);
      if (result == 0) result = replace(c->unit, out, &rest);
      if (why == EINVAL) break; /* the rest is a character that is cut */
      in = rest;
      continue;
    }
    result = finish(c, out);
    smtp_buf_truncate(out, before);
    if (result == 0) result = bycharacter(c, out, &in, rest.p);
  }
  return result == 0 ? finish(c, out) : result;
}
