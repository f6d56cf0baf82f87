/* SPDX-License-Identifier: MIT */
/*
** session_event.c: what a session does at an event of its machine. The last
** rule that applies has its actions done, in their order; then, if nothing was
** said and nothing ended, the machine has its usual word.
*/
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../core/ascii.h"
#include "reply_text.h"
#include "session_state.h"
#include "text.h"

static const smtp_slice nothing = {"", 0};

/* ---- what became of it ------------------------------------------------ */

static void add_recipient(smtp_mock_session *s, int code, smtp_slice reply) {
  smtp_mock_mail *mail = s->mail;
  smtp_slice *more;
  size_t before;
  if (mail == NULL) return;
  before = mail->recipients_n;
  smtp_mock_mail_recipient(mail, s->address, s->event.params, code, reply);
  if (code >= 300 || mail->recipients_n == before) return;
  more = realloc(s->to, (s->to_n + 1) * sizeof *more);
  if (more == NULL) return;
  s->to = more;
  more[s->to_n++] = mail->recipients[before].address;
}

static void begin_mail(smtp_mock_session *s) {
  smtp_mock_mail_free(s->mail);
  s->to_n = 0;
  s->mail = smtp_mock_mail_new(s->visit->number, s->address, s->event.params);
  if (s->mail == NULL) {
    s->mock->record.lost = true;
    return;
  }
  s->mail->body_8bit = s->event.mail.body == SMTP_BODY_8BITMIME;
  s->mail->tls = s->connection.tls != NULL;
  if (s->visit->helo.p != NULL) smtp_text_set(&s->mail->helo, s->visit->helo);
  if (s->visit->auth) smtp_text_set(&s->mail->user, s->visit->user);
}

static void end_mail(smtp_mock_session *s, int code) {
  smtp_mock_mail *mail = s->mail;
  char text[64];
  smtp_buf b;
  s->mail = NULL;
  s->to_n = 0;
  s->rate = 0;
  s->early = 0;
  s->body_from = s->body_to = 0;
  if (mail == NULL) return;
  mail->code = code;
  mail->stored = s->keep || (code >= 200 && code < 300);
  mail->seen = s->event.seen;
  smtp_buf_init(&b, NULL, sizeof text);
  b.p = text;
  b.size = sizeof text;
  smtp_buf_append(&b, "(", 1);
  smtp_buf_append_number(&b, smtp_buf_length(&mail->raw));
  smtp_buf_append(&b, " bytes of content)", 18);
  smtp_mock_record_line(&s->mock->record, s->visit->number, 'C',
                        smtp_buf_data(&b));
  if (mail->stored) s->visit->mails++;
  smtp_mock_record_mail(&s->mock->record, mail);
  smtp_mock_judge_message(s);
}

/* Keeps in mind what was decided; reply is what goes on the wire. */
static void decided(smtp_mock_session *s, int code, smtp_slice reply) {
  switch (s->event.type) {
  case SMTP_SERVER_HELO:
    if (code >= 300) break;
    s->visit->esmtp = s->event.esmtp;
    smtp_text_set(&s->visit->helo, s->event.text);
    smtp_text_set(&s->offered, s->event.esmtp ? reply : nothing);
    break;
  case SMTP_SERVER_MAIL:
    s->excused = s->excused || (code >= 300 && s->more);
    if (code < 300) begin_mail(s);
    break;
  case SMTP_SERVER_CHUNK: /* others may be on their way */
    s->excused = s->excused || code >= 300;
    break;
  case SMTP_SERVER_DATA:
    s->excused = s->excused || (code >= 400 && s->event.chunk);
    break;
  case SMTP_SERVER_RCPT:
    s->excused = s->excused || (code >= 300 && s->more);
    add_recipient(s, code, reply);
    break;
  case SMTP_SERVER_MESSAGE: end_mail(s, code); break;
  default: break;
  }
}

/* ---- deciding --------------------------------------------------------- */

/* The machine reads the line at hand, and its reply goes out as other bytes,
** unless wire.p is NULL. Up to its reply there are only events that it asks
** about. */
static void pass_line(smtp_mock_session *s, smtp_slice wire) {
  uint64_t from = smtp_plan_end(&s->plan);
  smtp_mock_pace pace = s->pace;
  smtp_server_decide(s->machine, SMTP_VERDICT_NONE, 0, nothing);
  while (smtp_server_next(s->machine, &s->event) == 1) {
    smtp_mock_session_event(s);
    if (s->event.type == SMTP_SERVER_REPLY) break;
  }
  if (wire.p != NULL || pace.size > 0)
    smtp_plan_add(&s->plan, from, wire, pace);
}

