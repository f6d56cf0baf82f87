/* SPDX-License-Identifier: MIT */
/*
** iso2022.c: see iso2022.h. Characters of one set that stand together are held
** and converted at once. JIS X 0208 with its extensions is written as Shift_JIS,
** JIS X 0212 as EUC-JP, and KS X 1001 as EUC-KR.
*/
#include "iso2022.h"

#include <stdbool.h>
#include <string.h>

#include "../core/ascii.h"
#include "converter.h"

enum set { ASCII, ROMAN, KATAKANA, KANJI, HOJO, KOREAN, SETS };

typedef struct decoder {
  smtp_buf *out;
  smtp_slice in;
  smtp_buf held; /* characters of the set */
  enum set set;
  smtp_converter converters[SETS]; /* each opened when it is first needed */
  bool tried[SETS];
} decoder;

/* The converter of a set: of KATAKANA and KANJI it is one. */
static smtp_converter *converter(decoder *d, enum set set) {
  smtp_converter *c;
  if (set == KATAKANA) set = KANJI;
  c = &d->converters[set];
  if (d->tried[set]) return c;
  d->tried[set] = true;
  if (set == KANJI)
    smtp_converter_open(c, "CP932", "SHIFT_JIS", SMTP_UNIT_2);
  else if (set == HOJO)
    smtp_converter_open(c, "EUC-JP", NULL, SMTP_UNIT_3);
  else
    smtp_converter_open(c, "CP949", "EUC-KR", SMTP_UNIT_DOUBLE);
  return c;
}

static int flush(decoder *d) {
  int result;
  smtp_slice held = smtp_buf_data(&d->held);
  if (held.n == 0) return 0;
  result = smtp_converter_append(converter(d, d->set), d->out, held);
  smtp_buf_truncate(&d->held, 0);
  return result;
}

/* Appends text in UTF-8. */
static int put_text(decoder *d, smtp_slice text) {
  int result = flush(d);
  return result != 0 ? result : smtp_buf_append_slice(d->out, text);
}

static int put_held(decoder *d, enum set set, const char *bytes, size_t n) {
  int result = set == d->set ? 0 : flush(d);
  d->set = set;
  return result != 0 ? result : smtp_buf_append(&d->held, bytes, n);
}

/* A character of two bytes, 0x21 to 0x7e, of a set. */
static int put_pair(decoder *d, enum set set, unsigned row, unsigned cell) {
  char bytes[3] = {(char)0x8f, (char)(row | 0x80), (char)(cell | 0x80)};
  unsigned place, lead, trail;
  if (set == HOJO) return put_held(d, set, bytes, 3);
  if (set == KOREAN) return put_held(d, set, bytes + 1, 2);
  place = (row - 0x21) * 94 + (cell - 0x21);
  lead = place / 188;
  trail = place % 188;
  bytes[0] = (char)(lead + (lead < 0x1f ? 0x81 : 0xc1));
  bytes[1] = (char)(trail + (trail < 0x3f ? 0x40 : 0x41));
  return put_held(d, set, bytes, 2);
}

static int put_katakana(decoder *d, unsigned c) {
  char byte = (char)(c | 0x80);
  return put_held(d, KATAKANA, &byte, 1);
}

static unsigned at(smtp_slice in, size_t i) {
  return i < in.n ? (unsigned char)in.p[i] : 0;
}

static bool ishigh(unsigned c) {
  return c >= 0xa1 && c <= 0xfe;
}

static bool isgraphic(unsigned c) {
  return c >= 0x21 && c <= 0x7e;
}

/* ---- EUC-JP ---------------------------------------------------------- */

/* Puts the character at the front; *used bytes. One that stands for nothing ends
** before a byte of ASCII. */
static int put_euc(decoder *d, size_t *used) {
  unsigned a = at(d->in, 0), b = at(d->in, 1), c = at(d->in, 2);
  if (a == 0x8f && ishigh(b)) {
    *used = c >= 0x80 ? 3 : 2;
    if (ishigh(c)) return put_pair(d, HOJO, b & 0x7f, c & 0x7f);
    return put_text(d, SMTP_REPLACEMENT);
  }
  *used = (a == 0x8e || a == 0x8f || ishigh(a)) && b >= 0x80 ? 2 : 1;
  if (a == 0x8e && b >= 0xa1 && b <= 0xdf) return put_katakana(d, b);
  if (ishigh(a) && ishigh(b)) return put_pair(d, KANJI, a & 0x7f, b & 0x7f);
  return put_text(d, SMTP_REPLACEMENT);
}

