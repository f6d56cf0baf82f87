/* SPDX-License-Identifier: MIT */
/*
** client_auth.c: AUTH on the client's side (RFC 4954): the initial response,
** an answer to each 334, and what a success is worth; and the passage from
** clear text to TLS (RFC 3207 section 4.2).
*/
#include "base64.h"
#include "client_state.h"

/* A command line with an initial response may not be longer (RFC 4954 section
** 4): then the server asks for it by an empty challenge. */
#define INITIAL_MAX 512

/* A secret, for who reads along. */
#define HIDDEN SMTP_LIT("***")

/* Room for all of it at once: a buffer that grows leaves copies behind. */
static int reserve(smtp_client *c, size_t bytes) {
  char *place;
  int r = smtp_client_due_reserve(c);
  return r != 0 ? r : smtp_buf_reserve(&c->io.out, bytes / 3 * 4 + 64, &place);
}

/* Queues base64 of bytes and CRLF, after what was put behind `before`. */
static int finish_line(smtp_client *c, smtp_slice bytes, size_t before) {
  int r = smtp_base64_format(&c->io.out, bytes);
  if (r == 0) r = smtp_buf_append(&c->io.out, "\r\n", 2);
  if (r != 0) {
    smtp_buf_truncate(&c->io.out, before);
    return r;
  }
  smtp_client_due_add(c, SMTP_CLIENT_AUTH, before);
  return 0;
}

static int put_auth(smtp_client *c, smtp_slice name, smtp_slice initial) {
  size_t before = smtp_buf_length(&c->io.out);
  smtp_slice none = {"", 0}, line;
  int r = smtp_buf_append_slice(&c->io.out, SMTP_LIT("AUTH "));
  if (r == 0) r = smtp_buf_append_slice(&c->io.out, name);
  if (r != 0) {
    smtp_buf_truncate(&c->io.out, before);
    return r;
  }
  line = smtp_buf_data(&c->io.out);
  line.p += before;
  line.n -= before;
  smtp_transcript_add(&c->transcript, 0, line, SMTP_LIT(" ***"));
  if (!c->auth.initial) {
    r = smtp_buf_append(&c->io.out, " =", initial.n == 0 ? 2 : 1);
    if (r != 0) return r;
  }
  return finish_line(c, c->auth.initial ? none : initial, before);
}

int smtp_client_auth(smtp_client *c, smtp_sasl *sasl) {
  smtp_slice name, initial;
  int first, r;
  if (c->failure.code != 0) return c->failure.code;
  if (c->due.n > 0 && c->state != ST_OVER) return SMTP_EBUSY;
  if (c->state != ST_READY || (c->config.tls && !c->io.secured))
    return SMTP_ESTATE;
  first = smtp_sasl_first(sasl);
  if (first < 0) return first;
  initial = smtp_sasl_output(sasl);
  name = smtp_sasl_name(smtp_sasl_mechanism_of(sasl));
  c->auth.initial = first == 0 || initial.n / 3 * 4 + name.n + 16 > INITIAL_MAX;
  r = reserve(c, initial.n + name.n);
  if (r == 0) r = put_auth(c, name, initial);
  if (r != 0) return r;
  c->auth.initial = c->auth.initial && first == 1;
  c->auth.sasl = sasl;
  c->auth.cancelled = c->auth.broken = false;
  c->auth.reason = "";
  c->due.group_ended = true;
  smtp_client_enter(c, MOVE_AUTH);
  return 0;
}

const char *smtp_client_auth_reason(const smtp_client *c) {
  return c->auth.reason == NULL ? "" : c->auth.reason;
}

bool smtp_client_auth_broken(const smtp_client *c) {
  return c->auth.broken;
}

