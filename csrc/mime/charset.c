/* SPDX-License-Identifier: MIT */
/* charset.c: see charset.h. */
#include "charset.h"

#include <string.h>

#include "../core/ascii.h"
#include "charset_labels.h"
#include "converter.h"
#include "iso2022.h"

/* The points of windows-1252 at 0x80 to 0x9f; 0 for the five bytes without. */
static const unsigned short high[32] = {
    0x20ac, 0,      0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021,
    0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0,      0x017d, 0,
    0,      0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
    0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0,      0x017e, 0x0178};

static int fromwindows(smtp_buf *out, smtp_slice in) {
  int result = 0;
  while (in.n > 0 && result == 0) {
    size_t n = smtp_ascii_run(in);
    if (n > 0) {
      result = smtp_buf_append(out, in.p, n);
    } else {
      unsigned c = (unsigned char)in.p[0];
      char bytes[4];
      if (c < 0xa0) c = high[c - 0x80] != 0 ? high[c - 0x80] : 0xfffd;
      n = 1;
      result = smtp_buf_append(out, bytes, smtp_utf8_put(bytes, c));
    }
    in.p += n;
    in.n -= n;
  }
  return result;
}

/*
** The length of the character at the front, positive; or negative, that of
** what can begin none or has no end: one U+FFFD stands for it.
*/
static int character(smtp_slice in) {
  unsigned char c = (unsigned char)in.p[0];
  unsigned char low = 0x80, top = 0xbf;
  int i, more;
  if (c < 0x80) return 1;
  if (c < 0xc2 || c > 0xf4) return -1;
  more = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
  if (c == 0xe0) low = 0xa0;
  if (c == 0xed) top = 0x9f;
  if (c == 0xf0) low = 0x90;
  if (c == 0xf4) top = 0x8f;
  for (i = 1; i <= more; i++) {
    unsigned char next = (size_t)i < in.n ? (unsigned char)in.p[i] : 0;
    if (next < low || next > top) return -i;
    low = 0x80;
    top = 0xbf;
  }
  return more + 1;
}

static int fromutf8(smtp_buf *out, smtp_slice in) {
  size_t good = 0;
  int result = 0;
  while (good < in.n && result == 0) {
    smtp_slice rest = {in.p + good, in.n - good};
    int n = character(rest);
    if (n > 0) {
      good += (size_t)n;
      continue;
    }
    result = smtp_buf_append(out, in.p, good);
    if (result == 0) result = smtp_buf_append_slice(out, SMTP_REPLACEMENT);
    in.p += good + (size_t)-n;
    in.n -= good + (size_t)-n;
    good = 0;
  }
  return result == 0 ? smtp_buf_append(out, in.p, good) : result;
}

static int guess(smtp_buf *out, smtp_slice in) {
  if (smtp_utf8_valid(in)) return smtp_buf_append_slice(out, in);
  return fromwindows(out, in);
}

static const enum smtp_converter_unit units[] = {
    [SMTP_CHARSET_SINGLE] = SMTP_UNIT_1,
    [SMTP_CHARSET_DOUBLE] = SMTP_UNIT_DOUBLE,
    [SMTP_CHARSET_SHIFT_JIS] = SMTP_UNIT_SHIFT_JIS,
    [SMTP_CHARSET_GB18030] = SMTP_UNIT_GB18030,
    [SMTP_CHARSET_UTF7] = SMTP_UNIT_1,
    [SMTP_CHARSET_UTF16LE] = SMTP_UNIT_2,
    [SMTP_CHARSET_UTF16BE] = SMTP_UNIT_2,
    [SMTP_CHARSET_UTF32LE] = SMTP_UNIT_4,
    [SMTP_CHARSET_UTF32BE] = SMTP_UNIT_4,
};

static int byiconv(smtp_buf *out, smtp_slice in, const smtp_charset *c) {
  smtp_converter converter;
  int result;
  if (!smtp_converter_open(&converter, c->name, c->other, units[c->kind]))
    return guess(out, in);
  result = smtp_converter_append(&converter, out, in);
  smtp_converter_close(&converter);
  return result;
}

static bool skip(smtp_slice *in, smtp_slice mark) {
  if (in->n < mark.n || memcmp(in->p, mark.p, mark.n) != 0) return false;
  in->p += mark.n;
  in->n -= mark.n;
  return true;
}

