/* SPDX-License-Identifier: MIT */
/*
** server_reply.c: makes the reply of a verdict or a situation, in one place for
** every driver. A text of a handler is never trusted: a forbidden one becomes
** 451 4.3.0.
*/
#include "ascii.h"
#include "base64.h"
#include "ehlo.h"
#include "reply.h"
#include "server_state.h"

/* After so many errors each further one waits this long, in seconds. */
#define ERROR_DELAY 1.0
#define ERRORS_FREE(limit) ((limit) / 4)

/* Notes for the trace what was just appended behind the first from bytes. */
static int note(smtp_server *s, size_t from) {
  smtp_slice out = smtp_buf_data(&s->out);
  if (!s->config->trace) return 0;
  return smtp_buf_append(&s->facts, out.p + from, out.n - from);
}

/* Appends a reply. */
static int put(smtp_server *s, int code, smtp_status status, smtp_slice text) {
  size_t from = smtp_buf_length(&s->out);
  int r = smtp_reply_format(&s->out, code, status, text);
  if (r != 0) return r;
  return note(s, from);
}

/* Appends a reply that is always the same. */
static int put_default(smtp_server *s, const smtp_default *d) {
  size_t from = smtp_buf_length(&s->out);
  int r = smtp_buf_append_slice(&s->out, d->line);
  return r != 0 ? r : note(s, from);
}

static smtp_slice text_of(const smtp_default *d) {
  size_t n = 0;
  while (d->text[n] != '\0') n++;
  return (smtp_slice){d->text, n};
}

/* The peer's own errors are counted, and slow it down. */
static bool is_error(smtp_situation situation) {
  return situation >= SMTP_S_UNKNOWN && situation <= SMTP_S_PIPELINING;
}

static bool closes(smtp_situation situation) {
  return situation == SMTP_S_QUIT || situation == SMTP_S_BARE_LF ||
         situation == SMTP_S_BAD_CHUNK || situation == SMTP_S_EARLY ||
         situation == SMTP_S_PIPELINING;
}

int smtp_server_answer(smtp_server *s, smtp_situation situation) {
  const smtp_default *d;
  int r;
  if (is_error(situation) && !closes(situation)) {
    size_t limit = s->config->limits.errors;
    if (++s->count.errors > limit)
      situation = SMTP_S_ERRORS;
    else if (s->count.errors > ERRORS_FREE(limit))
      s->hold = s->now + ERROR_DELAY;
  }
  d = smtp_status_of(situation);
  r = put_default(s, d);
  if (r != 0) return r;
  if (closes(situation) || d->code == 421) smtp_server_enter(s, MOVE_CLOSE);
  if (s->state == ST_CLOSED) s->why = situation;
  return 0;
}

/* ---- verdicts -------------------------------------------------------- */

/* The situations of each step: accepted and refused. */
static const struct {
  smtp_situation ok, no;
} stages[] = {
    [SMTP_SERVER_CONNECT] = {SMTP_S_GREETING, SMTP_S_NO_CONNECT},
    [SMTP_SERVER_HELO] = {SMTP_S_HELO, SMTP_S_NO_HELO},
    [SMTP_SERVER_MAIL] = {SMTP_S_MAIL, SMTP_S_NO_MAIL},
    [SMTP_SERVER_RCPT] = {SMTP_S_RCPT, SMTP_S_NO_RCPT},
    [SMTP_SERVER_DATA] = {SMTP_S_DATA, SMTP_S_NO_DATA},
    [SMTP_SERVER_MESSAGE] = {SMTP_S_MESSAGE, SMTP_S_NO_MESSAGE},
    [SMTP_SERVER_VRFY] = {SMTP_S_VRFY, SMTP_S_NO_VRFY},
    [SMTP_SERVER_AUTH] = {SMTP_S_AUTH, SMTP_S_NO_AUTH},
    [SMTP_SERVER_COMMAND] = {SMTP_S_COMMAND, SMTP_S_NO_COMMAND},
    [SMTP_SERVER_CHUNK] = {SMTP_S_CHUNK, SMTP_S_NO_MESSAGE},
    [SMTP_SERVER_VERB] = {SMTP_S_COMMAND, SMTP_S_NO_COMMAND},
};

