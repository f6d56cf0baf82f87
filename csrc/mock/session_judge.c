/* SPDX-License-Identifier: MIT */
/*
** session_judge.c: what a client may not do, noted as it does it. What only a
** reader of messages can see (missing fields, and the like) is not here: the
** recorded bytes have it.
*/
#include "../core/ascii.h"
#include "../core/dot.h"
#include "../core/ehlo.h"
#include "../core/param.h"
#include "session_state.h"
#include "text.h"

#include <string.h>

/* RFC 5321 section 4.5.3.1.4 and 4.5.3.1.6, CRLF included. */
#define COMMAND_LINE 512
#define TEXT_LINE 1000

#define RFC5321(section) "RFC 5321 section " section

/* A fault that was just noted is not noted again: a line may be wrong in two
** ways that are one. */
static void note(smtp_mock_session *s, const char *rule, const char *section,
                 smtp_slice text) {
  const smtp_mock_record *r = &s->mock->record;
  const smtp_mock_violation *last =
      r->violations_n > 0 ? &r->violations[r->violations_n - 1] : NULL;
  if (last != NULL && last->session == s->visit->number &&
      strcmp(last->rule, rule) == 0 && last->text.n == text.n &&
      (text.n == 0 || memcmp(last->text.p, text.p, text.n) == 0))
    return;
  smtp_mock_record_violation(&s->mock->record, s->visit->number, rule, section,
                             text);
}

/* Whether a line of our reply to EHLO, behind the first, has the keyword. */
static bool offers(const smtp_mock_session *s, smtp_slice keyword) {
  const char *p = s->offered.p, *end = p + s->offered.n;
  size_t n = 0;
  for (; p != NULL && p < end; n++) {
    const char *lf = memchr(p, '\n', (size_t)(end - p));
    smtp_slice line = {p, (size_t)((lf == NULL ? end : lf) - p)};
    smtp_slice found, params;
    p = lf == NULL ? end : lf + 1;
    while (line.n > 0 && line.p[line.n - 1] == '\r') line.n--;
    if (n == 0 || line.n < 5) continue;
    line = (smtp_slice){line.p + 4, line.n - 4};
    if (smtp_ehlo_line(line, &found, &params) == 0 &&
        smtp_ascii_equal(found, keyword))
      return true;
  }
  return false;
}

/* The core shows no end of what is too long, nor of AUTH. */
bool smtp_mock_is_auth(smtp_slice line) {
  while (line.n > 0 && (unsigned char)line.p[0] <= ' ') {
    line.p++;
    line.n--;
  }
  if (line.n > 4) line.n = 4;
  return smtp_ascii_equal(line, SMTP_LIT("AUTH"));
}

void smtp_mock_judge_cut(smtp_mock_session *s) {
  note(s, "long_command", RFC5321("4.5.3.1.4"), s->line);
  s->line_ruled = true;
}

static bool is_verb(const smtp_mock_session *s, smtp_slice name) {
  return smtp_ascii_equal(s->event.verb, name);
}

/* Whether AUTH names a mechanism that shows the password to all. */
static bool shows_password(smtp_slice args) {
  smtp_slice word = args;
  const char *space = memchr(args.p, ' ', args.n);
  if (space != NULL) word.n = (size_t)(space - args.p);
  return smtp_ascii_equal(word, SMTP_LIT("PLAIN")) ||
         smtp_ascii_equal(word, SMTP_LIT("LOGIN")) ||
         smtp_ascii_equal(word, SMTP_LIT("XOAUTH2")) ||
         smtp_ascii_equal(word, SMTP_LIT("OAUTHBEARER"));
}

void smtp_mock_judge_line(smtp_mock_session *s) {
  s->excused = s->excused && s->more; /* still the same group */
  s->more = s->event.more;
  if (s->line.n + 2 > COMMAND_LINE && !is_verb(s, SMTP_LIT("AUTH")))
    note(s, "long_command", RFC5321("4.5.3.1.4"), s->line);
  if (s->event.more && !offers(s, SMTP_LIT("PIPELINING")))
    note(s, "pipelining", "RFC 2920 section 3.1", s->line);
  if (is_verb(s, SMTP_LIT("AUTH")) && s->connection.tls == NULL &&
      shows_password(s->event.text))
    note(s, "auth_in_clear", "RFC 4954 section 4", s->line);
}

/* The keyword that EHLO has to offer for a parameter of MAIL. */
static smtp_slice keyword_of(const smtp_param *param) {
  static const struct {
    smtp_slice key, keyword;
  } others[] = {{{"RET", 3}, {"DSN", 3}},
                {{"ENVID", 5}, {"DSN", 3}},
                {{"BY", 2}, {"DELIVERBY", 9}},
                {{"HOLDFOR", 7}, {"FUTURERELEASE", 13}},
                {{"HOLDUNTIL", 9}, {"FUTURERELEASE", 13}}};
  size_t i;
  if (smtp_ascii_equal(param->key, SMTP_LIT("BODY")))
    return smtp_ascii_equal(param->value, SMTP_LIT("BINARYMIME"))
               ? SMTP_LIT("BINARYMIME")
               : SMTP_LIT("8BITMIME");
  for (i = 0; i < sizeof others / sizeof *others; i++)
    if (smtp_ascii_equal(param->key, others[i].key)) return others[i].keyword;
  return param->key;
}

void smtp_mock_judge_mail(smtp_mock_session *s) {
  smtp_slice rest = s->event.params;
  smtp_param param;
  while (smtp_param_next(&rest, &param) == 1) {
    smtp_slice keyword = keyword_of(&param);
    if (!offers(s, keyword)) note(s, "parameter", RFC5321("2.2.1"), param.key);
  }
}