/* Passes over a byte order mark, and gives its charset, which for UTF-16 and
** UTF-32 is more precise than the name; without a mark the name decides. */
static const smtp_charset *bymark(const smtp_charset *c, smtp_slice *in) {
  switch (c->kind) {
  case SMTP_CHARSET_GUESS:
  case SMTP_CHARSET_UTF8: skip(in, SMTP_LIT("\xef\xbb\xbf")); return c;
  case SMTP_CHARSET_UTF16LE:
  case SMTP_CHARSET_UTF16BE:
    if (skip(in, SMTP_LIT("\xff\xfe")))
      return smtp_charset_find(SMTP_LIT("utf16le"));
    if (skip(in, SMTP_LIT("\xfe\xff")))
      return smtp_charset_find(SMTP_LIT("utf16be"));
    return c;
  case SMTP_CHARSET_UTF32LE:
  case SMTP_CHARSET_UTF32BE:
    if (skip(in, SMTP_LIT("\xff\xfe\0\0")))
      return smtp_charset_find(SMTP_LIT("utf32le"));
    if (skip(in, SMTP_LIT("\0\0\xfe\xff")))
      return smtp_charset_find(SMTP_LIT("utf32be"));
    return c;
  default: return c;
  }
}

static int decode(smtp_buf *out, smtp_slice in, const smtp_charset *c) {
  c = bymark(c, &in);
  switch (c->kind) {
  case SMTP_CHARSET_GUESS: return guess(out, in);
  case SMTP_CHARSET_UTF8: return fromutf8(out, in);
  case SMTP_CHARSET_WINDOWS_1252: return fromwindows(out, in);
  case SMTP_CHARSET_EUC_JP: return smtp_iso2022_eucjp(out, in);
  case SMTP_CHARSET_ISO_2022_JP: return smtp_iso2022_jp(out, in);
  case SMTP_CHARSET_ISO_2022_KR: return smtp_iso2022_kr(out, in);
  default: return byiconv(out, in, c);
  }
}

/* The charset of a name; one that is guessed at if the name is unknown. */
static const smtp_charset *find(smtp_slice name) {
  static const smtp_charset unknown = {SMTP_CHARSET_GUESS, NULL, NULL, ""};
  const smtp_charset *c = name.n > 0 ? smtp_charset_find(name) : NULL;
  return c != NULL ? c : &unknown;
}

/* Whether text of a charset is UTF-8 already, since it is ASCII. */
static bool is_plain(smtp_slice in, const smtp_charset *c) {
  return c->kind < SMTP_CHARSET_7BIT && !smtp_ascii_eightbit(in);
}

int smtp_charset_utf8(smtp_buf *out, smtp_slice in, smtp_slice name) {
  const smtp_charset *c = find(name);
  size_t before = smtp_buf_length(out);
  int result;
  if (is_plain(in, c)) return smtp_buf_append_slice(out, in);
  result = decode(out, in, c);
  if (result != 0) smtp_buf_truncate(out, before);
  return result;
}

static bool iscontrol(char c) {
  return (unsigned char)c < 0x20 ? c != '\t' : c == 0x7f;
}

/* Appends text as one line: controls are replaced. */
static int appendline(smtp_buf *out, smtp_slice text) {
  int result = 0;
  while (text.n > 0 && result == 0) {
    size_t n = 0;
    while (n < text.n && !iscontrol(text.p[n])) n++;
    result = smtp_buf_append(out, text.p, n);
    if (n == text.n || result != 0) break;
    result = text.p[n] == '\r' || text.p[n] == '\n'
                 ? smtp_buf_append(out, " ", 1)
                 : smtp_buf_append_slice(out, SMTP_REPLACEMENT);
    text.p += n + 1;
    text.n -= n + 1;
  }
  return result;
}

int smtp_charset_line(smtp_buf *out, smtp_slice in, smtp_slice name) {
  smtp_buf text;
  size_t before = smtp_buf_length(out);
  int result = 0;
  smtp_buf_init(&text, out->mem, out->cap);
  if (!is_plain(in, find(name))) {
    result = smtp_charset_utf8(&text, in, name);
    in = smtp_buf_data(&text);
  }
  if (result == 0) result = appendline(out, in);
  smtp_buf_clear(&text);
  if (result != 0) smtp_buf_truncate(out, before);
  return result;
}

bool smtp_charset_known(smtp_slice name) {
  return smtp_charset_find(name) != NULL;
}
