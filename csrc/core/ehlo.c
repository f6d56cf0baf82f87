/* SPDX-License-Identifier: MIT */
/*
** ehlo.c: the lines of the reply to EHLO, read and written from one table
** (RFC 5321 section 4.1.1.1). A server may say anything in them, so reading
** passes over what it does not understand; writing is strict.
*/
#include "ehlo.h"

#include "ascii.h"

#define EHLO_LINE_MAX 512 /* RFC 5321 section 4.5.3.1.5, CRLF included */
#define PREFIX_N 4        /* "250-" */

/* In the order in which they are written. */
static const struct {
  smtp_slice keyword;
  unsigned extension;
} extensions[] = {
#define KEYWORD(name) \
  { {#name, sizeof(#name) - 1}, SMTP_EXT_##name }
    KEYWORD(PIPELINING),
    KEYWORD(SIZE),
    KEYWORD(8BITMIME),
    KEYWORD(STARTTLS),
    KEYWORD(AUTH),
    KEYWORD(ENHANCEDSTATUSCODES),
    KEYWORD(SMTPUTF8),
    KEYWORD(CHUNKING),
    KEYWORD(BINARYMIME),
    KEYWORD(DSN),
    KEYWORD(REQUIRETLS),
    KEYWORD(DELIVERBY),
    KEYWORD(FUTURERELEASE),
    KEYWORD(RRVS),
    KEYWORD(PRDR),
#undef KEYWORD
    {{"MT-PRIORITY", 11}, SMTP_EXT_MT_PRIORITY},
};

enum { EXTENSIONS = sizeof(extensions) / sizeof(extensions[0]) };

/* The length of the ehlo-keyword at the start of text; 0 if there is none. */
static size_t keyword_length(smtp_slice text) {
  size_t n = 0;
  while (n < text.n &&
         (smtp_ascii_is((unsigned char)text.p[n], SMTP_ALPHA | SMTP_DIGIT) ||
          (n > 0 && text.p[n] == '-')))
    n++;
  return n;
}

int smtp_ehlo_line(smtp_slice line, smtp_slice *keyword, smtp_slice *params) {
  smtp_slice word = {line.p, keyword_length(line)};
  bool old_auth = word.n < line.n && line.p[word.n] == '=' &&
                  smtp_ehlo_extension(word) == SMTP_EXT_AUTH;

  if (word.n == 0) return SMTP_ESYNTAX;
  if (word.n < line.n && line.p[word.n] != ' ' && !old_auth)
    return SMTP_ESYNTAX;
  *keyword = word;
  line.p += word.n + old_auth;
  line.n -= word.n + old_auth;
  *params = smtp_ascii_trim(line, false);
  return 0;
}

unsigned smtp_ehlo_extension(smtp_slice keyword) {
  size_t i;
  for (i = 0; i < EXTENSIONS; i++)
    if (smtp_ascii_equal(keyword, extensions[i].keyword))
      return extensions[i].extension;
  return 0;
}

void smtp_ehlo_learn(smtp_ehlo *ehlo, smtp_slice line) {
  smtp_slice keyword, params;
  uint64_t size = 0;
  unsigned extension;

  if (smtp_ehlo_line(line, &keyword, &params) != 0) return;
  extension = smtp_ehlo_extension(keyword);
  if (extension == SMTP_EXT_SIZE) {
    if (params.n > 0 && smtp_ascii_number(params, &size) != 0) return;
    ehlo->size = size;
  }
  ehlo->extensions |= extension;
}

/* True if text is a keyword and parameters, short enough for a line. */
static bool is_own_line(smtp_slice text) {
  size_t i = keyword_length(text);
  if (i == 0 || PREFIX_N + text.n + 2 > EHLO_LINE_MAX) return false;
  if (i < text.n && text.p[i] != ' ') return false;
  for (; i < text.n; i++) {
    unsigned char c = (unsigned char)text.p[i];
    if (c > 126 || smtp_ascii_is(c, SMTP_CONTROL)) return false;
  }
  return true;
}

/* How many lines own has; 0 if one of them, or a last empty one, is bad. Of
** *wanted those are taken away that have their line there. */
static size_t count_own(smtp_slice own, unsigned *wanted) {
  size_t lines = 0;
  smtp_slice line;
  bool more = true;

  while (more) {
    more = smtp_ascii_line(&own, &line);
    if (!is_own_line(line)) return 0;
    line.n = keyword_length(line);
    *wanted &= ~smtp_ehlo_extension(line);
    lines++;
  }
  return lines;
}

static bool is_hostname(smtp_slice text) {
  size_t i;
  if (text.n == 0 || text.n > SMTP_DOMAIN_MAX) return false;
  for (i = 0; i < text.n; i++) {
    unsigned char c = (unsigned char)text.p[i];
    if (c <= ' ' || c >= 127) return false;
  }
  return true;
}

/* One line, the last if *left is 1, without its CRLF. */
static int begin_line(smtp_buf *out, size_t *left, smtp_slice text) {
  int rc = smtp_buf_append(out, --*left == 0 ? "250 " : "250-", PREFIX_N);
  return rc < 0 ? rc : smtp_buf_append_slice(out, text);
}

static int put_line(smtp_buf *out, size_t *left, smtp_slice text) {
  int rc = begin_line(out, left, text);
  return rc < 0 ? rc : smtp_buf_append(out, "\r\n", 2);
}

static int put_size(smtp_buf *out, size_t *left, uint64_t size) {
  int rc = begin_line(out, left, SMTP_LIT("SIZE "));
  if (rc == 0) rc = smtp_buf_append_number(out, size);
  return rc < 0 ? rc : smtp_buf_append(out, "\r\n", 2);
}

int smtp_ehlo_format(smtp_buf *out, smtp_slice hostname, const smtp_ehlo *ehlo,
                     smtp_slice own) {
  size_t before = smtp_buf_length(out), left = 1, i, owns = 0;
  unsigned wanted =
      ehlo->extensions & ~(unsigned)(SMTP_EXT_AUTH | SMTP_EXT_FUTURERELEASE);
  smtp_slice line;
  int rc;

  if (!is_hostname(hostname)) return SMTP_EINVALID;
  if (own.n > 0 && (owns = count_own(own, &wanted)) == 0) return SMTP_EINVALID;
  left += owns;
  for (i = 0; i < EXTENSIONS; i++)
    left += (wanted & extensions[i].extension) != 0;

  rc = put_line(out, &left, hostname);
  for (i = 0; rc == 0 && i < EXTENSIONS; i++) {
    if (!(wanted & extensions[i].extension)) continue;
    if (extensions[i].extension == SMTP_EXT_SIZE)
      rc = put_size(out, &left, ehlo->size);
    else
      rc = put_line(out, &left, extensions[i].keyword);
  }
  while (rc == 0 && left > 0) {
    smtp_ascii_line(&own, &line);
    rc = put_line(out, &left, line);
  }
  if (rc < 0) smtp_buf_truncate(out, before);
  return rc;
}
