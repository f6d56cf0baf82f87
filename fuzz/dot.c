/* SPDX-License-Identifier: MIT */
/*
** fuzz/dot.c: the dot codec against a naive one. Of the input the first byte
** is the encoder's mode, the second seeds the cuts, the rest is the text. It
** is decoded in random cuts, and must give what the reference gives for all
** of it; it is encoded in random cuts, and decoded it must be the text with
** its line ends mended, whatever it was.
*/
#include <stdlib.h>
#include <string.h>

#include "../csrc/core/dot.h"

#define CHECK(condition) ((condition) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct result {
  char *p; /* the content, n bytes */
  size_t n;
  size_t used;
  unsigned seen;
  int ended;
} result;

/* RFC 5321 section 4.5.2, a byte at a time over the whole text. */
static void reference(result *r, const char *in, size_t n) {
  int start = 1;
  size_t i;
  r->n = r->seen = 0;
  r->ended = 0;
  for (i = 0; i < n; i++) {
    if (start && in[i] == '.') {
      if (n - i < 2 || (n - i == 2 && in[i + 1] == '\r')) break;
      r->ended = in[i + 1] == '\r' && in[i + 2] == '\n';
      if (!r->ended && in[i + 1] != '.') r->seen |= SMTP_DOT_UNSTUFFED;
      i += r->ended ? 3 : 1;
      if (r->ended) break;
    }
    start = in[i] == '\n' && i > 0 && in[i - 1] == '\r';
    if (in[i] == '\n' && !start) r->seen |= SMTP_DOT_BARE_LF;
    if (in[i] == '\r' && i + 1 < n && in[i + 1] != '\n')
      r->seen |= SMTP_DOT_BARE_CR;
    if (in[i] == 0) r->seen |= SMTP_DOT_NUL;
    if ((unsigned char)in[i] > 127) r->seen |= SMTP_DOT_EIGHTBIT;
    r->p[r->n++] = in[i];
  }
  r->used = i;
}

/* The text with CRLF for CR, LF and CRLF, and one more if that is missing. */
static size_t mended(char *out, const char *in, size_t n) {
  size_t i, made = 0;
  for (i = 0; i < n; i++) {
    int crlf = in[i] == '\r' && i + 1 < n && in[i + 1] == '\n';
    int eol = in[i] == '\r' || in[i] == '\n';
    if (eol) out[made++] = '\r';
    out[made++] = eol ? '\n' : in[i];
    i += (size_t)crlf;
  }
  if (n > 0 && in[n - 1] != '\r' && in[n - 1] != '\n') {
    out[made++] = '\r';
    out[made++] = '\n';
  }
  return made;
}

/* A length from 0 to most, small ones often. */
static size_t cut(uint32_t *state, size_t most) {
  *state = *state * 1664525u + 1013904223u;
  size_t n = *state >> 24 & 1 ? *state >> 25 & 3 : *state >> 16;
  return n < most ? n : most;
}

static void *copy_of(const char *p, size_t n) {
  char *copy = malloc(n); /* exact: a read beyond it is seen */
  CHECK(copy != NULL || n == 0);
  if (n > 0) memcpy(copy, p, n);
  return copy;
}

/* Each call has what the last one left, and some more, in its own memory. */
static void decode(result *r, const char *in, size_t n, uint32_t seed) {
  smtp_dot_decoder d;
  size_t given = 0;
  smtp_dot_decoder_init(&d);
  r->n = r->used = 0;
  r->ended = 0;
  while (!r->ended && given < n) {
    size_t used, made;
    given += cut(&seed, n - given);
    size_t here = given - r->used;
    if (here == 0) continue;
    char *copy = copy_of(in + r->used, here);
    r->ended = smtp_dot_decode(&d, copy, here, &used, &made);
    CHECK(made <= used && used <= here);
    CHECK(r->ended || here - used <= 2);
    memcpy(r->p + r->n, copy, made);
    r->n += made;
    r->used += used;
    free(copy);
  }
  r->seen = d.seen;
}

static void check_decode(const char *in, size_t n, uint32_t seed) {
  result expected = {malloc(n + 1), 0, 0, 0, 0};
  result got = {malloc(n + 1), 0, 0, 0, 0};
  CHECK(expected.p != NULL && got.p != NULL);
  reference(&expected, in, n);
  decode(&got, in, n, seed);
  CHECK(got.ended == expected.ended && got.used == expected.used);
  CHECK(got.seen == expected.seen && got.n == expected.n);
  CHECK(memcmp(got.p, expected.p, got.n) == 0);
  free(expected.p);
  free(got.p);
}

static int encode(smtp_buf *out, unsigned mode, const char *in, size_t n,
                  uint32_t seed) {
  smtp_dot_encoder e;
  size_t given = 0;
  int rc = 0;
  smtp_dot_encoder_init(&e, mode);
  while (rc == 0 && given < n) {
    size_t here = cut(&seed, n - given);
    char *copy = copy_of(in + given, here);
    size_t before = smtp_buf_length(out);
    rc = smtp_dot_encode(&e, (smtp_slice){copy, here}, out);
    CHECK(rc == 0 || smtp_buf_length(out) == before);
    given += here;
    free(copy);
  }
  return rc < 0 ? rc : smtp_dot_finish(&e, out);
}

static void check_encode(const char *in, size_t n, unsigned mode,
                         uint32_t seed) {
  size_t room = 2 * n + 2, length;
  result got = {malloc(2 * room + 3), 0, 0, 0, 0};
  char *expected = malloc(room);
  smtp_buf out;
  CHECK(got.p != NULL && expected != NULL);
  smtp_buf_init(&out, smtp_mem_libc(), 2 * room + 3);
  length = mended(expected, in, n);
  if (encode(&out, mode, in, n, seed) != 0) {
    int clean = length >= n && memcmp(expected, in, n) == 0;
    CHECK(mode & SMTP_DOT_STRICT && (!clean || in[n - 1] == '\r'));
  } else {
    smtp_slice wire = smtp_buf_data(&out);
    CHECK(!(mode & SMTP_DOT_STRICT) || memcmp(expected, in, n) == 0);
    if (mode & SMTP_DOT_STUFF) {
      decode(&got, wire.p, wire.n, seed);
      CHECK(got.ended && got.used == wire.n);
      CHECK(!(got.seen & (SMTP_DOT_BARE_CR | SMTP_DOT_BARE_LF)));
      wire = (smtp_slice){got.p, got.n};
    }
    CHECK(wire.n == length && memcmp(wire.p, expected, length) == 0);
  }
  smtp_buf_clear(&out);
  free(expected);
  free(got.p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const char *text = (const char *)data + 2;
  if (size < 2) return 0;
  check_decode(text, size - 2, data[1]);
  check_encode(text, size - 2, data[0] & 3, data[1]);
  return 0;
}
