/* SPDX-License-Identifier: MIT */
/*
** fuzz/punycode.c: any bytes as a domain name. What is made of it must fit the
** limits of the DNS, be made again of itself, and be read back by the decoder
** of this file (RFC 3492 section 6.2) as the name that it was made of.
*/
#include <stdlib.h>
#include <string.h>

#include "../csrc/core/ascii.h"
#include "../csrc/core/punycode.h"

#define CHECK(condition) ((condition) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned digit(char c) {
  CHECK((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'));
  return c >= 'a' ? (unsigned)(c - 'a') : (unsigned)(c - '0') + 26;
}

static uint64_t adapt(uint64_t delta, uint64_t count, int first) {
  uint64_t k = 0;
  delta = first ? delta / 700 : delta / 2;
  delta += delta / count;
  while (delta > 455) {
    delta /= 35;
    k += 36;
  }
  return k + 36 * delta / (delta + 38);
}

/* Decodes what is behind "xn--" to at most 63 points; how many there are. */
static size_t decode(smtp_slice code, uint32_t points[SMTP_LABEL_MAX]) {
  size_t count = 0, at = 0;
  uint64_t n = 128, i = 0, bias = 72;
  for (size_t k = 0; k < code.n; k++)
    if (code.p[k] == '-') at = k;
  for (; count < at; count++) points[count] = (unsigned char)code.p[count];
  if (at > 0 || code.p[0] == '-') at++;
  while (at < code.n) {
    uint64_t before = i, weight = 1;
    for (uint64_t k = 36;; k += 36) {
      CHECK(at < code.n);
      unsigned value = digit(code.p[at++]);
      uint64_t t = k <= bias ? 1 : k >= bias + 26 ? 26 : k - bias;
      i += value * weight;
      CHECK(i < UINT64_C(1) << 32);
      if (value < t) break;
      weight *= 36 - t;
    }
    CHECK(count < SMTP_LABEL_MAX);
    bias = adapt(i - before, count + 1, before == 0 && n == 128);
    n += i / (count + 1);
    i %= count + 1;
    CHECK(n >= 128 && n <= 0x10ffff);
    memmove(points + i + 1, points + i, (count - i) * sizeof *points);
    points[i++] = (uint32_t)n;
    count++;
  }
  return count;
}

static size_t write_utf8(char *to, uint32_t c) {
  size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
  static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
  for (size_t i = n; i-- > 1; c >>= 6) to[i] = (char)(0x80 | (c & 0x3f));
  to[0] = (char)(lead[n] | c);
  return n;
}

/* The label that was given must be the one that was made, decoded. */
static void check_label(smtp_slice given, smtp_slice made) {
  char text[4 * SMTP_LABEL_MAX];
  uint32_t points[SMTP_LABEL_MAX];
  size_t n = 0;
  CHECK(made.n > 0 && made.n <= SMTP_LABEL_MAX && !smtp_ascii_eightbit(made));
  if (smtp_ascii_eightbit(given)) {
    CHECK(made.n > 4 && memcmp(made.p, "xn--", 4) == 0);
    size_t count = decode((smtp_slice){made.p + 4, made.n - 4}, points);
    for (size_t i = 0; i < count; i++) n += write_utf8(text + n, points[i]);
    made.p = text;
    made.n = n;
  }
  CHECK(smtp_ascii_equal(given, made));
  for (size_t i = 0; i < made.n; i++) CHECK(made.p[i] < 'A' || made.p[i] > 'Z');
}

/* The length of what text begins with, if that parts labels. */
static size_t dot_of(smtp_slice text) {
  static const char *const dots[] = {".", "\xe3\x80\x82", "\xef\xbc\x8e",
                                     "\xef\xbd\xa1"};
  for (size_t i = 0; i < sizeof dots / sizeof dots[0]; i++) {
    size_t n = strlen(dots[i]);
    if (text.n >= n && memcmp(text.p, dots[i], n) == 0) return n;
  }
  return 0;
}

static smtp_slice next_label(smtp_slice *rest) {
  smtp_slice label = {rest->p, 0};
  size_t dot = 0;
  while (rest->n > 0 && (dot = dot_of(*rest)) == 0) {
    label.n++;
    rest->p++;
    rest->n--;
  }
  rest->p += dot;
  rest->n -= dot;
  return label;
}

static void check_name(smtp_slice given, smtp_slice made) {
  smtp_buf again;
  smtp_buf_init(&again, smtp_mem_libc(), SMTP_NAME_MAX);
  CHECK(made.n > 0 && made.n <= SMTP_NAME_MAX && made.p[made.n - 1] != '.');
  CHECK(smtp_punycode_domain(&again, made, NULL) == 0);
  smtp_slice same = smtp_buf_data(&again);
  CHECK(same.n == made.n && memcmp(same.p, made.p, made.n) == 0);
  while (made.n > 0) check_label(next_label(&given), next_label(&made));
  CHECK(given.n == 0);
  smtp_buf_clear(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *copy = malloc(size); /* exact: a read beyond it is seen */
  smtp_buf out;
  if (copy == NULL && size > 0) return 0;
  if (size > 0) memcpy(copy, data, size);
  smtp_slice in = {copy, size};
  smtp_buf_init(&out, smtp_mem_libc(), SMTP_NAME_MAX);
  int result = smtp_punycode_domain(&out, in, NULL);
  if (result == 0) {
    check_name(in, smtp_buf_data(&out));
  } else {
    CHECK(result == SMTP_ESYNTAX || result == SMTP_EINVALID);
    CHECK(smtp_buf_length(&out) == 0);
  }
  if (!smtp_utf8_valid(in)) CHECK(result == SMTP_ESYNTAX);
  smtp_buf_clear(&out);
  free(copy);
  return 0;
}
