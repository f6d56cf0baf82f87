/* SPDX-License-Identifier: MIT */
/*
** sasl_gs2.c: the header of RFC 5801 section 4 that SCRAM and OAUTHBEARER
** begin with, and the escapes in its names. Only "=2C" and "=3D" are escapes,
** as RFC 5802 section 5.1 wants them: any other "=" is an error.
*/
#include <string.h>

#include "ascii.h"
#include "sasl_mechanism.h"

/* The bytes of in from *at up to a comma, which is passed over. */
static int part(smtp_slice in, size_t *at, smtp_slice *out) {
  const char *from = in.p + *at;
  const char *comma = memchr(from, ',', in.n - *at);
  if (comma == NULL) return SMTP_ESYNTAX;
  out->p = from;
  out->n = (size_t)(comma - from);
  *at += out->n + 1;
  return 0;
}

/* cb-name = 1*(ALPHA / DIGIT / "." / "-") */
static bool is_binding_name(smtp_slice name) {
  size_t i;
  for (i = 0; i < name.n; i++) {
    unsigned char c = (unsigned char)name.p[i];
    if (!smtp_ascii_is(c, SMTP_ALPHA | SMTP_DIGIT) && c != '.' && c != '-')
      return false;
  }
  return name.n > 0;
}

int smtp_sasl_gs2_parse(smtp_sasl_gs2 *gs2, smtp_slice in) {
  size_t at = 0;
  smtp_slice flag, authzid;

  memset(gs2, 0, sizeof(*gs2));
  gs2->binding = gs2->authzid = SMTP_LIT("");
  if (part(in, &at, &flag) != 0 || part(in, &at, &authzid) != 0 || flag.n == 0)
    return SMTP_ESYNTAX;
  gs2->n = at;
  gs2->flag = flag.p[0];
  if (gs2->flag == 'p') {
    if (flag.n < 2 || flag.p[1] != '=') return SMTP_ESYNTAX;
    gs2->binding = (smtp_slice){flag.p + 2, flag.n - 2};
    if (!is_binding_name(gs2->binding)) return SMTP_ESYNTAX;
  } else if (flag.n != 1 || (gs2->flag != 'n' && gs2->flag != 'y')) {
    return SMTP_ESYNTAX;
  }
  if (authzid.n == 0) return 0;
  if (authzid.n < 3 || authzid.p[0] != 'a' || authzid.p[1] != '=')
    return SMTP_ESYNTAX;
  gs2->authzid = (smtp_slice){authzid.p + 2, authzid.n - 2};
  return 0;
}

int smtp_sasl_escape(smtp_buf *b, smtp_slice name, smtp_slice *escaped) {
  size_t i, before = smtp_buf_length(b);
  int result = 0;
  for (i = 0; i < name.n && result == 0; i++) {
    if (name.p[i] == ',')
      result = smtp_buf_append(b, "=2C", 3);
    else if (name.p[i] == '=')
      result = smtp_buf_append(b, "=3D", 3);
    else
      result = smtp_buf_append(b, name.p + i, 1);
  }
  *escaped = smtp_buf_data(b);
  escaped->p += before;
  escaped->n -= before;
  return result;
}

/* The byte at text.p[*at], which an escape may stand for; -1: it is none. */
static int unescape_one(smtp_slice text, size_t *at) {
  char c = text.p[*at];
  const char *escape = text.p + *at + 1;
  (*at)++;
  if (c == ',' || c == 0) return -1;
  if (c != '=') return (unsigned char)c;
  if (text.n - *at < 2) return -1;
  *at += 2;
  if (escape[0] == '2' && escape[1] == 'C') return ',';
  if (escape[0] == '3' && escape[1] == 'D') return '=';
  return -1;
}

int smtp_sasl_unescape(smtp_buf *b, smtp_slice text, smtp_slice *name) {
  size_t at = 0, before = smtp_buf_length(b);
  int result = text.n > 0 ? 0 : SMTP_ESYNTAX;
  while (at < text.n && result == 0) {
    int c = unescape_one(text, &at);
    char byte = (char)c;
    result = c < 0 ? SMTP_ESYNTAX : smtp_buf_append(b, &byte, 1);
  }
  *name = smtp_buf_data(b);
  name->p += before;
  name->n -= before;
  return result;
}