/* The situation of a verdict without a reply of its own. */
static smtp_situation situation_of(smtp_server_event_type stage,
                                   smtp_verdict verdict) {
  switch (verdict) {
  case SMTP_VERDICT_REFUSE: return stages[stage].no;
  case SMTP_VERDICT_FAIL: /* RFC 4954 section 6 has a code of its own */
    return stage == SMTP_SERVER_AUTH ? SMTP_S_NOT_AUTH : SMTP_S_FAILED;
  case SMTP_VERDICT_NOTHING:
    if (stage == SMTP_SERVER_RCPT) return SMTP_S_NO_RCPT;
    if (stage == SMTP_SERVER_MESSAGE) return SMTP_S_NOT_TAKEN;
    if (stage == SMTP_SERVER_COMMAND) return SMTP_S_FAILED;
    if (stage == SMTP_SERVER_AUTH) return SMTP_S_NO_AUTH;
    break;
  default: break;
  }
  return stages[stage].ok;
}

static int put_ehlo(smtp_server *s) {
  size_t from = smtp_buf_length(&s->out);
  int r = smtp_server_offer(s, &s->out);
  return r != 0 ? r : note(s, from);
}

int smtp_server_challenge(smtp_server *s, smtp_slice bytes) {
  size_t from = smtp_buf_length(&s->out);
  int r = smtp_buf_append(&s->out, "334 ", 4);
  if (r == 0) r = smtp_base64_format(&s->out, bytes);
  if (r == 0) r = smtp_buf_append(&s->out, "\r\n", 2);
  return r != 0 ? r : note(s, from);
}

static bool is_named(smtp_situation situation) {
  return situation == SMTP_S_GREETING || situation == SMTP_S_HELO;
}

/* Greeting, HELO's reply and QUIT's begin with our name (RFC 5321 section
** 4.2); text may be empty. */
static int put_named(smtp_server *s, int code, smtp_status status,
                     smtp_slice text) {
  smtp_buf line;
  int r;
  smtp_buf_init(&line, s->mem, SMTP_REPLY_MAX);
  r = smtp_buf_append_slice(&line, s->config->hostname);
  if (r == 0 && text.n > 0) r = smtp_buf_append(&line, " ", 1);
  if (r == 0) r = smtp_buf_append_slice(&line, text);
  if (r == 0) r = put(s, code, status, smtp_buf_data(&line));
  smtp_buf_clear(&line);
  return r;
}

/* A step that was accepted, with the default text if there is none. */
static int put_ok(smtp_server *s, smtp_situation ok, int code,
                  smtp_status status, smtp_slice text) {
  const smtp_default *d = smtp_status_of(ok);
  if (ok == SMTP_S_HELO && s->peer.greets_esmtp) return put_ehlo(s);
  if (text.n == 0 && ok == SMTP_S_GREETING)
    text = s->config->greeting;
  else if (text.n == 0 && ok != SMTP_S_HELO)
    text = text_of(d);
  if (is_named(ok)) return put_named(s, code, status, text);
  return put(s, code, status, text);
}

/* The code that a stage can send in place of the wanted one. */
static int code_at(smtp_server_event_type stage, int code) {
  if (stage == SMTP_SERVER_CONNECT && code >= 400)
    return code < 500 ? 421 : 554;
  if (stage == SMTP_SERVER_CONNECT && code < 300) return 220;
  if (stage == SMTP_SERVER_DATA && code < 400) return 354;
  if (stage == SMTP_SERVER_HELO && code < 400) return 250;
  if (stage == SMTP_SERVER_AUTH && code < 400) return 235;
  return code;
}

/* Reply-code = %x32-35 %x30-35 %x30-39, and none that asks for more. */
static bool may_send(smtp_server_event_type stage, int code) {
  if (stage == SMTP_SERVER_DATA && code == 354) return true;
  return (code >= 200 && code < 260) || (code >= 400 && code < 460) ||
         (code >= 500 && code < 560);
}

/* A reply of the handler's own: text with or without an enhanced code, for
** which usual (class_ 0: there is none) stands then. */
static int put_own(smtp_server *s, smtp_server_event_type stage, int code,
                   smtp_slice text, smtp_status usual) {
  smtp_situation ok = stages[stage].ok;
  smtp_status status = {0, 0, 0};
  size_t used = 0;
  if (!may_send(stage, code)) return SMTP_EINVALID;
  if (smtp_status_parse(&status, text, &used) &&
      status.class_ == (unsigned)code / 100)
    text = (smtp_slice){text.p + used, text.n - used};
  else
    status.class_ = 0;
  code = code_at(stage, code);
  if (status.class_ == 0 || smtp_status_for(ok, code).class_ == 0)
    status = usual.class_ != 0 && smtp_status_for(ok, code).class_ != 0
                 ? usual
                 : smtp_status_for(ok, code);
  if (code < 400) return put_ok(s, ok, code, status, text);
  if (text.n == 0) text = text_of(smtp_status_of(stages[stage].no));
  return put(s, code, status, text);
}

