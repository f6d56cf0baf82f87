/* SPDX-License-Identifier: MIT */
/* text.c: see text.h. */
#include "text.h"

#include <stdlib.h>
#include <string.h>

/* The bytes that a slice owns it may also free. */
typedef union owned {
  const char *in;
  char *p;
} owned;

void smtp_text_clear(smtp_slice *place) {
  owned bytes;
  bytes.in = place->p;
  free(bytes.p);
  *place = (smtp_slice){NULL, 0};
}

int smtp_text_set(smtp_slice *place, smtp_slice text) {
  char *copy = malloc(text.n + 1);
  if (copy == NULL) return SMTP_ENOMEM;
  if (text.n > 0) memcpy(copy, text.p, text.n);
  copy[text.n] = '\0';
  smtp_text_clear(place);
  *place = (smtp_slice){copy, text.n};
  return 0;
}

smtp_slice smtp_text_of(const char *text) {
  smtp_slice s = {text, 0};
  while (text[s.n] != '\0') s.n++;
  return s;
}
