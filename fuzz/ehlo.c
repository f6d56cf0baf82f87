/* SPDX-License-Identifier: MIT */
/*
** fuzz/ehlo.c: any bytes as the lines of a reply to EHLO, parted by LF. What
** is learned is written, and learned again from that it must be the same. The
** same bytes as own lines of a server: what is accepted stays the lines that
** were given, each with a keyword.
*/
#include <stdlib.h>
#include <string.h>

#include "../csrc/core/ascii.h"
#include "../csrc/core/ehlo.h"
#include "../csrc/core/reply.h"

#define CHECK(condition) ((condition) ? (void)0 : abort())
#define HOST SMTP_LIT("mx.example.org")

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_line(smtp_slice line) {
  smtp_slice keyword, params;
  size_t i;
  if (smtp_ehlo_line(line, &keyword, &params) != 0) return;
  CHECK(keyword.p == line.p && keyword.n > 0);
  CHECK(keyword.n + params.n <= line.n);
  CHECK(params.p >= line.p && params.p + params.n <= line.p + line.n);
  CHECK(params.n == 0 || (params.p[0] != ' ' && params.p[params.n - 1] != ' '));
  for (i = 0; i < keyword.n; i++)
    CHECK(keyword.p[i] == '-' ||
          smtp_ascii_is((unsigned char)keyword.p[i], SMTP_ALPHA | SMTP_DIGIT));
}

/* Learns the lines of text; each in memory that ends with it. */
static void learn(smtp_ehlo *ehlo, smtp_slice text) {
  while (text.n > 0) {
    const char *lf = memchr(text.p, '\n', text.n);
    size_t n = lf != NULL ? (size_t)(lf - text.p) : text.n;
    char *copy = malloc(n);
    CHECK(copy != NULL || n == 0);
    if (n > 0) memcpy(copy, text.p, n);
    check_line((smtp_slice){copy, n});
    smtp_ehlo_learn(ehlo, (smtp_slice){copy, n});
    free(copy);
    text.p += n + (lf != NULL);
    text.n -= n + (lf != NULL);
  }
}

/* The text of a reply that was written, without the hostname's line. */
static smtp_slice reread(smtp_reply *r, smtp_buf *wire) {
  size_t host = HOST.n;
  CHECK(smtp_reply_feed(r, wire) == 1 && smtp_buf_length(wire) == 0);
  smtp_slice text = smtp_reply_text(r);
  CHECK(r->code == 250 && text.n >= host);
  CHECK(memcmp(text.p, HOST.p, host) == 0);
  if (text.n > host) host++;
  return (smtp_slice){text.p + host, text.n - host};
}

/* Writes ehlo with own; 0 if that was refused. What came is in *text. */
static int write(smtp_reply *r, const smtp_ehlo *ehlo, smtp_slice own,
                 smtp_slice *text) {
  smtp_buf out;
  smtp_buf_init(&out, smtp_mem_libc(), SMTP_REPLY_MAX);
  int rc = smtp_ehlo_format(&out, HOST, ehlo, own);
  CHECK(rc == 0 || smtp_buf_length(&out) == 0);
  CHECK(rc == 0 || rc == SMTP_EINVALID || rc == SMTP_ETOOBIG);
  if (rc == 0) *text = reread(r, &out);
  smtp_buf_clear(&out);
  return rc == 0;
}

static void check_learned(smtp_slice in) {
  smtp_ehlo first = {0, 0}, second = {0, 0};
  smtp_reply r;
  smtp_slice text;
  learn(&first, in);
  CHECK(first.size == 0 || first.extensions & SMTP_EXT_SIZE);
  smtp_reply_init(&r, smtp_mem_libc());
  CHECK(write(&r, &first, SMTP_LIT("AUTH PLAIN"), &text));
  learn(&second, text);
  first.extensions &= ~(unsigned)SMTP_EXT_FUTURERELEASE; /* without words */
  CHECK(second.extensions == (first.extensions | SMTP_EXT_AUTH));
  CHECK(second.size == first.size);
  smtp_reply_clear(&r);
}

static void check_own(smtp_slice own) {
  smtp_ehlo none = {0, 0};
  smtp_reply r;
  smtp_slice text;
  size_t i, lines = 1;
  for (i = 0; i < own.n; i++) lines += own.p[i] == '\n';
  if (lines >= SMTP_REPLY_LINES_MAX) return;
  smtp_reply_init(&r, smtp_mem_libc());
  if (write(&r, &none, own, &text))
    CHECK(text.n == own.n && memcmp(text.p, own.p, own.n) == 0);
  smtp_reply_clear(&r);
}

/* A hostname that is taken is one word. */
static void check_hostname(smtp_slice hostname) {
  smtp_ehlo none = {0, 0};
  smtp_buf out;
  smtp_buf_init(&out, smtp_mem_libc(), SMTP_REPLY_MAX);
  if (smtp_ehlo_format(&out, hostname, &none, SMTP_LIT("")) == 0) {
    smtp_slice wire = smtp_buf_data(&out);
    CHECK(wire.n == hostname.n + 6 && memchr(hostname.p, ' ', hostname.n) == 0);
    CHECK(memchr(wire.p, '\n', wire.n) == wire.p + wire.n - 1);
  }
  smtp_buf_clear(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *copy = malloc(size); /* exact: a read beyond it is seen */
  if (copy == NULL && size > 0) return 0;
  if (size > 0) memcpy(copy, data, size);
  smtp_slice in = {copy, size};
  check_learned(in);
  check_own(in);
  check_hostname(in);
  free(copy);
  return 0;
}
