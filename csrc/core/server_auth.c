/* SPDX-License-Identifier: MIT */
/*
** server_auth.c: STARTTLS (RFC 3207) and AUTH (RFC 4954) on the server's side.
** An exchange is a SASL machine that lives from AUTH to the verdict; between
** two responses the session is in ST_AUTH, where no line is a command.
*/
#include <string.h>

#include "ascii.h"
#include "base64.h"
#include "server_state.h"

/* ---- TLS ------------------------------------------------------------- */

int smtp_server_starttls(smtp_server *s, const smtp_command *c,
                         smtp_server_event *event) {
  size_t before = smtp_buf_length(&s->out);
  int r;
  (void)event; /* it comes when the 220 is written */
  if (s->peer.secured) return smtp_server_answer(s, SMTP_S_SEQUENCE);
  if (c->args.n > 0) return smtp_server_answer(s, SMTP_S_NO_ARGUMENT);
  r = smtp_server_answer(s, SMTP_S_STARTTLS);
  if (r != 0) return r;
  s->starttls.before = before;
  smtp_server_abandon(s);
  smtp_server_enter(s, MOVE_STARTTLS);
  return 0;
}

/* Copies what fits; a part of it would be worth nothing. */
static size_t keep(char *to, smtp_slice from) {
  if (from.n > SECURED_MAX) return 0;
  if (from.n > 0) memcpy(to, from.p, from.n);
  return from.n;
}

int smtp_server_secured(smtp_server *s, const smtp_sasl_binding *binding,
                        smtp_slice name) {
  struct secured *tls;
  if (s->error != 0) return s->error;
  if (s->peer.secured || (s->state != ST_CONNECT && !smtp_server_paused(s)))
    return SMTP_ESTATE;
  tls = s->tls = smtp_mem_new(s->mem, sizeof *tls);
  if (tls == NULL) return s->error = SMTP_ENOMEM;
  tls->exporter_n = keep(tls->exporter, binding->exporter);
  tls->endpoint_n = keep(tls->endpoint, binding->endpoint);
  tls->name_n = keep(tls->name, name);
  s->peer.secured = true;
  s->active = s->now;
  if (s->state == ST_CONNECT) return 0;
  smtp_server_enter(s, MOVE_SECURED);
  s->peer.esmtp = s->peer.authenticated = false;
  return 0;
}

/* ---- AUTH ------------------------------------------------------------ */

void smtp_server_auth_end(smtp_server *s) {
  smtp_sasl_free(s->auth.sasl);
  s->auth.sasl = NULL;
  s->auth.refusing = s->due.judge = false;
  smtp_buf_wipe(&s->in);
  smtp_server_enter(s, MOVE_AUTH_END);
}

static smtp_sasl *new_sasl(smtp_server *s, unsigned mechanism) {
  const smtp_server_config *c = s->config;
  smtp_sasl_server config = {.hostname = c->hostname,
                             .secret = c->secret,
                             .iterations = c->iterations};
  config.plus = (smtp_server_mechanisms(s) & SMTP_SASL_PLUS) != 0;
  if (s->tls != NULL) {
    config.binding.exporter =
        (smtp_slice){s->tls->exporter, s->tls->exporter_n};
    config.binding.endpoint =
        (smtp_slice){s->tls->endpoint, s->tls->endpoint_n};
    config.certificate = (smtp_slice){s->tls->name, s->tls->name_n};
  }
  return smtp_sasl_server_new(s->mem, c->crypto, mechanism, &config);
}

static int fail(smtp_server *s, smtp_situation why) {
  smtp_server_auth_end(s);
  return smtp_server_answer(s, why);
}

bool smtp_server_auth_failed(smtp_server *s) {
  s->due.auth_failed = s->config->failures;
  return ++s->auth.failures >= SMTP_AUTH_FAILURES;
}

/* Refuses credentials that the mechanism itself has judged wrong. */
static int refuse(smtp_server *s) {
  bool last = smtp_server_auth_failed(s);
  return fail(s, last ? SMTP_S_AUTH_FAILURES : SMTP_S_NO_AUTH);
}

static int ask(smtp_server *s, smtp_server_event *event,
               smtp_server_event_type type) {
  event->type = s->asked = type;
  event->verb = smtp_sasl_name(smtp_sasl_mechanism_of(s->auth.sasl));
  event->credentials = smtp_sasl_credentials_of(s->auth.sasl);
  return 1;
}

int smtp_server_judge(smtp_server *s, smtp_server_event *event) {
  return ask(s, event, SMTP_SERVER_AUTH);
}

/* Acts on the result of a step of the mechanism; as smtp_server_line. */
static int follow(smtp_server *s, smtp_server_event *event, int result) {
  switch (result) {
  case SMTP_SASL_CONTINUE:
    return smtp_server_challenge(s, smtp_sasl_output(s->auth.sasl));
  case SMTP_SASL_LOOKUP: return ask(s, event, SMTP_SERVER_LOOKUP);
  case SMTP_SASL_DONE: return smtp_server_judge(s, event);
  case SMTP_ESYNTAX: return fail(s, SMTP_S_BASE64);
  case SMTP_EAUTH: return refuse(s);
  case SMTP_ENOMEM: return result;
  default: return fail(s, SMTP_S_NOT_AUTH);
  }
}

