/* SPDX-License-Identifier: MIT */
/* client_input.h: the input of fuzz/client.c, read step by step. */
#ifndef SMTP_FUZZ_CLIENT_INPUT_H
#define SMTP_FUZZ_CLIENT_INPUT_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../csrc/core/smtp.h"

#define CHECK(condition) ((condition) ? (void)0 : abort())

/* The unread rest of the input. */
typedef struct input {
  const uint8_t *p;
  size_t n;
} input;

static inline unsigned take(input *in) {
  if (in->n == 0) return 0;
  in->n--;
  return *in->p++;
}

static inline smtp_slice take_text(input *in, size_t n) {
  smtp_slice text = {(const char *)in->p, n < in->n ? n : in->n};
  in->p += text.n;
  in->n -= text.n;
  return text;
}

/* An exact copy: the sanitizer sees a read beyond it, or after its free. */
static inline char *copy_of(smtp_slice s) {
  char *copy = malloc(s.n);
  CHECK(copy != NULL || s.n == 0);
  if (s.n > 0) memcpy(copy, s.p, s.n);
  return copy;
}

#endif
