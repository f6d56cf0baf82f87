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
#include "../core/ehlo.h"
#include "session_state.h"
#include "text.h"

static const smtp_slice nothing = {"", 0};

/* ---- replies ---------------------------------------------------------- */

/* The code that bytes begin with, 0 if they do not. */
static int code_of(smtp_slice text) {
  int code = 0;
  size_t i;
  for (i = 0; i < 3; i++) {
    if (i >= text.n || text.p[i] < '0' || text.p[i] > '9') return 0;
    code = code * 10 + (text.p[i] - '0');
  }
  return code;
}

/* "550 one LF two" as it goes on the wire: each line has the code. */
static void format_reply(smtp_buf *out, smtp_slice text) {
  char code[3] = {'2', '5', '0'};
  const char *p = text.p, *end = text.p + text.n;
  if (code_of(text) > 0) {
    memcpy(code, p, 3);
    p += 3;
    if (p < end && (*p == ' ' || *p == '-')) p++;
  }
  for (;;) {
    const char *lf = memchr(p, '\n', (size_t)(end - p));
    const char *stop = lf == NULL ? end : lf;
    smtp_buf_append(out, code, 3);
    smtp_buf_append(out, lf == NULL ? " " : "-", 1);
    smtp_buf_append(out, p, (size_t)(stop - p));
    smtp_buf_append(out, "\r\n", 2);
    if (lf == NULL) return;
    p = lf + 1;
  }
}

/* Of the machine's EHLO reply: without what is hidden, with what is extra. */
static void filter_ehlo(const smtp_mock *m, smtp_slice reply, smtp_buf *out) {
  smtp_buf text;
  smtp_slice all;
  bool first = true;
  smtp_buf_init(&text, smtp_mem_libc(), SMTP_REPLY_MAX);
  smtp_buf_append(&text, "250 ", 4);
  while (reply.n > 6) {
    const char *lf = memchr(reply.p, '\n', reply.n);
    smtp_slice line = {reply.p + 4, (size_t)(lf - reply.p) - 5};
    smtp_slice keyword, params;
    bool hidden = !first && smtp_ehlo_line(line, &keyword, &params) == 0 &&
                  smtp_mock_hides(m, keyword);
    if (!hidden) {
      if (!first) smtp_buf_append(&text, "\n", 1);
      smtp_buf_append_slice(&text, line);
    }
    first = false;
    reply.n -= (size_t)(lf + 1 - reply.p);
    reply.p = lf + 1;
  }
  if (m->extra.n > 0) {
    smtp_buf_append(&text, "\n", 1);
    smtp_buf_append(&text, m->extra.p, m->extra.n);
  }
  all = smtp_buf_data(&text);
  format_reply(out, all);
  smtp_buf_clear(&text);
}

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
  if (s->mail == NULL) return;
  s->mail->body_8bit = s->event.mail.body == SMTP_BODY_8BITMIME;
  s->mail->tls = s->pump.tls != NULL;
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
  if (mail == NULL) return;
  mail->code = code;
  mail->stored = s->keep || (code >= 200 && code < 300);
  mail->seen = s->event.seen;
  mail->at = s->now;
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
    break;
  case SMTP_SERVER_MAIL:
    if (code < 300) begin_mail(s);
    break;
  case SMTP_SERVER_RCPT: add_recipient(s, code, reply); break;
  case SMTP_SERVER_MESSAGE: end_mail(s, code); break;
  default: break;
  }
}

/* ---- deciding --------------------------------------------------------- */

/* A command line that the machine is to read; its reply will be changed. */
static void pass_line(smtp_mock_session *s, smtp_slice wire) {
  s->later.on = true;
  s->later.from = smtp_plan_end(&s->plan);
  s->later.pace = s->pace;
  smtp_text_clear(&s->later.text);
  if (wire.p != NULL) smtp_text_set(&s->later.text, wire);
  smtp_server_decide(s->machine, SMTP_VERDICT_NONE, 0, nothing);
}

/* Whether a command that is accepted must also be done. */
static bool is_done_by_machine(const smtp_mock_session *s, int code) {
  return s->event.type == SMTP_SERVER_VERB && s->point != SMTP_MOCK_AUTH &&
         code < 400;
}

/* The verdict that leads the machine to where a reply of that code would. */
static void decide_as(smtp_mock_session *s, int code) {
  if (code == 421)
    smtp_server_decide(s->machine, SMTP_VERDICT_REPLY, 421, nothing);
  else if (code >= 500)
    smtp_server_decide(s->machine, SMTP_VERDICT_REPLY, 550, nothing);
  else if (code >= 400)
    smtp_server_decide(s->machine, SMTP_VERDICT_REPLY, 450, nothing);
  else if (s->event.type == SMTP_SERVER_VERB)
    smtp_server_decide(s->machine, SMTP_VERDICT_REPLY, 250, nothing);
  else
    smtp_server_decide(s->machine, SMTP_VERDICT_ACCEPT, 0, nothing);
}

