/* SPDX-License-Identifier: MIT */
/*
** server_text.h: checks of text that hold in every state of a session, for
** fuzz/server.c.
*/
#ifndef SMTP_FUZZ_SERVER_TEXT_H
#define SMTP_FUZZ_SERVER_TEXT_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "../csrc/core/ascii.h"
#include "../csrc/core/sasl.h"
#include "../csrc/core/smtp.h"

#define CHECK(condition) ((condition) ? (void)0 : abort())
#define SHOWN 64 /* bytes of a line that is too long */

/* Lines end with CRLF and there is no NUL, as mail stores expect. */
static inline void check_clean(smtp_slice content, bool whole) {
  size_t i;
  for (i = 0; i < content.n; i++) {
    bool crlf =
        content.p[i] == '\r' && i + 1 < content.n && content.p[i + 1] == '\n';
    CHECK(content.p[i] != 0 && content.p[i] != '\n');
    CHECK(content.p[i] != '\r' || crlf);
    i += crlf;
  }
  CHECK(content.n == 0 || !whole || content.p[content.n - 1] == '\n');
}

static inline size_t skip(smtp_slice text, size_t at, bool blanks) {
  while (at < text.n && ((unsigned char)text.p[at] <= ' ') == blanks) at++;
  return at;
}

/* The text of a LINE event: the whole line, or the first bytes of a line that
** is too long; of AUTH the verb and a possible name of a mechanism; of an AUTH
** response "***". */
static inline void check_line(smtp_slice text, size_t limit, bool auth) {
  size_t verb = skip(text, 0, true), from, to, i;
  smtp_slice word = {text.p + verb, text.n - verb < 4 ? text.n - verb : 4};
  CHECK(text.n > 0);
  if (!smtp_ascii_equal(word, SMTP_LIT("AUTH"))) {
    CHECK(text.p[text.n - 1] == '\n' ||
          text.n == (limit < SHOWN ? limit : SHOWN) ||
          (auth && text.n == 3 && memcmp(text.p, "***", 3) == 0));
    return;
  }
  if (text.n == verb + 4) return;
  from = skip(text, verb + 4, true);
  to = skip(text, from, false);
  CHECK(from > verb + 4 && to > from && text.n - to <= 2);
  CHECK(skip(text, to, true) == text.n);
  word = (smtp_slice){text.p + from, to - from};
  if (smtp_sasl_mechanism(word) != 0) return;
  CHECK(word.n <= 20);
  for (i = 0; i < word.n; i++)
    CHECK((word.p[i] >= 'A' && word.p[i] <= 'Z') ||
          (word.p[i] >= '0' && word.p[i] <= '9') || word.p[i] == '-' ||
          word.p[i] == '_');
}

/* Reply-line, RFC 5321 section 4.2; *code is 0 where a reply begins. */
static inline size_t check_reply_line(smtp_slice wire, int *code) {
  const char *p = wire.p, *lf = memchr(p, '\n', wire.n);
  size_t n, i;
  int here;
  CHECK(lf != NULL);
  n = (size_t)(lf + 1 - p);
  CHECK(n >= 6 && n <= 512 && p[n - 2] == '\r');
  CHECK(p[0] >= '2' && p[0] <= '5' && p[1] >= '0' && p[1] <= '5');
  CHECK(p[2] >= '0' && p[2] <= '9' && (p[3] == ' ' || p[3] == '-'));
  for (i = 4; i < n - 2; i++) CHECK((unsigned char)p[i] >= 32 && p[i] != 127);
  here = (p[0] - '0') * 100 + (p[1] - '0') * 10 + p[2] - '0';
  CHECK(*code == 0 || *code == here);
  *code = p[3] == ' ' ? 0 : here;
  return n;
}

/* A value of XCLIENT or XFORWARD, decoded. */
static inline void check_value(smtp_slice value) {
  size_t i;
  CHECK(value.n <= 255 && smtp_utf8_valid(value));
  for (i = 0; i < value.n; i++)
    CHECK(!smtp_ascii_is((unsigned char)value.p[i], SMTP_CONTROL));
}

#endif
