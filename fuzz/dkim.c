/* SPDX-License-Identifier: MIT */
/*
** fuzz/dkim.c: the canonical forms of DKIM. The first byte is the form and a
** seed of cuts; the rest is a body and a field. A body in pieces must be as
** the whole, its form must be its own form, and ends in one CRLF at most.
*/
#include <stdlib.h>
#include <string.h>

#include "../csrc/mime/dkim_canon.h"

#define CHECK(condition) ((condition) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int write_out(void *ctx, smtp_slice bytes) {
  return smtp_buf_append_slice(ctx, bytes);
}

/* Feeds in pieces of sizes that seed gives; 0: whole. Each piece is a copy of
** its exact size, so that a read beyond it is seen. */
static void make(smtp_buf *out, smtp_dkim_canon canon, smtp_slice in,
                 unsigned seed) {
  smtp_dkim_body b;
  smtp_dkim_body_init(&b, canon, write_out, out);
  while (in.n > 0) {
    size_t n = seed > 0 ? 1 + seed % 7 : in.n;
    if (n > in.n) n = in.n;
    char *copy = malloc(n);
    CHECK(copy != NULL);
    memcpy(copy, in.p, n);
    CHECK(smtp_dkim_body_feed(&b, (smtp_slice){copy, n}) == 0);
    free(copy);
    in.p += n;
    in.n -= n;
    seed = seed > 0 ? (seed * 75 + 74) % 65537 : 0;
  }
  CHECK(smtp_dkim_body_finish(&b) == 0);
}

static bool same(const smtp_buf *a, const smtp_buf *b) {
  smtp_slice x = smtp_buf_data(a), y = smtp_buf_data(b);
  return x.n == y.n && (x.n == 0 || memcmp(x.p, y.p, x.n) == 0);
}

static void check_lines(smtp_slice text, smtp_dkim_canon canon) {
  size_t n = text.n;
  for (size_t i = 0; i < n; i++) {
    if (text.p[i] == '\r') CHECK(i + 1 < n && text.p[i + 1] == '\n');
    if (text.p[i] == '\n') CHECK(i > 0 && text.p[i - 1] == '\r');
    if (canon == SMTP_DKIM_SIMPLE) continue;
    CHECK(text.p[i] != '\t');
    if (text.p[i] == ' ')
      CHECK(i + 1 < n && text.p[i + 1] != ' ' && text.p[i + 1] != '\r');
  }
  if (n > 0) CHECK(text.p[n - 1] == '\n');
  if (n > 2) CHECK(text.p[n - 3] != '\n');
}

static bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Nothing but white space was made or dropped; small letters before a colon. */
static void check_kept(smtp_slice in, smtp_slice out, bool field) {
  size_t i, k = 0;
  bool name = field;
  for (i = 0; i < in.n; i++) {
    if (is_space(in.p[i])) continue;
    while (k < out.n && is_space(out.p[k])) k++;
    CHECK(k < out.n);
    if (in.p[i] == ':') name = false;
    if (name && in.p[i] >= 'A' && in.p[i] <= 'Z')
      CHECK(out.p[k] == in.p[i] + 32);
    else
      CHECK(out.p[k] == in.p[i]);
    k++;
  }
  while (k < out.n && is_space(out.p[k])) k++;
  CHECK(k == out.n);
}

static void check_field(smtp_slice in, smtp_dkim_canon canon, size_t cap) {
  smtp_buf out, again;
  smtp_buf_init(&out, smtp_mem_libc(), cap);
  smtp_buf_init(&again, smtp_mem_libc(), cap);
  int result = smtp_dkim_header(&out, canon, in);
  CHECK(result == 0 || result == SMTP_ESYNTAX);
  if (result == 0) {
    CHECK(smtp_dkim_header(&again, canon, smtp_buf_data(&out)) == 0);
    CHECK(same(&out, &again));
    check_kept(in, smtp_buf_data(&out), canon == SMTP_DKIM_RELAXED);
  }
  smtp_buf_clear(&out);
  smtp_buf_clear(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  smtp_dkim_canon canon = data[0] & 1 ? SMTP_DKIM_RELAXED : SMTP_DKIM_SIMPLE;
  smtp_slice in = {(const char *)data + 1, size - 1};
  size_t cap = 2 * size + 2;
  smtp_buf whole, pieces, again;
  smtp_buf_init(&whole, smtp_mem_libc(), cap);
  smtp_buf_init(&pieces, smtp_mem_libc(), cap);
  smtp_buf_init(&again, smtp_mem_libc(), cap);
  make(&whole, canon, in, 0);
  make(&pieces, canon, in, 1 + (data[0] >> 1));
  CHECK(same(&whole, &pieces));
  make(&again, canon, smtp_buf_data(&whole), 0);
  CHECK(same(&whole, &again));
  check_lines(smtp_buf_data(&whole), canon);
  check_kept(in, smtp_buf_data(&whole), false);
  check_field(in, canon, cap);
  smtp_buf_clear(&whole);
  smtp_buf_clear(&pieces);
  smtp_buf_clear(&again);
  return 0;
}