/* Whether a reply of that code says that a step is done. */
static bool accepts(const smtp_mock_session *s, int code) {
  return s->event.type == SMTP_SERVER_DATA ? code / 100 == 3 : code / 100 == 2;
}

/* A message may ask for several verdicts: here all are the same. */
static int decide(smtp_mock_session *s, smtp_verdict verdict, int code) {
  size_t n = s->event.type == SMTP_SERVER_MESSAGE ? s->event.replies : 1;
  int r = 0;
  while (n-- > 0) r = smtp_server_decide(s->machine, verdict, code, nothing);
  return r;
}

/* The verdict that leads the machine to where a reply of that code would. */
static void decide_as(smtp_mock_session *s, int code) {
  smtp_verdict verdict = SMTP_VERDICT_REPLY;
  int as = code == 421 ? 421 : code >= 500 ? 550 : 450;
  if (accepts(s, code)) verdict = SMTP_VERDICT_ACCEPT;
  decide(s, verdict, as);
}

/* The message was answered within its content: nothing is said at its end. */
static bool answered_early(const smtp_mock_session *s) {
  return s->point == SMTP_MOCK_EOM && s->early != 0 && s->asks && !s->answered;
}

/* Says bytes that stand for a reply of that code, or besides all replies. */
static void say(smtp_mock_session *s, int code, smtp_slice wire) {
  uint64_t from = smtp_plan_end(&s->plan);
  if (answered_early(s)) {
    code = s->early;
    wire = nothing;
  }
  if (s->event.chunk && accepts(s, code)) wire = nothing; /* that is silent */
  if (s->asks && !s->answered) {
    s->answered = s->line_ruled = true;
    if (s->event.type == SMTP_SERVER_VERB && accepts(s, code)) {
      pass_line(s, wire);
      return;
    }
    decide_as(s, code);
    decided(s, code, wire);
  }
  smtp_plan_add(&s->plan, from, wire, s->pace);
}

static void reply(smtp_mock_session *s, smtp_slice text) {
  smtp_buf wire;
  int code = smtp_mock_reply_code(text);
  smtp_buf_init(&wire, smtp_mem_libc(), SIZE_MAX / 4);
  smtp_mock_reply_each(s->point == SMTP_MOCK_EOM && s->asks && !s->answered
                           ? s->event.replies
                           : 1,
                       s->mock->config.lmtp, &wire, text);
  if (s->point == SMTP_MOCK_BODY && s->early == 0) s->early = code;
  say(s, code > 0 ? code : 250, smtp_buf_data(&wire));
  smtp_buf_clear(&wire);
}

static bool knows(const smtp_mock_session *s) {
  const smtp_sasl_credentials *c = s->event.credentials;
  const smtp_mock_user *user;
  smtp_slice given = c->token.n > 0 ? c->token : c->password;
  if (c->verified || s->mock->any_user) return true;
  user = smtp_mock_user_of(s->mock, c->user);
  return user != NULL && user->password.n == given.n &&
         memcmp(user->password.p, given.p, given.n) == 0;
}

/* The machine's own word, as refuse or accept. */
static void decide_usual(smtp_mock_session *s, bool refuse) {
  uint64_t from = smtp_plan_end(&s->plan);
  smtp_buf changed;
  smtp_slice wire;
  int code;
  if (answered_early(s)) {
    say(s, s->early, nothing);
    return;
  }
  s->answered = true;
  if (s->event.type == SMTP_SERVER_VERB && !refuse) {
    pass_line(s, (smtp_slice){NULL, 0});
    return;
  }
  if (refuse) s->line_ruled = true;
  code = decide(s, refuse ? SMTP_VERDICT_REFUSE : SMTP_VERDICT_NONE, 0);
  wire = smtp_server_queued(s->machine);
  wire.p += from - s->plan.sent;
  wire.n -= (size_t)(from - s->plan.sent);
  decided(s, code, wire);
  smtp_buf_init(&changed, smtp_mem_libc(), SMTP_REPLY_MAX);
  if (s->event.type == SMTP_SERVER_HELO && s->event.esmtp && code < 300)
    smtp_mock_reply_ehlo(s->mock, wire, &changed);
  wire = smtp_buf_data(&changed);
  if (wire.n == 0)
    wire.p = NULL;
  else
    smtp_text_set(&s->offered, wire);
  if (wire.p != NULL || s->pace.size > 0)
    smtp_plan_add(&s->plan, from, wire, s->pace);
  smtp_buf_clear(&changed);
}

