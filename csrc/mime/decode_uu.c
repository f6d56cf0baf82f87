/* SPDX-License-Identifier: MIT */
/*
** decode_uu.c: uuencode, and which decoder a Content-Transfer-Encoding names;
** see decode.h. A line has the count of its bytes and then four characters for
** each three of them, 6 bits a character; white space at its end may be lost,
** and stands for zeros.
*/
#include <string.h>

#include "../core/ascii.h"
#include "decode.h"
#include "fields.h"

/* The line at the front without its end, off the front of *in. */
static smtp_slice cut(smtp_slice *in) {
  smtp_slice line = smtp_fields_first(*in);
  in->p += line.n;
  in->n -= line.n;
  while (line.n > 0 &&
         (line.p[line.n - 1] == '\n' || line.p[line.n - 1] == '\r'))
    line.n--;
  return line;
}

/* "begin 644 name", in which the name may be missing. */
static bool isbegin(smtp_slice line) {
  size_t i = 6;
  if (line.n < 9 || memcmp(line.p, "begin ", 6) != 0) return false;
  while (i < line.n && line.p[i] >= '0' && line.p[i] <= '7') i++;
  return i >= 9 && (i == line.n || line.p[i] == ' ');
}

static unsigned bits(smtp_slice line, size_t i) {
  unsigned char c = i < line.n ? (unsigned char)line.p[i] : ' ';
  return (c - 0x20U) & 0x3f;
}

#define LINE_MAX 63 /* bytes of a line */

/* The bytes of a line go to to, which has room for LINE_MAX + 2: how many. */
static size_t decodeline(smtp_slice line, char *to) {
  size_t count = bits(line, 0), n, i = 1;
  for (n = 0; n < count; n += 3, i += 4) {
    unsigned a = bits(line, i), b = bits(line, i + 1);
    unsigned c = bits(line, i + 2), d = bits(line, i + 3);
    to[n] = (char)(a << 2 | b >> 4);
    to[n + 1] = (char)(b << 4 | c >> 2);
    to[n + 2] = (char)(c << 6 | d);
  }
  return count;
}

static bool isend(smtp_slice line) {
  return line.n >= 3 && memcmp(line.p, "end", 3) == 0 &&
         smtp_fields_trim(line).n == 3;
}

int smtp_decode_uu(smtp_buf *out, smtp_slice in) {
  smtp_slice rest = in;
  bool begun = false;
  int result = 0;
  while (rest.n > 0 && result == 0) {
    char bytes[LINE_MAX + 2];
    smtp_slice line = cut(&rest);
    size_t n;
    if (!begun) {
      begun = isbegin(line);
      continue;
    }
    if (isend(line)) break;
    n = decodeline(line, bytes);
    if (n == 0 && line.n > 0) break; /* the last line before "end" */
    result = smtp_buf_append(out, bytes, n);
  }
  return begun ? result : smtp_buf_append_slice(out, in);
}

typedef int decoder(smtp_buf *out, smtp_slice in);

static decoder *find(smtp_slice encoding) {
  static const struct {
    const char *name;
    size_t n;
    decoder *decode;
  } list[] = {{"base64", 6, smtp_decode_base64},
              {"quoted-printable", 16, smtp_decode_qp},
              {"x-uuencode", 10, smtp_decode_uu},
              {"uuencode", 8, smtp_decode_uu},
              {"x-uue", 5, smtp_decode_uu},
              {"uue", 3, smtp_decode_uu}};
  size_t i;
  for (i = 0; i < sizeof list / sizeof *list; i++) {
    smtp_slice name = {list[i].name, list[i].n};
    if (smtp_ascii_equal(encoding, name)) return list[i].decode;
  }
  return NULL;
}

bool smtp_decode_changes(smtp_slice encoding) {
  return find(encoding) != NULL;
}

int smtp_decode_body(smtp_buf *out, smtp_slice in, smtp_slice encoding) {
  decoder *decode = find(encoding);
  return decode ? decode(out, in) : smtp_buf_append_slice(out, in);
}