/* A response in base64. */
static int respond(smtp_server *s, smtp_slice text, smtp_server_event *event) {
  smtp_buf bytes;
  char *place;
  int r;
  smtp_buf_init(&bytes, s->mem, SMTP_AUTH_LINE_MAX);
  r = smtp_buf_reserve(&bytes, text.n / 4 * 3 + 3, &place);
  if (r == 0) r = smtp_base64_parse(&bytes, text);
  if (r == 0) r = smtp_sasl_next(s->auth.sasl, smtp_buf_data(&bytes));
  smtp_buf_consume(&bytes, smtp_buf_length(&bytes));
  smtp_buf_wipe(&bytes);
  smtp_buf_clear(&bytes);
  if (r == SMTP_ETOOBIG) return fail(s, SMTP_S_AUTH_LENGTH);
  return follow(s, event, r);
}

int smtp_server_auth(smtp_server *s, const smtp_command *c,
                     smtp_server_event *event) {
  smtp_slice name = c->args, initial = {"", 0};
  unsigned mechanism;
  bool lenient = !s->config->strict;
  size_t n = 0;
  int first;
  if (!s->peer.esmtp || s->peer.authenticated)
    return smtp_server_answer(s, SMTP_S_SEQUENCE);
  if (!s->peer.secured && !s->config->auth_cleartext)
    return smtp_server_answer(s, SMTP_S_CLEARTEXT);
  while (n < name.n && !smtp_ascii_blank(name.p[n], lenient)) n++;
  if (n == 0) return smtp_server_answer(s, SMTP_S_SYNTAX);
  if (n < name.n) initial = (smtp_slice){name.p + n + 1, name.n - n - 1};
  if (lenient) initial = smtp_ascii_skip_blanks(initial, true);
  name.n = n;
  mechanism = smtp_sasl_mechanism(name);
  if ((mechanism & smtp_server_mechanisms(s)) == 0)
    return smtp_server_answer(s, SMTP_S_MECHANISM);
  s->auth.sasl = new_sasl(s, mechanism);
  if (s->auth.sasl == NULL) return SMTP_ENOMEM;
  smtp_server_enter(s, MOVE_AUTH);
  if (initial.n > 0) { /* "=" is an empty one (RFC 4954 section 4) */
    if (initial.n == 1 && initial.p[0] == '=') initial.n = 0;
    return respond(s, initial, event);
  }
  first = smtp_sasl_first(s->auth.sasl);
  return follow(s, event, first < 0 ? first : SMTP_SASL_CONTINUE);
}

int smtp_server_response(smtp_server *s, smtp_slice line,
                         smtp_server_event *event) {
  if (!s->config->strict) {
    line = smtp_ascii_skip_blanks(line, true);
    while (line.n > 0 && smtp_ascii_blank(line.p[line.n - 1], true)) line.n--;
  }
  if (line.n == 1 && line.p[0] == '*') return fail(s, SMTP_S_CANCELLED);
  return respond(s, line, event);
}

int smtp_server_lookup(smtp_server *s, const smtp_sasl_keys *keys) {
  int r;
  if (s->error != 0) return s->error;
  if (s->asked != SMTP_SERVER_LOOKUP) return SMTP_ESTATE;
  s->asked = SMTP_SERVER_NONE;
  s->active = s->now;
  if (s->state == ST_CLOSED) return 0;
  r = keys == NULL ? SMTP_ECRYPTO : smtp_sasl_lookup(s->auth.sasl, keys);
  if (r == SMTP_SASL_LOOKUP) r = SMTP_ECRYPTO; /* once is enough */
  s->due.judge = r == SMTP_SASL_DONE;          /* the next event */
  if (!s->due.judge) r = follow(s, NULL, r);
  return r < 0 ? s->error = r : 0;
}

int smtp_server_auth_refused(smtp_server *s, smtp_verdict verdict, int code,
                             smtp_slice text) {
  int r;
  if (s->auth.refusing || s->auth.sasl == NULL) return 0;
  r = smtp_sasl_refuse(s->auth.sasl);
  if (r != SMTP_SASL_CONTINUE) return r < 0 ? r : 0;
  s->auth.kept.verdict = verdict;
  s->auth.kept.code = code;
  smtp_buf_truncate(&s->auth.kept.text, 0);
  r = smtp_buf_append_slice(&s->auth.kept.text, text);
  if (r == SMTP_ETOOBIG)
    s->auth.kept.code = 0; /* it could not be sent either */
  if (r == SMTP_ENOMEM) return r;
  r = smtp_server_challenge(s, smtp_sasl_output(s->auth.sasl));
  if (r != 0) return r;
  s->auth.refusing = true;
  s->asked = SMTP_SERVER_NONE;
  s->active = s->now;
  return 1;
}