/* ---- actions ---------------------------------------------------------- */

/* How slowly the reply goes out, or the body is read. */
static void find_pace(smtp_mock_session *s) {
  size_t i;
  s->pace = (smtp_mock_pace){0, 0, false};
  for (i = 0; s->step != NULL && i < s->step->n; i++) {
    const smtp_mock_action *a = &s->step->actions[i];
    if (a->act == SMTP_MOCK_DRIP)
      s->pace = (smtp_mock_pace){1, a->seconds, false};
    else if (a->act == SMTP_MOCK_SPLIT)
      s->pace = (smtp_mock_pace){(size_t)a->n, a->seconds, true};
    else if (a->act == SMTP_MOCK_THROTTLE && s->point == SMTP_MOCK_BODY)
      s->rate = a->n;
    else if (a->act == SMTP_MOCK_THROTTLE && a->n > 0)
      s->pace = (smtp_mock_pace){a->n < 100 ? 1 : (size_t)a->n / 100,
                                 a->n < 100 ? 1.0 / (double)a->n : 0.01, false};
  }
}

/* All that was done at the point is known. */
static void conclude(smtp_mock_session *s) {
  s->step = NULL;
  if (s->asks && !s->answered && s->ending == GOES_ON) decide_usual(s, false);
  smtp_mock_session_abandon(s); /* if it is still without an answer */
  if (s->ending == HANGS) s->gate = (double)INFINITY;
}

void smtp_mock_session_run(smtp_mock_session *s) {
  while (s->step != NULL && s->at < s->step->n && s->ending == GOES_ON) {
    const smtp_mock_action *a = &s->step->actions[s->at++];
    smtp_slice text = a->text;
    switch (a->act) {
    case SMTP_MOCK_DELAY: s->gate = s->now + a->seconds; return;
    case SMTP_MOCK_REPLY: reply(s, text); break;
    case SMTP_MOCK_RAW:
      say(s, smtp_mock_reply_code(text) ? smtp_mock_reply_code(text) : 250,
          text);
      break;
    case SMTP_MOCK_REJECT:
      if (s->asks && !s->answered) decide_usual(s, true);
      break;
    case SMTP_MOCK_STORE: s->keep = true; break;
    case SMTP_MOCK_HANG: s->ending = HANGS; break;
    case SMTP_MOCK_CLOSE: s->ending = CLOSES; break;
    case SMTP_MOCK_RESET: s->ending = RESETS; break;
    case SMTP_MOCK_CALL: s->call = a->n; return;
    default: break; /* the pace */
    }
  }
  conclude(s);
}

void smtp_mock_session_answer(smtp_mock_session *s, smtp_slice text) {
  s->call = 0;
  if (text.n > 0)
    reply(s, smtp_mock_reply_code(text) > 0 ? text
                                            : SMTP_LIT("451 4.3.0 no code"));
  smtp_mock_session_run(s);
}

uint64_t smtp_mock_session_asks(const smtp_mock_session *s,
                                smtp_mock_facts *facts) {
  if (s->call != 0) smtp_mock_session_facts(s, facts);
  return s->call;
}

void smtp_mock_session_facts(const smtp_mock_session *s, smtp_mock_facts *f) {
  memset(f, 0, sizeof *f);
  f->point = s->point;
  f->verb = s->event.verb;
  f->text = s->line;
  f->session = s->visit->number;
  f->tls = s->connection.tls != NULL;
  f->auth = s->visit->auth;
  f->user = s->visit->auth ? s->visit->user : nothing;
  f->from = s->mail != NULL ? s->mail->from : nothing;
  f->to = s->to;
  f->to_n = s->to_n;
  if (s->point == SMTP_MOCK_EOM && s->mail != NULL)
    f->text = smtp_buf_data(&s->mail->raw);
  if (s->point == SMTP_MOCK_MAIL) f->from = s->address;
  if (s->point == SMTP_MOCK_RCPT) {
    f->to = &s->address;
    f->to_n = 1;
  }
}

