/* SPDX-License-Identifier: MIT */
/*
** charset.c: see charset.h. The list has what mail is written in, and nothing
** else: the rarer converters of C libraries have had errors that a message
** could provoke.
*/
#include "charset.h"

#include <errno.h>
#include <iconv.h>
#include <string.h>

#include "../core/ascii.h"

#define LABEL_MAX 40

enum how { GUESS, UTF8, WINDOWS_1252, ICONV, ICONV_WIDE };

typedef struct charset {
  const char *label; /* lower case, letters and digits only */
  size_t n;
  enum how how; /* ICONV_WIDE: ASCII bytes are not ASCII text */
  const char *name;
} charset;

#define ROW(label, how, name) \
  { label, sizeof(label) - 1, how, name }

static const charset list[] = {
    ROW("utf8", UTF8, NULL),
    ROW("unicode11utf8", UTF8, NULL),
    ROW("iso88591", WINDOWS_1252, NULL),
    ROW("latin1", WINDOWS_1252, NULL),
    ROW("l1", WINDOWS_1252, NULL),
    ROW("windows1252", WINDOWS_1252, NULL),
    ROW("cp1252", WINDOWS_1252, NULL),
    ROW("iso88592", ICONV, "ISO-8859-2"),
    ROW("latin2", ICONV, "ISO-8859-2"),
    ROW("iso88593", ICONV, "ISO-8859-3"),
    ROW("iso88594", ICONV, "ISO-8859-4"),
    ROW("iso88595", ICONV, "ISO-8859-5"),
    ROW("iso88596", ICONV, "ISO-8859-6"),
    ROW("iso88597", ICONV, "ISO-8859-7"),
    ROW("iso88598", ICONV, "ISO-8859-8"),
    ROW("iso88598i", ICONV, "ISO-8859-8"),
    ROW("iso88599", ICONV, "ISO-8859-9"),
    ROW("latin5", ICONV, "ISO-8859-9"),
    ROW("iso885910", ICONV, "ISO-8859-10"),
    ROW("iso885911", ICONV, "TIS-620"),
    ROW("iso885913", ICONV, "ISO-8859-13"),
    ROW("iso885914", ICONV, "ISO-8859-14"),
    ROW("iso885915", ICONV, "ISO-8859-15"),
    ROW("latin9", ICONV, "ISO-8859-15"),
    ROW("iso885916", ICONV, "ISO-8859-16"),
    ROW("windows1250", ICONV, "CP1250"),
    ROW("cp1250", ICONV, "CP1250"),
    ROW("windows1251", ICONV, "CP1251"),
    ROW("cp1251", ICONV, "CP1251"),
    ROW("windows1253", ICONV, "CP1253"),
    ROW("cp1253", ICONV, "CP1253"),
    ROW("windows1254", ICONV, "CP1254"),
    ROW("cp1254", ICONV, "CP1254"),
    ROW("windows1255", ICONV, "CP1255"),
    ROW("cp1255", ICONV, "CP1255"),
    ROW("windows1256", ICONV, "CP1256"),
    ROW("cp1256", ICONV, "CP1256"),
    ROW("windows1257", ICONV, "CP1257"),
    ROW("cp1257", ICONV, "CP1257"),
    ROW("windows1258", ICONV, "CP1258"),
    ROW("cp1258", ICONV, "CP1258"),
    ROW("koi8r", ICONV, "KOI8-R"),
    ROW("koi8u", ICONV, "KOI8-U"),
    ROW("cp437", ICONV, "CP437"),
    ROW("ibm437", ICONV, "CP437"),
    ROW("cp850", ICONV, "CP850"),
    ROW("ibm850", ICONV, "CP850"),
    ROW("cp866", ICONV, "CP866"),
    ROW("ibm866", ICONV, "CP866"),
    ROW("macintosh", ICONV, "MACINTOSH"),
    ROW("tis620", ICONV, "TIS-620"),
    ROW("windows874", ICONV, "TIS-620"),
    ROW("gb2312", ICONV, "GB18030"),
    ROW("gbk", ICONV, "GB18030"),
    ROW("cp936", ICONV, "GB18030"),
    ROW("gb18030", ICONV, "GB18030"),
    ROW("big5", ICONV, "BIG5"),
    ROW("big5hkscs", ICONV, "BIG5-HKSCS"),
    ROW("shiftjis", ICONV, "CP932"),
    ROW("sjis", ICONV, "CP932"),
    ROW("windows31j", ICONV, "CP932"),
    ROW("cp932", ICONV, "CP932"),
    ROW("eucjp", ICONV, "EUC-JP"),
    ROW("euckr", ICONV, "CP949"),
    ROW("ksc56011987", ICONV, "CP949"),
    ROW("ksc5601", ICONV, "CP949"),
    ROW("cp949", ICONV, "CP949"),
    ROW("iso2022jp", ICONV_WIDE, "ISO-2022-JP"),
    ROW("iso2022kr", ICONV_WIDE, "ISO-2022-KR"),
    ROW("utf7", ICONV_WIDE, "UTF-7"),
    ROW("utf16", ICONV_WIDE, "UTF-16"),
    ROW("utf16le", ICONV_WIDE, "UTF-16LE"),
    ROW("utf16be", ICONV_WIDE, "UTF-16BE"),
    ROW("utf32", ICONV_WIDE, "UTF-32"),
    ROW("utf32le", ICONV_WIDE, "UTF-32LE"),
    ROW("utf32be", ICONV_WIDE, "UTF-32BE"),
};

