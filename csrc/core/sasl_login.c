/* SPDX-License-Identifier: MIT */
/*
** sasl_login.c: LOGIN (draft-murchison-sasl-login-00): the server asks twice.
** A client answers the first question with the user and the second with the
** password whatever they say, since servers word them as they like.
*/
#include "sasl_mechanism.h"

static int client_first(smtp_sasl *s) {
  const smtp_sasl_client *c = &s->client;
  if (c->user.n == 0)
    return smtp_sasl_fail(s, SMTP_EINVALID, "a user is missing");
  if (smtp_sasl_has_nul(c->user) || smtp_sasl_has_nul(c->password))
    return smtp_sasl_fail(s, SMTP_EINVALID, "LOGIN cannot carry NUL");
  return 0;
}

static int client_next(smtp_sasl *s, smtp_slice in) {
  (void)in;
  switch (s->step++) {
  case 0: return smtp_sasl_join(&s->out, &s->client.user, 1);
  case 1: return smtp_sasl_join(&s->out, &s->client.password, 1);
  default:
    return smtp_sasl_fail(s, SMTP_ESYNTAX, "more questions than LOGIN has");
  }
}

static int ask(smtp_sasl *s, smtp_slice question) {
  return smtp_sasl_join(&s->out, &question, 1);
}

static int server_first(smtp_sasl *s) {
  int result = ask(s, SMTP_LIT("Username:"));
  return result < 0 ? result : 1;
}

static int server_next(smtp_sasl *s, smtp_slice in) {
  bool user = s->step++ == 0;
  smtp_buf *b = user ? &s->kept : &s->client_first;
  int result;
  if ((user && in.n == 0) || smtp_sasl_has_nul(in))
    return smtp_sasl_fail(s, SMTP_ESYNTAX, "not a user, or not a password");
  result = smtp_sasl_join(b, &in, 1);
  if (result < 0) return result;
  if (user) {
    s->credentials.user = smtp_buf_data(b);
    return ask(s, SMTP_LIT("Password:"));
  }
  s->credentials.password = smtp_buf_data(b);
  return SMTP_SASL_DONE;
}

const smtp_sasl_side smtp_sasl_login_client = {client_first, client_next, NULL,
                                               NULL};
const smtp_sasl_side smtp_sasl_login_server = {server_first, server_next, NULL,
                                               NULL};
