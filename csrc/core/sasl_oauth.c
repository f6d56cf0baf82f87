/* SPDX-License-Identifier: MIT */
/*
** sasl_oauth.c: bearer tokens in OAUTHBEARER (RFC 7628) and XOAUTH2 (Google's,
** without an RFC), ^A being the byte 1:
**   OAUTHBEARER  gs2-header ^A *( key "=" value ^A ) ^A
**   XOAUTH2      "user=" user ^A "auth=Bearer " token ^A ^A
** A refusal comes as a challenge with JSON. The client answers that with ^A or
** with nothing, and only then the server says no; whoever goes on to say yes
** after it is not believed.
*/
#include <string.h>

#include "ascii.h"
#include "sasl_mechanism.h"

#define SEPARATOR '\1'

/* ---- client ---- */

static int check(smtp_sasl *s) {
  const smtp_sasl_client *c = &s->client;
  size_t i;
  for (i = 0; i < c->password.n; i++)
    if ((unsigned char)c->password.p[i] <= ' ' ||
        (unsigned char)c->password.p[i] > '~')
      return smtp_sasl_fail(s, SMTP_EINVALID, "not a bearer token");
  if (c->password.n == 0)
    return smtp_sasl_fail(s, SMTP_EINVALID, "a token is missing");
  if (smtp_sasl_has_control(c->user) || smtp_sasl_has_control(c->host))
    return smtp_sasl_fail(s, SMTP_EINVALID, "a control in a name");
  return 0;
}

static int xoauth2_first(smtp_sasl *s) {
  const smtp_slice parts[] = {SMTP_LIT("user="), s->client.user,
                              SMTP_LIT("\1auth=Bearer "), s->client.password,
                              SMTP_LIT("\1\1")};
  int result = check(s);
  if (result < 0) return result;
  if (s->client.user.n == 0)
    return smtp_sasl_fail(s, SMTP_EINVALID, "a user is missing");
  result = smtp_sasl_join(&s->out, parts, sizeof(parts) / sizeof(parts[0]));
  return result < 0 ? result : 1;
}

/* The parts of the message that may be missing are left out one by one. */
static int format_bearer(smtp_sasl *s) {
  const smtp_sasl_client *c = &s->client;
  smtp_buf *b = &s->out;
  smtp_slice escaped;
  int result =
      smtp_sasl_room(b, 3 * c->user.n + c->host.n + c->password.n + 64);
  if (result == 0) result = smtp_buf_append(b, "n,", 2);
  if (c->user.n > 0) {
    if (result == 0) result = smtp_buf_append(b, "a=", 2);
    if (result == 0) result = smtp_sasl_escape(b, c->user, &escaped);
  }
  if (result == 0) result = smtp_buf_append(b, ",", 1);
  if (c->host.n > 0) {
    if (result == 0) result = smtp_buf_append(b, "\1host=", 6);
    if (result == 0) result = smtp_buf_append_slice(b, c->host);
  }
  if (c->port > 0) {
    if (result == 0) result = smtp_buf_append(b, "\1port=", 6);
    if (result == 0) result = smtp_buf_append_number(b, c->port);
  }
  if (result == 0)
    result = smtp_buf_append_slice(b, SMTP_LIT("\1auth=Bearer "));
  if (result == 0) result = smtp_buf_append_slice(b, c->password);
  if (result == 0) result = smtp_buf_append(b, "\1\1", 2);
  return result;
}

static int bearer_first(smtp_sasl *s) {
  int result = check(s);
  if (result == 0) result = format_bearer(s);
  return result < 0 ? result : 1;
}

/* A refusal is JSON (RFC 7628 section 3.2.2), which is an object. */
static bool is_problem(smtp_slice in) {
  in = smtp_ascii_skip_blanks(in, true);
  return in.n > 0 && in.p[0] == '{';
}

/* The answer to a refusal is ^A (RFC 7628 section 3.2.3), in XOAUTH2 an empty
** line. A server that asks once more has ignored the initial response. */
static int client_next(smtp_sasl *s, smtp_slice in) {
  bool bearer = s->mechanism == SMTP_SASL_OAUTHBEARER;
  smtp_slice answer = {"\1", bearer ? 1 : 0};
  int result;
  if (!s->complete)
    return smtp_sasl_fail(s, SMTP_ESYNTAX, "a challenge after the refusal");
  if (!is_problem(in) && s->step == 0)
    return smtp_sasl_again(s, bearer ? bearer_first : xoauth2_first);
  s->complete = false;
  s->reason = "the server refuses the token";
  result = smtp_sasl_join(&s->server_first, &in, 1);
  if (result == 0) result = smtp_sasl_join(&s->out, &answer, 1);
  return result;
}

/* ---- server ---- */

/* The bytes before the next ^A of rest, and what follows it. */
static bool take(smtp_slice *rest, smtp_slice *field) {
  const char *end = memchr(rest->p, SEPARATOR, rest->n);
  if (end == NULL) return false;
  field->p = rest->p;
  field->n = (size_t)(end - rest->p);
  rest->p += field->n + 1;
  rest->n -= field->n + 1;
  return true;
}