void smtp_mock_session_begin(smtp_mock_session *s, smtp_mock_point point,
                             uint64_t before, uint64_t bytes) {
  smtp_mock_facts f;
  s->point = point;
  s->asks = smtp_server_asks(s->event.type);
  s->answered = s->keep = false;
  s->at = 0;
  smtp_mock_session_facts(s, &f);
  f.before = before;
  f.bytes = bytes;
  if (before == 0) s->mock->record.counts[point]++;
  s->step = smtp_mock_fire(s->mock, &f);
  find_pace(s);
  smtp_mock_session_run(s);
}

/* ---- events ----------------------------------------------------------- */

static bool ends_in(smtp_slice text, char c) {
  return text.n > 0 && text.p[text.n - 1] == c;
}

/* An AUTH of which the core shows the mechanism at most: it had more. */
static void on_secret(smtp_mock_session *s, smtp_slice line) {
  smtp_buf text;
  smtp_buf_init(&text, smtp_mem_libc(), SMTP_LINE_MAX);
  smtp_buf_append_slice(&text, line);
  smtp_buf_append(&text, " ***", 4);
  smtp_text_set(&s->line, smtp_buf_data(&text));
  smtp_mock_record_line(&s->mock->record, s->visit->number, 'C', s->line);
  smtp_buf_clear(&text);
  s->line_ruled = false;
  s->visit->commands++;
}

/* The core shows no more of a line than may be shown: what ends in an LF is
** all of it. */
static void on_line(smtp_mock_session *s) {
  smtp_slice line = s->event.text;
  bool whole = ends_in(line, '\n');
  bool secret = line.n >= 3 && memcmp(line.p, "***", 3) == 0;
  if (!whole && smtp_mock_is_auth(line)) {
    on_secret(s, line);
    return;
  }
  smtp_mock_record_line(&s->mock->record, s->visit->number, 'C', line);
  if (whole) line.n--;
  s->line_ruled = whole && !ends_in(line, '\r'); /* told of at the end */
  if (ends_in(line, '\r')) line.n--;
  if (secret) return;
  s->visit->commands++;
  smtp_text_set(&s->line, line);
  if (!whole) smtp_mock_judge_cut(s);
}

/* A reply of the machine to a line that it was given to read. */
static void on_reply(smtp_mock_session *s) {
  if (!s->line_ruled) smtp_mock_judge_reply(s, s->event.text);
}

static void on_verb(smtp_mock_session *s) {
  smtp_mock_point point = smtp_mock_point_of(s->event.verb);
  smtp_mock_judge_line(s);
  if (s->mock->config.lmtp && smtp_ascii_equal(s->event.verb, SMTP_LIT("LHLO")))
    point = SMTP_MOCK_EHLO;
  switch (point) {
  case SMTP_MOCK_AUTH:
  case SMTP_MOCK_RSET:
  case SMTP_MOCK_QUIT:
  case SMTP_MOCK_STARTTLS: break;
  case SMTP_MOCK_EHLO: /* these have an event of their own, once they are */
  case SMTP_MOCK_HELO: /* found to be right */
  case SMTP_MOCK_MAIL:
  case SMTP_MOCK_RCPT:
  case SMTP_MOCK_DATA:
    smtp_server_decide(s->machine, SMTP_VERDICT_NONE, 0, nothing);
    return;
  default: point = SMTP_MOCK_OTHER; break; /* a point, but no verb */
  }
  smtp_mock_session_begin(s, point, 0, 0);
}

void smtp_mock_session_body(smtp_mock_session *s) {
  while (s->body_from < s->body_to && s->step == NULL && s->call == 0 &&
         s->ending == GOES_ON) {
    uint64_t from = s->body_from;
    uint64_t next = smtp_mock_body_after(s->mock, from);
    s->body_from = next > 0 && next < s->body_to ? next : s->body_to;
    smtp_mock_session_begin(s, SMTP_MOCK_BODY, from, s->body_from);
  }
}

static void on_body(smtp_mock_session *s) {
  if (s->mail == NULL) return;
  s->body_from = smtp_buf_length(&s->mail->raw);
  s->body_to = s->body_from + s->event.text.n;
  if (smtp_buf_append_slice(&s->mail->raw, s->event.text) != 0)
    s->mock->record.lost = true;
  smtp_mock_session_body(s);
  if (s->rate > 0 && s->gate < s->now)
    s->gate = s->now + (double)s->event.text.n / (double)s->rate;
}