/* Appends text with a "?" for each character that is not ASCII. */
static int put_ascii(smtp_buf *out, smtp_slice text) {
  size_t i, from = 0;
  int r = 0;
  for (i = 0; r == 0 && i < text.n; i++) {
    unsigned char c = (unsigned char)text.p[i];
    if (c < 0x80) continue;
    r = smtp_buf_append(out, text.p + from, i - from);
    if (r == 0 && (c & 0xc0) != 0x80) r = smtp_buf_append(out, "?", 1);
    from = i + 1;
  }
  return r == 0 ? smtp_buf_append(out, text.p + from, text.n - from) : r;
}

bool smtp_server_hears(const smtp_server *s, smtp_slice text) {
  return s->mail.utf8 || s->line.utf8 || !smtp_ascii_eightbit(text);
}

/* Puts a reply of a handler; text that the client cannot read is made ASCII. */
static int put_heard(smtp_server *s, smtp_server_event_type stage, int code,
                     smtp_slice text, smtp_status usual) {
  smtp_buf ascii;
  int r;
  if (smtp_server_hears(s, text)) return put_own(s, stage, code, text, usual);
  smtp_buf_init(&ascii, s->mem, SMTP_REPLY_MAX);
  r = put_ascii(&ascii, text);
  if (r == 0) r = put_own(s, stage, code, smtp_buf_data(&ascii), usual);
  smtp_buf_clear(&ascii);
  return r;
}

/* Puts a bounded reply, one of several to a message, since there may be
** a thousand. */
static int put_bounded(smtp_server *s, smtp_server_event_type stage, int code,
                       smtp_slice text, smtp_status usual) {
  size_t out = smtp_buf_length(&s->out), facts = smtp_buf_length(&s->facts);
  int r = put_heard(s, stage, code, text, usual);
  if (r != 0 || s->content.replies <= 1 ||
      smtp_buf_length(&s->out) - out <= SMTP_EACH_MAX)
    return r;
  smtp_buf_truncate(&s->out, out);
  smtp_buf_truncate(&s->facts, facts);
  return SMTP_ETOOBIG;
}

/* Formats the reply to measure it, then restores both buffers. */
int smtp_server_sayable(smtp_server *s, int code, smtp_slice text) {
  size_t out = smtp_buf_length(&s->out), facts = smtp_buf_length(&s->facts);
  smtp_status none = {0, 0, 0};
  size_t n;
  int r;
  if (s->error != 0) return s->error;
  r = put_heard(s, SMTP_SERVER_MESSAGE, code, text, none);
  n = smtp_buf_length(&s->out) - out;
  smtp_buf_truncate(&s->out, out);
  smtp_buf_truncate(&s->facts, facts);
  if (r == SMTP_ENOMEM) return s->error = r;
  return r == 0 && n <= SMTP_EACH_MAX;
}

/* Puts the reply of a verdict's situation; gives its code. */
static int put_situation(smtp_server *s, smtp_server_event_type stage,
                         smtp_situation situation) {
  const smtp_default *d = smtp_status_of(situation);
  int code = code_at(stage, d->code);
  smtp_status status = d->status;
  smtp_slice none = {"", 0};
  int r;
  /* The greeting and the reply to EHLO have no status, so a refusal has none. */
  if (situation != stages[stage].ok &&
      smtp_status_for(stages[stage].ok, code).class_ == 0)
    status.class_ = 0;
  if (is_named(situation))
    r = put_ok(s, situation, code, status, none);
  else if (code == d->code && status.class_ == d->status.class_)
    r = put_default(s, d);
  else
    r = put(s, code, status, text_of(d));
  return r != 0 ? r : code;
}

int smtp_server_put(smtp_server *s, smtp_server_event_type stage,
                    smtp_situation why, smtp_verdict verdict, int code,
                    smtp_slice text) {
  const smtp_default *no = smtp_status_of(stages[stage].no);
  smtp_status usual = {0, 0, 0};
  int r;
  if (why != SMTP_S_NONE) return put_situation(s, stage, why);
  if (verdict == SMTP_VERDICT_ACCEPT && text.n > 0) {
    verdict = SMTP_VERDICT_REPLY;
    code = smtp_status_of(stages[stage].ok)->code;
  } else if (verdict == SMTP_VERDICT_REFUSE && text.n > 0) {
    verdict = SMTP_VERDICT_REPLY;
    code = no->code;
    usual = no->status;
  }
  if (verdict != SMTP_VERDICT_REPLY)
    return put_situation(s, stage, situation_of(stage, verdict));
  r = put_bounded(s, stage, code, text, usual);
  if (r == SMTP_EINVALID || r == SMTP_ETOOBIG)
    return put_situation(s, stage, situation_of(stage, SMTP_VERDICT_FAIL));
  return r != 0 ? r : code_at(stage, code);
}