/* Parts "key=value"; a key is of letters, a value has no controls but those
** of white space (RFC 7628 section 3.1). */
static bool split(smtp_slice field, smtp_slice *key, smtp_slice *value) {
  size_t i, n = 0;
  while (n < field.n && smtp_ascii_is((unsigned char)field.p[n], SMTP_ALPHA))
    n++;
  if (n == 0 || n == field.n || field.p[n] != '=') return false;
  *key = (smtp_slice){field.p, n};
  *value = (smtp_slice){field.p + n + 1, field.n - n - 1};
  for (i = 0; i < value->n; i++) {
    unsigned char c = (unsigned char)value->p[i];
    if (smtp_ascii_is(c, SMTP_CONTROL) && c != '\t' && c != '\r' && c != '\n')
      return false;
  }
  return true;
}

/* "Bearer SP token", the scheme in any case. */
static bool parse_token(smtp_slice value, smtp_slice *token) {
  const smtp_slice scheme = SMTP_LIT("Bearer");
  size_t i;
  if (value.n < scheme.n + 2 || value.p[scheme.n] != ' ' ||
      !smtp_ascii_equal((smtp_slice){value.p, scheme.n}, scheme))
    return false;
  *token = (smtp_slice){value.p + scheme.n + 1, value.n - scheme.n - 1};
  for (i = 0; i < token->n; i++)
    if (token->p[i] <= ' ' || token->p[i] > '~') return false;
  return true;
}

/* All fields of rest up to the ^A that ends them: one has the token. With
** XOAUTH2 one has the user. */
static bool parse_fields(smtp_slice rest, smtp_slice *user, smtp_slice *token) {
  smtp_slice field, key, value;
  while (take(&rest, &field)) {
    if (field.n == 0) return rest.n == 0 && token->n > 0;
    if (!split(field, &key, &value)) return false;
    if (smtp_sasl_same(key, SMTP_LIT("auth"))) {
      if (token->n > 0 || !parse_token(value, token)) return false;
    } else if (user != NULL && smtp_sasl_same(key, SMTP_LIT("user"))) {
      if (user->n > 0 || value.n == 0) return false;
      *user = value;
    }
  }
  return false;
}

static int not_ours(smtp_sasl *s) {
  return smtp_sasl_fail(s, SMTP_ESYNTAX, "not a message with a bearer token");
}

static int xoauth2_next(smtp_sasl *s, smtp_slice in) {
  smtp_sasl_credentials *c = &s->credentials;
  int result = smtp_sasl_join(&s->kept, &in, 1);
  if (result < 0) return result;
  if (!parse_fields(smtp_buf_data(&s->kept), &c->user, &c->token) ||
      c->user.n == 0)
    return not_ours(s);
  return SMTP_SASL_DONE;
}

static int bearer_next(smtp_sasl *s, smtp_slice in) {
  smtp_sasl_credentials *c = &s->credentials;
  smtp_sasl_gs2 gs2;
  smtp_slice rest, token = {"", 0};
  int result;
  if (smtp_sasl_gs2_parse(&gs2, in) != 0 || gs2.flag == 'p' || gs2.n == in.n ||
      in.p[gs2.n] != SEPARATOR)
    return not_ours(s);
  rest = (smtp_slice){in.p + gs2.n + 1, in.n - gs2.n - 1};
  if (!parse_fields(rest, NULL, &token)) return not_ours(s);
  result = smtp_sasl_room(&s->kept, gs2.authzid.n + token.n);
  if (result == 0 && gs2.authzid.n > 0)
    result = smtp_sasl_unescape(&s->kept, gs2.authzid, &c->user);
  if (result == SMTP_ESYNTAX) return not_ours(s);
  if (result == 0) result = smtp_buf_append_slice(&s->kept, token);
  if (result < 0) return result;
  token = smtp_buf_data(&s->kept);
  c->token = (smtp_slice){token.p + c->user.n, token.n - c->user.n};
  return SMTP_SASL_DONE;
}

static int refuse(smtp_sasl *s) {
  smtp_slice problem = SMTP_LIT("{\"status\":\"400\",\"schemes\":\"Bearer\"}");
  if (s->mechanism == SMTP_SASL_OAUTHBEARER)
    problem = SMTP_LIT("{\"status\":\"invalid_token\"}");
  return smtp_sasl_join(&s->out, &problem, 1);
}

const smtp_sasl_side smtp_sasl_xoauth2_client = {xoauth2_first, client_next,
                                                 NULL, NULL};
const smtp_sasl_side smtp_sasl_xoauth2_server = {NULL, xoauth2_next, NULL,
                                                 refuse};
const smtp_sasl_side smtp_sasl_oauthbearer_client = {bearer_first, client_next,
                                                     NULL, NULL};
const smtp_sasl_side smtp_sasl_oauthbearer_server = {NULL, bearer_next, NULL,
                                                     refuse};
