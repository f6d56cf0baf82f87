/* SPDX-License-Identifier: MIT */
/*
** sasl_plain.c: PLAIN (RFC 4616):
**   message = [authzid] UTF8NUL authcid UTF8NUL passwd
** in which authcid and passwd have at least one byte and none a NUL. An empty
** password is refused here, since some directories would take it for a wish to
** be anonymous and say yes.
*/
#include <string.h>

#include "sasl_mechanism.h"

#define NUL ((smtp_slice){"", 1})

static int client_first(smtp_sasl *s) {
  const smtp_sasl_client *c = &s->client;
  const smtp_slice parts[] = {c->authzid, NUL, c->user, NUL, c->password};
  int result;
  if (c->user.n == 0 || c->password.n == 0)
    return smtp_sasl_fail(s, SMTP_EINVALID, "a user or password is missing");
  if (smtp_sasl_has_nul(c->authzid) || smtp_sasl_has_nul(c->user) ||
      smtp_sasl_has_nul(c->password))
    return smtp_sasl_fail(s, SMTP_EINVALID, "PLAIN cannot carry NUL");
  result = smtp_sasl_join(&s->out, parts, sizeof(parts) / sizeof(parts[0]));
  return result < 0 ? result : 1;
}

static int client_next(smtp_sasl *s, smtp_slice in) {
  (void)in;
  return smtp_sasl_again(s, client_first);
}

static int server_next(smtp_sasl *s, smtp_slice in) {
  smtp_sasl_credentials *c = &s->credentials;
  const char *end, *first, *second;
  int result = smtp_sasl_join(&s->kept, &in, 1);
  if (result < 0) return result;
  in = smtp_buf_data(&s->kept);
  end = in.p + in.n;
  first = memchr(in.p, 0, in.n);
  second =
      first == NULL ? NULL : memchr(first + 1, 0, (size_t)(end - first - 1));
  if (second == NULL ||
      smtp_sasl_has_nul((smtp_slice){second + 1, (size_t)(end - second - 1)}))
    return smtp_sasl_fail(s, SMTP_ESYNTAX, "PLAIN has exactly two NULs");
  if (second == first + 1 || second + 1 == end)
    return smtp_sasl_fail(s, SMTP_ESYNTAX, "a user or password is missing");
  c->authzid = (smtp_slice){in.p, (size_t)(first - in.p)};
  c->user = (smtp_slice){first + 1, (size_t)(second - first - 1)};
  c->password = (smtp_slice){second + 1, (size_t)(end - second - 1)};
  return SMTP_SASL_DONE;
}

const smtp_sasl_side smtp_sasl_plain_client = {client_first, client_next, NULL,
                                               NULL};
const smtp_sasl_side smtp_sasl_plain_server = {NULL, server_next, NULL, NULL};
