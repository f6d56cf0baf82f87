/* SPDX-License-Identifier: MIT */
/* decode.c: see decode.h. */
#include "decode.h"

#include <stdbool.h>
#include <string.h>

#include "../core/ascii.h"
#include "../core/base64.h"
#include "charset.h"
#include "fields.h"

#define CHARSET_MAX 64 /* of an encoded word, with its language */

/* The byte of two digits at p, or -1. */
static int hexbyte(const char *p, const char *end) {
  unsigned high, low;
  if (end - p < 2) return -1;
  high = smtp_ascii_hex((unsigned char)p[0]);
  low = smtp_ascii_hex((unsigned char)p[1]);
  return high == 16 || low == 16 ? -1 : (int)(high << 4 | low);
}

/* Every decoder writes at most as much as it reads. */

/* As many whole groups of digits as there are at i: bytes go to *to. */
static size_t plain_groups(smtp_slice in, size_t i, char **to) {
  const unsigned char *p = (const unsigned char *)in.p;
  char *at = *to;
  while (in.n - i >= 4) {
    unsigned a = smtp_base64_value[p[i]], b = smtp_base64_value[p[i + 1]];
    unsigned c = smtp_base64_value[p[i + 2]], d = smtp_base64_value[p[i + 3]];
    if (((a | b | c | d) & 64) != 0) break;
    *at++ = (char)(a << 2 | b >> 4);
    *at++ = (char)((b & 15) << 4 | c >> 2);
    *at++ = (char)((c & 3) << 6 | d);
    i += 4;
  }
  *to = at;
  return i;
}

int smtp_decode_base64(smtp_buf *out, smtp_slice in) {
  unsigned long group = 0;
  unsigned have = 0; /* digits in group */
  size_t i;
  char *begin, *to;
  int result = smtp_buf_reserve(out, in.n, &begin);
  if (result != 0) return result;
  to = begin;
  for (i = 0; i <= in.n; i++) {
    bool ends;
    unsigned digit;
    if (have == 0) i = plain_groups(in, i, &to);
    ends = i == in.n || in.p[i] == '=';
    digit = ends ? 64 : smtp_base64_value[(unsigned char)in.p[i]];
    if (digit < 64) {
      group = group << 6 | digit;
      have++;
    }
    if (have == 4) {
      *to++ = (char)(group >> 16 & 0xff);
      *to++ = (char)(group >> 8 & 0xff);
      *to++ = (char)(group & 0xff);
      have = 0;
    } else if (ends) {
      if (have >= 2) *to++ = (char)(group >> (have == 2 ? 4 : 10) & 0xff);
      if (have == 3) *to++ = (char)(group >> 2 & 0xff);
      have = 0;
    }
    if (have == 0) group = 0;
  }
  smtp_buf_commit(out, (size_t)(to - begin));
  return 0;
}

static bool isspacetab(char c) {
  return c == ' ' || c == '\t';
}

int smtp_decode_qp(smtp_buf *out, smtp_slice in) {
  const char *p = in.p, *end = in.p + in.n;
  size_t n = 0, solid = 0; /* solid: bytes up to the last that must stay */
  char *to;
  int result = smtp_buf_reserve(out, in.n, &to);
  if (result != 0) return result;
  while (p < end) {
    char c = *p++;
    int byte;
    if (isspacetab(c)) {
      to[n++] = c;
      continue;
    }
    if (c == '\n' || (c == '\r' && p < end && *p == '\n')) {
      n = solid;
      to[n++] = c;
      if (c == '\r') to[n++] = *p++;
    } else if (c != '=') {
      to[n++] = c;
    } else if ((byte = hexbyte(p, end)) >= 0) {
      to[n++] = (char)byte;
      p += 2;
    } else { /* a soft line break, with what white space a relay added */
      const char *q = p;
      while (q < end && isspacetab(*q)) q++;
      if (q < end && *q == '\r' && end - q > 1 && q[1] == '\n') q++;
      if (q == end || *q == '\n')
        p = q == end ? q : q + 1;
      else
        to[n++] = c;
    }
    solid = n;
  }
  smtp_buf_commit(out, solid);
  return 0;
}

/* Bytes as two digits behind escape; with underscore "_" is a space. */
static int unescape(smtp_buf *out, smtp_slice in, char escape,
                    bool underscore) {
  const char *p = in.p, *end = in.p + in.n;
  size_t n = 0;
  char *to;
  int result = smtp_buf_reserve(out, in.n, &to);
  if (result != 0) return result;
  while (p < end) {
    char c = *p++;
    int byte = c == escape ? hexbyte(p, end) : -1;
    to[n++] = byte >= 0 ? (char)byte : underscore && c == '_' ? ' ' : c;
    if (byte >= 0) p += 2;
  }
  smtp_buf_commit(out, n);
  return 0;
}

int smtp_decode_percent(smtp_buf *out, smtp_slice in) {
  return unescape(out, in, '%', false);
}

/* ---- encoded words --------------------------------------------------- */

/* A converter costs far more than a word. Behind so many of a value, which is
** no value of a person's, charsets are guessed. */
#define CONVERSIONS 200

