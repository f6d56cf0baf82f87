/* SPDX-License-Identifier: MIT */
/*
** server_verdict.c: the reply of a verdict, and the new state of the session.
*/
#include "server_state.h"

/* The line at hand is answered here and not read. */
static void skip_line(smtp_server *s) {
  smtp_slice line;
  if (smtp_buf_line(&s->in, &line)) smtp_buf_consume(&s->in, line.n);
  s->line.traced = false;
}

/* Whether a verdict is a refusal, as far as is known before the reply. */
static bool refuses(smtp_verdict verdict, int code) {
  return verdict == SMTP_VERDICT_REFUSE || verdict == SMTP_VERDICT_NOTHING ||
         (verdict == SMTP_VERDICT_REPLY && code >= 500 && code < 560);
}

/* ---- moves ----------------------------------------------------------- */

static void greeted(smtp_server *s, bool good) {
  smtp_server_enter(s, good ? MOVE_GREETED : MOVE_TURNED_AWAY);
}

static void hello(smtp_server *s, bool good) {
  if (!good) return;
  smtp_server_abandon(s);
  smtp_server_enter(s, MOVE_HELLO);
  s->peer.esmtp = s->peer.greets_esmtp;
}

static void mail(smtp_server *s, bool good) {
  if (good)
    smtp_server_enter(s, MOVE_MAIL);
  else
    s->mail.utf8 = false; /* replies are in ASCII again */
}

static void rcpt(smtp_server *s, bool good) {
  if (!good) return;
  smtp_server_enter(s, MOVE_RCPT);
  s->mail.recipients++;
}

/* Begins content by DATA, or by a BDAT whose bytes may be there already. */
static void data(smtp_server *s, bool good) {
  if (good) smtp_server_begin(s);
  if (good) smtp_server_enter(s, s->chunk.waits ? MOVE_CHUNK : MOVE_DATA);
}

static void chunk(smtp_server *s, bool good) {
  if (good)
    smtp_server_enter(s, MOVE_CHUNK_READ);
  else
    smtp_server_drop(s);
  s->due.reset = !good;
}

static void message(smtp_server *s, bool good) {
  if (good || s->content.taken) s->count.messages++;
  smtp_server_drop(s);
  s->count.junk = 0;
}

/* Moves the session on after the reply. */
static void proceed(smtp_server *s, smtp_server_event_type asked, bool good) {
  s->asked = SMTP_SERVER_NONE;
  s->line.utf8 = false;
  s->active = s->now;
  if (s->state == ST_CLOSED) return;
  switch (asked) {
  case SMTP_SERVER_CONNECT: greeted(s, good); break;
  case SMTP_SERVER_HELO: hello(s, good); break;
  case SMTP_SERVER_MAIL: mail(s, good); break;
  case SMTP_SERVER_RCPT: rcpt(s, good); break;
  case SMTP_SERVER_DATA: data(s, good); break;
  case SMTP_SERVER_CHUNK: chunk(s, good); break;
  case SMTP_SERVER_AUTH:
    smtp_server_auth_end(s);
    s->peer.authenticated = good;
    break;
  case SMTP_SERVER_MESSAGE: message(s, good); break;
  default: break;
  }
}

/* ---- verdicts -------------------------------------------------------- */

/* Whether more verdicts on the message are due after this one. */
static bool is_partial(smtp_server *s, int code) {
  if (++s->content.said >= s->content.replies) return false;
  s->content.taken = s->content.taken || code < 400;
  return true;
}

/* The verdict on DATA where a chunk waits for it, whose bytes are read, and
** answered, first. The reply stands in out, and told in facts. */
static void answer_chunk(smtp_server *s, bool good, size_t out, size_t facts) {
  s->chunk.waits = false;
  if (!good) {
    smtp_server_skip(s, out);
    return;
  }
  smtp_buf_truncate(&s->out, out);
  smtp_buf_truncate(&s->facts, facts);
}

int smtp_server_decide(smtp_server *s, smtp_verdict verdict, int code,
                       smtp_slice text) {
  smtp_server_event_type stage = s->asked;
  smtp_situation why = SMTP_S_NONE; /* what wins over the verdict */
  size_t out = smtp_buf_length(&s->out), facts = smtp_buf_length(&s->facts);
  bool message = stage == SMTP_SERVER_MESSAGE;
  int r;
  if (s->error != 0) return s->error;
  if (stage == SMTP_SERVER_NONE || stage == SMTP_SERVER_LOOKUP)
    return SMTP_ESTATE;
  if (stage == SMTP_SERVER_VERB && verdict == SMTP_VERDICT_NONE) {
    s->line.passed = true;
    s->asked = SMTP_SERVER_NONE;
    return 0;
  }
  if (stage == SMTP_SERVER_VERB) skip_line(s);
  if (message) why = s->content.refusal;
  if (message && s->content.said == 0 &&
      s->content.replies > s->mail.recipients) { /* PRDR */
    r = smtp_server_answer(s, SMTP_S_EACH);
    if (r < 0) return s->error = r;
  }
  if (stage == SMTP_SERVER_AUTH && refuses(verdict, code)) {
    r = smtp_server_auth_refused(s, verdict, code, text);
    if (r < 0) return s->error = r;
    if (r > 0) return 334; /* the mechanism has something to say first */
    if (smtp_server_auth_failed(s)) why = SMTP_S_AUTH_FAILURES;
  }
  r = smtp_server_put(s, stage, why, verdict, code, text);
  if (r < 0) return s->error = r;
  if (r == 421) {
    smtp_server_enter(s, MOVE_CLOSE);
    s->why = why != SMTP_S_NONE ? why : SMTP_S_FAILED;
  }
  if (message && is_partial(s, r)) return r;
  proceed(s, stage, r < 400);
  if (s->chunk.waits) answer_chunk(s, r < 400, out, facts);
  return r;
}