/* Says bytes that stand for a reply of that code, or besides all replies. */
static void say(smtp_mock_session *s, int code, smtp_slice wire) {
  uint64_t from = smtp_plan_end(&s->plan);
  if (s->asks && !s->answered) {
    s->answered = s->line_ruled = true;
    if (is_done_by_machine(s, code)) {
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
  int code = code_of(text);
  smtp_buf_init(&wire, smtp_mem_libc(), SIZE_MAX / 4);
  format_reply(&wire, text);
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
  s->answered = true;
  if (s->event.type == SMTP_SERVER_VERB && !refuse) {
    pass_line(s, (smtp_slice){NULL, 0});
    return;
  }
  if (refuse) s->line_ruled = true;
  code = smtp_server_decide(
      s->machine, refuse ? SMTP_VERDICT_REFUSE : SMTP_VERDICT_NONE, 0, nothing);
  wire = smtp_server_peek(s->machine);
  wire.p += from - s->plan.sent;
  wire.n -= (size_t)(from - s->plan.sent);
  decided(s, code, wire);
  smtp_buf_init(&changed, smtp_mem_libc(), SMTP_REPLY_MAX);
  if (s->event.type == SMTP_SERVER_HELO && s->event.esmtp && code < 300)
    filter_ehlo(s->mock, wire, &changed);
  wire = smtp_buf_data(&changed);
  if (wire.n == 0) wire.p = NULL;
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
  if (s->asks && !s->answered && s->event.type == SMTP_SERVER_MESSAGE)
    end_mail(s, 0); /* and nobody is told */
  if (s->ending == HANGS && !s->later.on) s->gate = (double)INFINITY;
}

void smtp_mock_session_run(smtp_mock_session *s) {
  while (s->step != NULL && s->at < s->step->n && s->ending == GOES_ON) {
    const smtp_mock_action *a = &s->step->actions[s->at++];
    smtp_slice text = a->text;
    switch (a->act) {
    case SMTP_MOCK_DELAY: s->gate = s->now + a->seconds; return;
    case SMTP_MOCK_REPLY: reply(s, text); break;
    case SMTP_MOCK_RAW:
      say(s, code_of(text) ? code_of(text) : 250, text);
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
  if (text.n > 0) reply(s, text);
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
  f->tls = s->pump.tls != NULL;
  f->auth = s->visit->auth;
  f->user = s->visit->user;
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

static void on_line(smtp_mock_session *s) {
  smtp_slice line = s->event.text;
  smtp_mock_record_line(&s->mock->record, s->visit->number, 'C', line);
  while (line.n > 0 &&
         (line.p[line.n - 1] == '\n' || line.p[line.n - 1] == '\r'))
    line.n--;
  /* A bare LF is told of as such, by the end that it makes. */
  s->line_ruled = line.n + 2 > s->event.text.n;
  smtp_text_set(&s->line, line);
  s->visit->commands++;
}

/* A reply of the machine to a line that it was given to read. */
static void on_reply(smtp_mock_session *s) {
  if (s->later.on) {
    s->later.on = false;
    if (s->later.text.p != NULL || s->later.pace.size > 0)
      smtp_plan_add(&s->plan, s->later.from, s->later.text, s->later.pace);
    if (s->ending == HANGS) s->gate = (double)INFINITY;
  }
  if (!s->line_ruled) smtp_mock_judge_reply(s, s->event.text);
}

static void on_verb(smtp_mock_session *s) {
  smtp_mock_point point = smtp_mock_point_of(s->event.verb);
  smtp_mock_judge_line(s);
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

static void on_body(smtp_mock_session *s) {
  uint64_t before;
  if (s->mail == NULL) return;
  before = smtp_buf_length(&s->mail->raw);
  if (smtp_buf_append_slice(&s->mail->raw, s->event.text) != 0)
    s->mock->record.lost = true;
  smtp_mock_session_begin(s, SMTP_MOCK_BODY, before, before + s->event.text.n);
  if (s->rate > 0 && s->gate < s->now)
    s->gate = s->now + (double)s->event.text.n / (double)s->rate;
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
  case SMTP_SERVER_BODY: on_body(s); break;
  case SMTP_SERVER_VERB: on_verb(s); break;
  case SMTP_SERVER_AUTH: on_auth(s); break;
  case SMTP_SERVER_LOOKUP: on_lookup(s); break;
  case SMTP_SERVER_LINE: on_line(s); break;
  case SMTP_SERVER_REPLY: on_reply(s); break;
  case SMTP_SERVER_RESET: drop_mail(s); break;
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