/* The longest line of a text, its CRLF included. */
static size_t longest(smtp_slice text) {
  const char *p = text.p, *end = text.p + text.n;
  size_t most = 0;
  while (p < end) {
    const char *lf = memchr(p, '\n', (size_t)(end - p));
    const char *stop = lf == NULL ? end : lf + 1;
    if ((size_t)(stop - p) > most) most = (size_t)(stop - p);
    p = stop;
  }
  return most;
}

/* The message is the last one of the record. */
void smtp_mock_judge_message(smtp_mock_session *s) {
  const smtp_mock_record *r = &s->mock->record;
  const smtp_mock_mail *mail;
  if (r->mails_n == 0) return;
  mail = r->mails[r->mails_n - 1];
  if ((mail->seen & SMTP_DOT_BARE_LF) != 0)
    note(s, "bare_lf", RFC5321("2.3.8"), mail->from);
  if ((mail->seen & SMTP_DOT_BARE_CR) != 0)
    note(s, "bare_cr", RFC5321("2.3.8"), mail->from);
  if ((mail->seen & SMTP_DOT_NUL) != 0)
    note(s, "nul", "RFC 5322 section 2.2", mail->from);
  if ((mail->seen & SMTP_DOT_UNSTUFFED) != 0)
    note(s, "unstuffed_dot", RFC5321("4.5.2"), mail->from);
  if ((mail->seen & SMTP_DOT_EIGHTBIT) != 0 && !mail->body_8bit)
    note(s, "eightbit", "RFC 6152 section 3", mail->from);
  if (longest(smtp_buf_data(&mail->raw)) > TEXT_LINE)
    note(s, "long_line", RFC5321("4.5.3.1.6"), mail->from);
}

void smtp_mock_judge_close(smtp_mock_session *s) {
  switch (s->event.situation) {
  case SMTP_S_EARLY: note(s, "early", RFC5321("4.3.1"), s->line); break;
  case SMTP_S_PIPELINING:
    note(s, "pipelining", "RFC 2920 section 3.1", s->line);
    break;
  case SMTP_S_BARE_LF: note(s, "bare_lf", RFC5321("2.3.8"), s->line); break;
  case SMTP_S_NONE: /* the client went away */
    if (s->ending == GOES_ON && s->stage == OPEN &&
        !smtp_ascii_equal(s->line, SMTP_LIT("QUIT")))
      note(s, "no_quit", RFC5321("4.1.1.10"), s->line);
    break;
  default: break;
  }
}

/* Where the grammar of a command is. LMTP has no EHLO and no HELO. */
static const char *grammar_of(smtp_slice line, bool lmtp) {
  static const struct {
    smtp_slice verb;
    const char *section;
  } grammars[] = {{{"EHLO", 4}, RFC5321("4.1.1.1")},
                  {{"HELO", 4}, RFC5321("4.1.1.1")},
                  {{"MAIL", 4}, RFC5321("4.1.1.2")},
                  {{"RCPT", 4}, RFC5321("4.1.1.3")},
                  {{"DATA", 4}, RFC5321("4.1.1.4")},
                  {{"RSET", 4}, RFC5321("4.1.1.5")},
                  {{"VRFY", 4}, RFC5321("4.1.1.6")},
                  {{"EXPN", 4}, RFC5321("4.1.1.7")},
                  {{"HELP", 4}, RFC5321("4.1.1.8")},
                  {{"NOOP", 4}, RFC5321("4.1.1.9")},
                  {{"QUIT", 4}, RFC5321("4.1.1.10")},
                  {{"LHLO", 4}, "RFC 2033 section 4.1"},
                  {{"BDAT", 4}, "RFC 3030 section 2"},
                  {{"STARTTLS", 8}, "RFC 3207 section 4"},
                  {{"AUTH", 4}, "RFC 4954 section 4"}};
  smtp_slice verb = line;
  size_t i;
  while (verb.n > 0 && (verb.p[0] == ' ' || verb.p[0] == '\t')) {
    verb.p++;
    verb.n--;
  }
  for (i = 0; i < verb.n && verb.p[i] != ' ' && verb.p[i] != '\t'; i++)
    continue;
  verb.n = i;
  if (lmtp && (smtp_ascii_equal(verb, SMTP_LIT("EHLO")) ||
               smtp_ascii_equal(verb, SMTP_LIT("HELO"))))
    return "RFC 2033 section 4.1";
  for (i = 0; i < sizeof grammars / sizeof *grammars; i++)
    if (smtp_ascii_equal(verb, grammars[i].verb)) return grammars[i].section;
  return RFC5321("4.1.1");
}

/* 500 to 509 and 555 say that a command was wrong, whether the machine says it
** or a rule: an unknown one, one out of order, with a parameter that is not
** known, or against its grammar. */
void smtp_mock_judge_reply(smtp_mock_session *s, smtp_slice reply) {
  const char *section;
  if (reply.n < 3 || reply.p[0] != '5') return;
  if (s->excused && memcmp(reply.p, "503", 3) == 0) return;
  if (memcmp(reply.p, "503", 3) == 0)
    section = RFC5321("4.1.4");
  else if (memcmp(reply.p, "555", 3) == 0)
    section = RFC5321("4.1.1.11");
  else if (memcmp(reply.p, "502", 3) == 0)
    section = RFC5321("4.2.4");
  else if (memcmp(reply.p, "50", 2) == 0)
    section = grammar_of(s->line, s->mock->config.lmtp);
  else
    return;
  note(s, "refused_command", section, s->line);
}