void smtp_mock_session_abandon(smtp_mock_session *s) {
  if (s->event.type != SMTP_SERVER_MESSAGE || !s->asks || s->answered) return;
  s->answered = true;
  end_mail(s, s->early);
}

static void on_auth(smtp_mock_session *s) {
  const smtp_sasl_credentials *c = s->event.credentials;
  bool ok = knows(s);
  int code;
  smtp_text_set(&s->visit->user, c->user);
  smtp_text_set(&s->visit->mechanism, s->event.verb);
  code = smtp_server_decide(
      s->machine, ok ? SMTP_VERDICT_ACCEPT : SMTP_VERDICT_REFUSE, 0, nothing);
  s->visit->auth = code >= 200 && code < 300;
}

static void on_lookup(smtp_mock_session *s) {
  const smtp_mock_user *user =
      smtp_mock_user_of(s->mock, s->event.credentials->user);
  smtp_sasl_keys keys;
  memset(&keys, 0, sizeof keys);
  keys.kind = user == NULL ? SMTP_SASL_NOBODY : SMTP_SASL_PASSWORD;
  if (user != NULL) keys.password = user->password;
  smtp_server_lookup(s->machine, &keys);
}

static void drop_mail(smtp_mock_session *s) {
  smtp_mock_mail_free(s->mail);
  s->mail = NULL;
  s->to_n = 0;
}

/* Keeps the mailbox of a path, which the event only lends. */
static void take_address(smtp_mock_session *s) {
  smtp_buf address;
  smtp_buf_init(&address, smtp_mem_libc(), SMTP_PATH_MAX * 4);
  smtp_path_format_mailbox(&address, s->event.path);
  smtp_text_set(&s->address, smtp_buf_data(&address));
  smtp_buf_clear(&address);
}

void smtp_mock_session_event(smtp_mock_session *s) {
  if (s->event.path != NULL) take_address(s);
  switch (s->event.type) {
  case SMTP_SERVER_CONNECT:
    smtp_mock_session_begin(s, SMTP_MOCK_CONNECT, 0, 0);
    break;
  case SMTP_SERVER_HELO:
    smtp_mock_session_begin(s, s->event.esmtp ? SMTP_MOCK_EHLO : SMTP_MOCK_HELO,
                            0, 0);
    break;
  case SMTP_SERVER_MAIL:
    smtp_mock_judge_mail(s);
    smtp_mock_session_begin(s, SMTP_MOCK_MAIL, 0, 0);
    break;
  case SMTP_SERVER_RCPT:
    smtp_mock_session_begin(s, SMTP_MOCK_RCPT, 0, 0);
    break;
  case SMTP_SERVER_DATA:
    smtp_mock_session_begin(s, SMTP_MOCK_DATA, 0, 0);
    break;
  case SMTP_SERVER_MESSAGE:
    smtp_mock_session_begin(s, SMTP_MOCK_EOM, 0, 0);
    break;
  case SMTP_SERVER_CHUNK:
    smtp_mock_session_begin(s, SMTP_MOCK_BDAT, 0, 0);
    break;
  case SMTP_SERVER_BODY: on_body(s); break;
  case SMTP_SERVER_VERB: on_verb(s); break;
  case SMTP_SERVER_AUTH: on_auth(s); break;
  case SMTP_SERVER_LOOKUP: on_lookup(s); break;
  case SMTP_SERVER_LINE: on_line(s); break;
  case SMTP_SERVER_REPLY: on_reply(s); break;
  case SMTP_SERVER_RESET: drop_mail(s); break;
  case SMTP_SERVER_AUTH_FAILED: break;
  case SMTP_SERVER_CLOSE: smtp_mock_judge_close(s); break;
  case SMTP_SERVER_STARTTLS:
    drop_mail(s);
    s->visit->esmtp = s->visit->auth = false;
    smtp_mock_session_begin(s, SMTP_MOCK_HANDSHAKE, 0, 0);
    break;
  default: /* VRFY and own verbs, after VERB */
    smtp_server_decide(s->machine, SMTP_VERDICT_NONE, 0, nothing);
    break;
  }
}