static int eucjp(decoder *d) {
  int result = 0;
  while (d->in.n > 0 && result == 0) {
    smtp_slice run = {d->in.p, smtp_ascii_run(d->in)};
    size_t n = run.n;
    result = n > 0 ? put_text(d, run) : put_euc(d, &n);
    d->in.p += n;
    d->in.n -= n;
  }
  return result;
}

/* ---- ISO-2022 -------------------------------------------------------- */

typedef struct escape {
  const char *text; /* after the ESC */
  size_t n;
  enum set set;
} escape;

static const escape japanese[] = {
    {"(B", 2, ASCII},  {"(J", 2, ROMAN}, {"(I", 2, KATAKANA},
    {"$@", 2, KANJI},  {"$B", 2, KANJI}, {"$(@", 3, KANJI},
    {"$(B", 3, KANJI}, {"$(D", 3, HOJO}, {NULL, 0, ASCII}};

/* The set is that of the bytes after SO. */
static const escape korean[] = {{"$)C", 3, ASCII}, {NULL, 0, ASCII}};

/* Puts a byte below 0x80 that is a character of ASCII or of ROMAN. */
static int put_single(decoder *d, enum set set, unsigned c) {
  char byte = (char)c;
  smtp_slice text = {&byte, 1};
  if (set == ROMAN && c == '\\') text = SMTP_LIT("\xc2\xa5");
  if (set == ROMAN && c == '~') text = SMTP_LIT("\xe2\x80\xbe");
  return put_text(d, text);
}

/* Puts the character of that set at the front; *used bytes. White space and
** controls are what they are in every set. */
static int put_iso2022(decoder *d, enum set set, size_t *used) {
  unsigned a = at(d->in, 0), b = at(d->in, 1);
  *used = 1;
  if (a >= 0x80) return put_text(d, SMTP_REPLACEMENT);
  if (!isgraphic(a) || set == ASCII || set == ROMAN)
    return put_single(d, set, a);
  if (set == KATAKANA)
    return a <= 0x5f ? put_katakana(d, a) : put_text(d, SMTP_REPLACEMENT);
  if (!isgraphic(b)) return put_text(d, SMTP_REPLACEMENT);
  *used = 2;
  return put_pair(d, set, a, b);
}

/* The escape sequence at the front, or NULL. */
static const escape *find_escape(smtp_slice in, const escape *list) {
  for (; list->text != NULL; list++)
    if (in.n > list->n && memcmp(in.p + 1, list->text, list->n) == 0)
      return list;
  return NULL;
}

static int iso2022(decoder *d, const escape *escapes) {
  enum set set = ASCII;
  int result = 0;
  while (d->in.n > 0 && result == 0) {
    unsigned c = at(d->in, 0);
    size_t used = 1;
    if (c == 0x1b) {
      const escape *found = find_escape(d->in, escapes);
      if (found != NULL) {
        set = found->set;
        used += found->n;
      } else {
        result = put_text(d, SMTP_REPLACEMENT);
      }
    } else if (escapes == korean && (c == 0x0e || c == 0x0f)) {
      set = c == 0x0e ? KOREAN : ASCII;
    } else {
      result = put_iso2022(d, set, &used);
    }
    if (c == '\n' && escapes == korean) set = ASCII; /* RFC 1557 section 2 */
    d->in.p += used;
    d->in.n -= used;
  }
  return result;
}

static int decode(smtp_buf *out, smtp_slice in, const escape *escapes) {
  decoder d;
  size_t i;
  int result;
  memset(&d, 0, sizeof d);
  d.out = out;
  d.in = in;
  smtp_buf_init(&d.held, out->mem, in.n + in.n / 2 + 3);
  result = escapes == NULL ? eucjp(&d) : iso2022(&d, escapes);
  if (result == 0) result = flush(&d);
  smtp_buf_clear(&d.held);
  for (i = 0; i < SETS; i++) smtp_converter_close(&d.converters[i]);
  return result;
}

int smtp_iso2022_eucjp(smtp_buf *out, smtp_slice in) {
  return decode(out, in, NULL);
}

int smtp_iso2022_jp(smtp_buf *out, smtp_slice in) {
  return decode(out, in, japanese);
}

int smtp_iso2022_kr(smtp_buf *out, smtp_slice in) {
  return decode(out, in, korean);
}