/* The exchange is of no use any more: the server must be told. */
static int cancel(smtp_client *c, const char *reason, bool broken) {
  size_t before = smtp_buf_length(&c->io.out);
  int r = smtp_client_due_reserve(c);
  if (r == 0) r = smtp_buf_append(&c->io.out, "*\r\n", 3);
  if (r != 0) return r;
  smtp_client_due_add(c, SMTP_CLIENT_AUTH, before);
  smtp_transcript_add(&c->transcript, 0, HIDDEN, SMTP_LIT(""));
  c->auth.cancelled = true;
  c->auth.broken = broken;
  c->auth.reason = reason;
  return 0;
}

static int answer(smtp_client *c, smtp_slice bytes) {
  int r = reserve(c, bytes.n);
  if (r == 0) r = finish_line(c, bytes, smtp_buf_length(&c->io.out));
  if (r == 0) smtp_transcript_add(&c->transcript, 0, HIDDEN, SMTP_LIT(""));
  return r;
}

/* The decoded challenge. A challenge for people, such as LOGIN's, comes from
** some servers without base64, and is taken unchanged. */
static int read_challenge(smtp_client *c, smtp_buf *out) {
  smtp_slice text = smtp_reply_text(&c->at_hand.reply);
  int r = smtp_base64_parse(out, text);
  if (r != SMTP_ESYNTAX || !smtp_sasl_takes_words(c->auth.sasl)) return r;
  smtp_buf_truncate(out, 0);
  return smtp_buf_append_slice(out, text);
}

static int go_on(smtp_client *c, smtp_slice challenge) {
  int r;
  if (c->auth.initial) { /* asks for the response that was too long for AUTH */
    c->auth.initial = false;
    if (challenge.n > 0 && !smtp_sasl_takes_words(c->auth.sasl))
      return cancel(c, "the server's first challenge must be empty", true);
    return answer(c, smtp_sasl_output(c->auth.sasl));
  }
  r = smtp_sasl_next(c->auth.sasl, challenge);
  if (r == SMTP_SASL_CONTINUE) return answer(c, smtp_sasl_output(c->auth.sasl));
  if (r == SMTP_ENOMEM) return r;
  return cancel(c, smtp_sasl_reason(c->auth.sasl), r == SMTP_ESYNTAX);
}

static int challenged(smtp_client *c) {
  smtp_buf challenge;
  int r;
  if (c->auth.cancelled)
    return smtp_client_breach(c, "a challenge after AUTH was cancelled");
  smtp_buf_init(&challenge, c->mem, SMTP_REPLY_MAX);
  r = read_challenge(c, &challenge);
  if (r == SMTP_ESYNTAX)
    r = cancel(c, "the server's challenge is not base64", true);
  else if (r == 0)
    r = go_on(c, smtp_buf_data(&challenge));
  smtp_buf_clear(&challenge);
  return r;
}

int smtp_client_auth_reply(smtp_client *c) {
  bool success = c->at_hand.reply.code / 100 == 2, believed = true;
  if (c->at_hand.reply.code / 100 == 3) return challenged(c);
  if (success && c->auth.cancelled) {
    believed = false;
  } else if (success && !smtp_sasl_complete(c->auth.sasl)) {
    believed = false;
    c->auth.reason = "the server did not prove that it knows the password";
  }
  c->auth.sasl = NULL;
  smtp_buf_wipe(&c->io.out);
  smtp_client_enter(c, believed ? MOVE_AUTH_END : MOVE_UNPROVEN);
  return 0;
}

/* ---- TLS ------------------------------------------------------------- */

bool smtp_client_paused(const smtp_client *c) {
  return c->state == ST_TLS && c->due.n == 0;
}

int smtp_client_secured(smtp_client *c) {
  smtp_ehlo nothing = {0, 0};
  if (c->failure.code != 0) return c->failure.code;
  if (c->io.secured || (c->state != ST_GREETING && !smtp_client_paused(c)))
    return SMTP_ESTATE;
  c->io.secured = true;
  if (c->state == ST_GREETING) return 0;
  c->hello.offered = nothing;
  smtp_client_enter(c, MOVE_SECURED);
  return 0;
}