/* The row of a name without regard to its case and signs, or NULL. */
static const charset *find(smtp_slice name) {
  char label[LABEL_MAX];
  size_t i, n = 0;
  for (i = 0; i < name.n; i++) {
    unsigned char c = smtp_ascii_lower((unsigned char)name.p[i]);
    if (!smtp_ascii_is(c, SMTP_ALPHA | SMTP_DIGIT)) continue;
    if (n == sizeof label) return NULL;
    label[n++] = (char)c;
  }
  for (i = 0; i < sizeof list / sizeof *list; i++)
    if (list[i].n == n && memcmp(list[i].label, label, n) == 0) return &list[i];
  return NULL;
}

/* What windows-1252 has at 0x80 to 0x9f; 0 for the five bytes without one. */
static const unsigned short high[32] = {
    0x20ac, 0,      0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021,
    0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0,      0x017d, 0,
    0,      0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
    0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0,      0x017e, 0x0178};

#define REPLACEMENT SMTP_LIT("\xef\xbf\xbd") /* U+FFFD */

/* Length of the run of ASCII at the front. */
static size_t asciirun(smtp_slice in) {
  size_t n = 0;
  while (n < in.n && (unsigned char)in.p[n] < 0x80) n++;
  return n;
}

static int fromwindows(smtp_buf *out, smtp_slice in) {
  int result = 0;
  while (in.n > 0 && result == 0) {
    size_t n = asciirun(in);
    if (n > 0) {
      result = smtp_buf_append(out, in.p, n);
    } else {
      unsigned c = (unsigned char)in.p[0];
      char bytes[3];
      size_t size = 2;
      if (c < 0xa0) c = high[c - 0x80] != 0 ? high[c - 0x80] : 0xfffd;
      if (c < 0x800) {
        bytes[0] = (char)(0xc0 | c >> 6);
      } else {
        bytes[0] = (char)(0xe0 | c >> 12);
        bytes[1] = (char)(0x80 | (c >> 6 & 0x3f));
        size = 3;
      }
      bytes[size - 1] = (char)(0x80 | (c & 0x3f));
      n = 1;
      result = smtp_buf_append(out, bytes, size);
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
    if (result == 0) result = smtp_buf_append_slice(out, REPLACEMENT);
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

/* iconv's source is a char ** though it only reads. */
typedef union source {
  const char *in;
  char *p;
} source;

static int convert(smtp_buf *out, smtp_slice in, iconv_t cd) {
  source from;
  int result = 0;
  bool flushing = false;
  from.in = in.p;
  while (result == 0) {
    char chunk[1024];
    char *to = chunk;
    size_t room = sizeof chunk, got;
    int why;
    got = flushing ? iconv(cd, NULL, NULL, &to, &room)
                   : iconv(cd, &from.p, &in.n, &to, &room);
    why = errno;
    result = smtp_buf_append(out, chunk, (size_t)(to - chunk));
    if (result != 0) break;
    if (got != (size_t)-1) {
      if (flushing) break;
      flushing = true; /* some hold a character back until they know more */
    } else if (flushing) {
      if (why != E2BIG) break;
    } else if (why != E2BIG) {
      result = smtp_buf_append_slice(out, REPLACEMENT);
      if (why == EINVAL || in.n == 0) break; /* cut in a character */
      from.in++;
      in.n--;
    }
  }
  return result;
}

int smtp_charset_utf8(smtp_buf *out, smtp_slice in, smtp_slice name) {
  const charset *c = find(name);
  enum how how = c ? c->how : GUESS;
  size_t before = smtp_buf_length(out);
  iconv_t cd;
  int result;
  if (how != ICONV_WIDE && !smtp_ascii_eightbit(in))
    return smtp_buf_append_slice(out, in);
  if (how == GUESS) return guess(out, in);
  if (how == UTF8) return fromutf8(out, in);
  if (how == WINDOWS_1252) return fromwindows(out, in);
  cd = iconv_open("UTF-8", c->name);
  if (cd == (iconv_t)-1) return guess(out, in);
  result = convert(out, in, cd);
  iconv_close(cd);
  if (result != 0) smtp_buf_truncate(out, before);
  return result;
}

bool smtp_charset_known(smtp_slice name) {
  return find(name) != NULL;
}