typedef struct words {
  smtp_buf *out;
  smtp_buf bytes;     /* decoded bytes of words that stand together */
  smtp_slice charset; /* theirs; p NULL if there are none */
  smtp_slice in;
  size_t close; /* a "?=" is here, or in.n; none is between it and looked */
  size_t looked;
  size_t conversions; /* so far */
} words;

typedef struct word {
  smtp_slice charset, text;
  bool base64;
  size_t end; /* the byte behind it */
} word;

/* The first "?=" at or after place; each byte is looked at once in all. */
static size_t closing(words *w, size_t place) {
  const char *p = w->in.p, *q;
  if (w->looked <= place && place <= w->close) return w->close;
  w->looked = place;
  while (place < w->in.n) {
    q = memchr(p + place, '?', w->in.n - place);
    if (q == NULL) break;
    place = (size_t)(q - p);
    if (place + 1 < w->in.n && p[place + 1] == '=') return w->close = place;
    place++;
  }
  return w->close = w->in.n;
}

/* =?charset*language?encoding?text?= at place: 1 if there is one. */
static bool parseword(words *w, size_t place, word *found) {
  const char *p = w->in.p;
  size_t at = place + 2, end, limit;
  const char *q;
  unsigned char encoding;
  if (w->in.n - place < 8 || p[place + 1] != '?') return false;
  limit = w->in.n - at < CHARSET_MAX ? w->in.n - at : CHARSET_MAX;
  q = memchr(p + at, '?', limit);
  if (q == NULL || q == p + at) return false;
  found->charset.p = p + at;
  found->charset.n = (size_t)(q - (p + at));
  at += found->charset.n + 1;
  q = memchr(found->charset.p, '*', found->charset.n);
  if (q != NULL) found->charset.n = (size_t)(q - found->charset.p);
  if (w->in.n - at < 4 || p[at + 1] != '?') return false;
  encoding = smtp_ascii_lower((unsigned char)p[at]);
  if (encoding != 'b' && encoding != 'q') return false;
  found->base64 = encoding == 'b';
  at += 2;
  end = closing(w, at);
  if (end >= w->in.n) return false;
  found->text.p = p + at;
  found->text.n = end - at;
  found->end = end + 2;
  return true;
}

/* Appends as UTF-8 of one line. */
static int flush(words *w) {
  int result;
  if (w->charset.p == NULL) return 0;
  if (++w->conversions > CONVERSIONS) w->charset.n = 0;
  result = smtp_charset_line(w->out, smtp_buf_data(&w->bytes), w->charset);
  smtp_buf_truncate(&w->bytes, 0);
  w->charset.p = NULL;
  return result;
}

static bool isfolded(smtp_slice text) {
  return text.n > 0 && (memchr(text.p, '\n', text.n) != NULL ||
                        memchr(text.p, '\r', text.n) != NULL);
}

/* Text outside of words; its line ends are folding. */
static int plain(words *w, smtp_slice text) {
  const char *p = text.p, *end = text.p + text.n;
  int result = flush(w);
  if (result == 0 && !isfolded(text))
    return smtp_charset_line(w->out, text, SMTP_LIT(""));
  while (p < end && result == 0) { /* bytes is empty: use it to unfold */
    const char *q = p;
    while (q < end && *q != '\r' && *q != '\n') q++;
    result = smtp_buf_append(&w->bytes, p, (size_t)(q - p));
    p = q;
    while (p < end && (*p == '\r' || *p == '\n')) p++;
  }
  if (result == 0)
    result = smtp_charset_line(w->out, smtp_buf_data(&w->bytes), SMTP_LIT(""));
  smtp_buf_truncate(&w->bytes, 0);
  return result;
}

static int decodewords(words *w) {
  size_t from = 0, at = 0;
  int result = 0;
  while (at < w->in.n && result == 0) {
    const char *q = memchr(w->in.p + at, '=', w->in.n - at);
    smtp_slice between;
    word found;
    if (q == NULL) break;
    at = (size_t)(q - w->in.p);
    if (!parseword(w, at, &found)) {
      at++;
      continue;
    }
    between.p = w->in.p + from;
    between.n = at - from;
    /* white space between two words is no text */
    if (between.n > 0 && !(from > 0 && smtp_fields_trim(between).n == 0))
      result = plain(w, between);
    if (result == 0 && w->charset.p != NULL &&
        !smtp_ascii_equal(w->charset, found.charset))
      result = flush(w);
    w->charset = found.charset;
    if (result == 0)
      result = found.base64 ? smtp_decode_base64(&w->bytes, found.text)
                            : unescape(&w->bytes, found.text, '=', true);
    from = at = found.end;
  }
  if (result == 0) {
    smtp_slice rest = {w->in.p + from, w->in.n - from};
    result = rest.n > 0 ? plain(w, rest) : flush(w);
  }
  return result;
}

int smtp_decode_words(smtp_buf *out, smtp_slice in) {
  words w;
  int result;
  w.out = out;
  w.in = in;
  w.charset.p = NULL;
  w.charset.n = 0;
  w.close = 0;
  w.looked = 1; /* nothing was looked at */
  w.conversions = 0;
  smtp_buf_init(&w.bytes, out->mem, in.n + 1);
  result = decodewords(&w);
  smtp_buf_clear(&w.bytes);
  return result;
}
