/* SPDX-License-Identifier: MIT */
/*
** idn.c: libidn2 by dlopen. It gets one label at a time, since it refuses a
** whole name for an ASCII label (a hyphen in third place, a digit first) that
** this library accepts. The build does not need its header: the names here are
** those of all versions since 2.0 (2016).
*/
#include "feature.h"

#include "idn.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

#include "../core/ascii.h"
#include "../core/punycode.h"

/* Of idn2.h. */
#define NONTRANSITIONAL 8
#define OK 0
#define MALLOC (-100)
#define BIG_OUTPUT (-203)
#define TOO_BIG_DOMAIN (-205)
#define TOO_BIG_LABEL (-206)
#define DISALLOWED (-304)

/* A label before its mapping: letters may be decomposed, soft hyphens vanish.
** The algorithm of Punycode is quadratic, so there is a bound. */
#define LABEL_MAX 1024

static int (*to_ascii)(const char *input, char **output, int flags);
static void (*release)(void *output);

/* ISO C has no cast from void * to a function. */
static void look_up(void *library, const char *symbol, void *function) {
  void *found = dlsym(library, symbol);
  memcpy(function, &found, sizeof found);
}

static void load(void) {
  static const char *const names[] = {"libidn2.so.0", "libidn2.0.dylib",
                                      "libidn2.so"};
  void *library = NULL;
  for (size_t i = 0; !library && i < sizeof names / sizeof names[0]; i++)
    library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
  if (!library) return;
  look_up(library, "idn2_free", &release);
  if (release) look_up(library, "idn2_to_ascii_8z", &to_ascii);
}

static int result_of(int code, smtp_slice label) {
  switch (code) {
  case OK: return 0;
  case MALLOC: return SMTP_ENOMEM;
  case BIG_OUTPUT:
  case TOO_BIG_DOMAIN:
  case TOO_BIG_LABEL: return SMTP_ESYNTAX;
  case DISALLOWED:
    /* A symbol: no U-label has one, but registries sold such names, and the
    ** A-label of such a name is taken. */
    if (!smtp_ascii_eightbit(label)) return 0;
    return SMTP_EINVALID;
  default: return SMTP_EINVALID;
  }
}

/* The length of the library's string, up to one byte more than a label. */
static size_t length_of(const char *text) {
  size_t n = 0;
  while (n <= SMTP_LABEL_MAX && text[n]) n++;
  return n;
}

static int map(char *to, size_t *n, smtp_slice label) {
  char input[LABEL_MAX + 1], *made = NULL;
  if (label.n > LABEL_MAX) return SMTP_ESYNTAX;
  if (memchr(label.p, 0, label.n)) return SMTP_EINVALID;
  memcpy(input, label.p, label.n);
  input[label.n] = 0;
  int code = to_ascii(input, &made, NONTRANSITIONAL);
  int result = result_of(code, label);
  smtp_slice text = label;
  if (code == OK) text = (smtp_slice){made, length_of(made)};
  if (result == 0 && text.n > SMTP_LABEL_MAX) result = SMTP_ESYNTAX;
  if (result == 0) memcpy(to, text.p, *n = text.n);
  if (code == OK) release(made);
  return result;
}

int smtp_idn_domain(smtp_buf *out, smtp_slice domain, bool *own) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, load);
  *own = !to_ascii;
  return smtp_punycode_domain(out, domain, *own ? NULL : map);
}
