/* SPDX-License-Identifier: MIT */
/*
** server_command.c: the commands of a session (RFC 5321 section 4.1.1): a
** table of the states in which each is legal, and of their checks. A check
** gives 1 with an event that asks, 0 if it has answered itself, or a failure.
*/
#include "ascii.h"
#include "ehlo.h"
#include "server_state.h"

typedef int check(smtp_server *s, const smtp_command *c,
                  smtp_server_event *event);

static unsigned path_flags(const smtp_server *s, unsigned flags) {
  return s->config->strict ? flags | SMTP_PATH_STRICT | SMTP_PATH_ULABEL
                           : flags;
}

/* The event asks: its verdict is due before the next one. */
static int ask(smtp_server *s, smtp_server_event *event,
               smtp_server_event_type type) {
  event->type = s->asked = type;
  return 1;
}

/* Counts NOOP, RSET, VRFY and HELP between messages; true beyond the limit. */
static bool junk(smtp_server *s) {
  return ++s->count.junk > s->config->limits.junk;
}

/* ---- checks ---------------------------------------------------------- */

static int check_helo(smtp_server *s, const smtp_command *c,
                      smtp_server_event *event) {
  /* Before any MAIL there is no SMTPUTF8 (RFC 6531 section 3.7.1). */
  if (smtp_ascii_eightbit(c->args) ||
      smtp_path_check_domain(c->args, path_flags(s, 0)) != 0)
    return smtp_server_answer(s, SMTP_S_BAD_HELO);
  s->peer.greets_esmtp = event->esmtp = c->verb != SMTP_VERB_HELO;
  event->text = c->args;
  return ask(s, event, SMTP_SERVER_HELO);
}

/* Reads the path of MAIL or RCPT: 0, or the situation of a wrong one. */
static smtp_situation parse_path(smtp_server *s, const smtp_command *c,
                                 smtp_slice word, unsigned flags,
                                 smtp_situation bad, smtp_slice *params) {
  int r =
      smtp_command_path(c->args, word, path_flags(s, flags), &s->path, params);
  if (r == SMTP_ETOOBIG) return SMTP_S_PATH_LENGTH;
  return r != 0 ? bad : SMTP_S_NONE;
}

/* The rules for parameters: those that EHLO has offered are legal. */
static smtp_param_rules param_rules(const smtp_server *s, smtp_slice own) {
  smtp_param_rules rules = {smtp_server_extensions(s) | SMTP_EXT_SIZE |
                                SMTP_EXT_8BITMIME,
                            own, s->config->strict};
  if (s->config->auth != 0) rules.offered |= SMTP_EXT_AUTH;
  return rules;
}

/* The situation of a result of parsing parameters; HELO allows none. */
static smtp_situation params_situation(const smtp_server *s, int result,
                                       smtp_slice params) {
  if (result == SMTP_EINVALID || (!s->peer.esmtp && params.n > 0))
    return SMTP_S_UNKNOWN_PARAM;
  return result == 0 ? SMTP_S_NONE : SMTP_S_SYNTAX;
}

static int check_mail(smtp_server *s, const smtp_command *c,
                      smtp_server_event *event) {
  const smtp_server_limits *limits = &s->config->limits;
  smtp_param_rules rules = param_rules(s, s->config->mail_own);
  smtp_slice params;
  smtp_situation why;
  if (s->count.messages >= limits->messages)
    return smtp_server_answer(s, SMTP_S_MESSAGES);
  why = parse_path(s, c, SMTP_LIT("FROM:"), SMTP_PATH_NULL, SMTP_S_BAD_SENDER,
                   &params);
  if (why == SMTP_S_NONE)
    why = params_situation(
        s, smtp_mail_params_parse(&event->mail, params, &rules), params);
  if (why == SMTP_S_NONE && s->path.eightbit && !event->mail.smtputf8)
    why = SMTP_S_NEEDS_UTF8;
  if (why == SMTP_S_NONE && event->mail.size > limits->message_size)
    why = SMTP_S_TOO_BIG;
  if (why != SMTP_S_NONE) return smtp_server_answer(s, why);
  s->mail.body = event->mail.body;
  s->mail.utf8 = event->mail.smtputf8;
  s->mail.prdr = event->mail.prdr;
  if (!s->peer.authenticated)
    event->mail.auth = SMTP_LIT("<>"); /* RFC 4954 5 */
  event->path = &s->path;
  event->params = params;
  return ask(s, event, SMTP_SERVER_MAIL);
}

static int check_rcpt(smtp_server *s, const smtp_command *c,
                      smtp_server_event *event) {
  smtp_param_rules rules = param_rules(s, s->config->rcpt_own);
  smtp_slice params;
  smtp_situation why;
  if (s->mail.recipients >= s->config->limits.recipients)
    return smtp_server_answer(s, ++s->mail.over > SMTP_RECIPIENTS_OVER
                                     ? SMTP_S_ALL_RECIPIENTS
                                     : SMTP_S_RECIPIENTS);
  why = parse_path(s, c, SMTP_LIT("TO:"), SMTP_PATH_POSTMASTER,
                   SMTP_S_BAD_RECIPIENT, &params);
  if (why == SMTP_S_NONE)
    why = params_situation(
        s, smtp_rcpt_params_parse(&event->rcpt, params, &rules), params);
  if (why == SMTP_S_NONE && s->path.eightbit && !s->mail.utf8)
    why = SMTP_S_NEEDS_UTF8;
  if (why != SMTP_S_NONE) return smtp_server_answer(s, why);
  event->path = &s->path;
  event->params = params;
  return ask(s, event, SMTP_SERVER_RCPT);
}

static int check_data(smtp_server *s, const smtp_command *c,
                      smtp_server_event *event) {
  if (c->args.n > 0) return smtp_server_answer(s, SMTP_S_NO_ARGUMENT);
  if (s->mail.body == SMTP_BODY_BINARYMIME) /* RFC 3030 section 3 */
    return smtp_server_answer(s, SMTP_S_SEQUENCE);
  return ask(s, event, SMTP_SERVER_DATA);
}

static int check_rset(smtp_server *s, const smtp_command *c,
                      smtp_server_event *event) {
  (void)event;
  if (c->args.n > 0) return smtp_server_answer(s, SMTP_S_NO_ARGUMENT);
  if (junk(s)) return smtp_server_answer(s, SMTP_S_JUNK);
  smtp_server_abandon(s);
  return smtp_server_answer(s, SMTP_S_RESET);
}

static int check_noop(smtp_server *s, const smtp_command *c,
                      smtp_server_event *event) {
  (void)c;
  (void)event;
  return smtp_server_answer(s, junk(s) ? SMTP_S_JUNK : SMTP_S_NOOP);
}

static int check_help(smtp_server *s, const smtp_command *c,
                      smtp_server_event *event) {
  (void)c;
  (void)event;
  return smtp_server_answer(s, junk(s) ? SMTP_S_JUNK : SMTP_S_HELP);
}

/* Takes the parameter SMTPUTF8 off the end of VRFY's argument (RFC 6531
** section 3.7.4.2); whether it was there. */
static bool cut_utf8(const smtp_server *s, smtp_slice *text) {
  smtp_slice word = SMTP_LIT("SMTPUTF8"), end = *text;
  if ((s->config->extensions & SMTP_EXT_SMTPUTF8) == 0) return false;
  if (text->n < word.n + 2) return false;
  end.p += text->n - word.n - 1;
  end.n = word.n + 1;
  if (end.p[0] != ' ' ||
      !smtp_ascii_equal((smtp_slice){end.p + 1, word.n}, word))
    return false;
  text->n -= end.n;
  while (text->n > 0 && text->p[text->n - 1] == ' ') text->n--;
  return true;
}

static int check_vrfy(smtp_server *s, const smtp_command *c,
                      smtp_server_event *event) {
  if (junk(s)) return smtp_server_answer(s, SMTP_S_JUNK);
  event->text = c->args;
  s->line.utf8 = cut_utf8(s, &event->text);
  if (event->text.n == 0) return smtp_server_answer(s, SMTP_S_SYNTAX);
  if (smtp_ascii_eightbit(c->args) && !s->line.utf8)
    return smtp_server_answer(s, SMTP_S_NEEDS_UTF8);
  return ask(s, event, SMTP_SERVER_VRFY);
}

static int check_quit(smtp_server *s, const smtp_command *c,
                      smtp_server_event *event) {
  (void)event;
  return smtp_server_answer(s,
                            c->args.n > 0 ? SMTP_S_NO_ARGUMENT : SMTP_S_QUIT);
}

static int check_own(smtp_server *s, const smtp_command *c,
                     smtp_server_event *event) {
  event->verb = c->name;
  event->text = c->args;
  return ask(s, event, SMTP_SERVER_COMMAND);
}

/* ---- the table ------------------------------------------------------- */

#define ANY (ST_START | ST_READY | ST_MAIL | ST_RCPT)

/* ends: nothing may be pipelined behind it (RFC 2920 section 3.1). A verb
** without a check has its place here and is not implemented yet. */
static const struct {
  unsigned states;
  bool ends;
  check *check;
} commands[SMTP_VERB_COUNT] = {
    [SMTP_VERB_HELO] = {ANY, true, check_helo},
    [SMTP_VERB_EHLO] = {ANY, true, check_helo},
    [SMTP_VERB_LHLO] = {ANY, true, check_helo},
    [SMTP_VERB_MAIL] = {ST_READY, false, check_mail},
    [SMTP_VERB_RCPT] = {ST_MAIL | ST_RCPT, false, check_rcpt},
    [SMTP_VERB_DATA] = {ST_RCPT, true, check_data},
    [SMTP_VERB_BDAT] = {0, false, NULL}, /* smtp_server_chunk */
    [SMTP_VERB_RSET] = {ANY | ST_CHUNKS, false, check_rset},
    [SMTP_VERB_NOOP] = {ANY | ST_CHUNKS, true, check_noop},
    [SMTP_VERB_VRFY] = {ANY, true, check_vrfy},
    [SMTP_VERB_EXPN] = {ANY, true, NULL},
    [SMTP_VERB_HELP] = {ANY, true, check_help},
    [SMTP_VERB_QUIT] = {ANY | ST_CHUNKS | ST_REFUSED, true, check_quit},
    [SMTP_VERB_STARTTLS] = {ANY, true, smtp_server_starttls},
    [SMTP_VERB_AUTH] = {ST_READY, true, smtp_server_auth},
    [SMTP_VERB_XCLIENT] = {ST_START | ST_READY, true, smtp_server_forward},
    [SMTP_VERB_XFORWARD] = {ST_START | ST_READY, false, smtp_server_forward},
};

/* A command before what the server requires (RFC 3207 section 4, RFC 4954
** section 6), or NONE. */
static smtp_situation check_policy(const smtp_server *s, smtp_verb verb) {
  switch (verb) {
  case SMTP_VERB_EHLO:
  case SMTP_VERB_LHLO:
  case SMTP_VERB_NOOP:
  case SMTP_VERB_STARTTLS:
  case SMTP_VERB_QUIT: return SMTP_S_NONE;
  case SMTP_VERB_HELO:
  case SMTP_VERB_RSET:
  case SMTP_VERB_HELP:
  case SMTP_VERB_XCLIENT:
  case SMTP_VERB_XFORWARD:
  case SMTP_VERB_AUTH: break;
  default:
    if (s->config->auth_required && !s->peer.authenticated &&
        (s->peer.secured || !s->config->tls_required))
      return SMTP_S_NEEDS_AUTH;
  }
  return s->config->tls_required && !s->peer.secured ? SMTP_S_NEEDS_TLS
                                                     : SMTP_S_NONE;
}

/* RFC 2033 section 4.1: SMTP has no LHLO, and LMTP has no HELO and EHLO. */
static bool is_strange(const smtp_server *s, smtp_verb verb) {
  if (verb == SMTP_VERB_HELO || verb == SMTP_VERB_EHLO) return s->config->lmtp;
  return verb == SMTP_VERB_LHLO && !s->config->lmtp;
}

/* Not offered: as if there were no such verb. */
static bool is_absent(const smtp_server *s, smtp_verb verb) {
  return commands[verb].check == NULL || is_strange(s, verb) ||
         (verb == SMTP_VERB_STARTTLS && !s->config->tls) ||
         (verb == SMTP_VERB_AUTH && s->config->auth == 0);
}

static bool is_own(const smtp_server *s, smtp_slice name) {
  return smtp_ascii_listed(s->config->verbs, name);
}

/* Checks the bytes of a line, before its verb is read. */
static smtp_situation check_bytes(smtp_slice line) {
  size_t i;
  for (i = 0; i < line.n; i++)
    if (line.p[i] == 0) return SMTP_S_NUL;
  return smtp_utf8_valid(line) ? SMTP_S_NONE : SMTP_S_NOT_UTF8;
}

static int other(smtp_server *s, const smtp_command *c, smtp_slice line) {
  if (smtp_command_foreign(line, s->config->verbs))
    return smtp_server_answer(s, SMTP_S_FOREIGN);
  return smtp_server_answer(s,
                            c->verb == SMTP_VERB_OTHER || is_strange(s, c->verb)
                                ? SMTP_S_UNKNOWN
                                : SMTP_S_NOT_IMPLEMENTED);
}

/* The reason against a BDAT here, or NONE. */
static smtp_situation may_chunk(const smtp_server *s) {
  smtp_situation why = check_policy(s, SMTP_VERB_BDAT);
  if (s->state == ST_REFUSED) return SMTP_S_SEQUENCE;
  if (why != SMTP_S_NONE) return why;
  if ((s->config->extensions & SMTP_EXT_CHUNKING) == 0)
    return SMTP_S_NOT_IMPLEMENTED;
  if (s->state == ST_MAIL) return SMTP_S_NO_RECIPIENTS;
  return s->peer.esmtp && (s->state & (ST_RCPT | ST_CHUNKS)) != 0
             ? SMTP_S_NONE
             : SMTP_S_SEQUENCE;
}

/* BDAT with another character than a space after it, such as a tab: a chunk may
** follow, and readers would disagree about its length. */
static bool is_broken_chunk(smtp_slice line) {
  smtp_slice bdat = SMTP_LIT("BDAT");
  return line.n > bdat.n && smtp_ascii_begins(line, bdat) &&
         line.p[bdat.n] != ' ';
}

int smtp_server_line(smtp_server *s, smtp_slice line,
                     smtp_server_event *event) {
  smtp_command c = {SMTP_VERB_OTHER, {"", 0}, {"", 0}};
  smtp_situation why = check_bytes(line);
  bool parsed = smtp_command_parse(&c, line, s->config->strict) == 0;
  if ((!parsed || c.verb == SMTP_VERB_BDAT) && is_broken_chunk(line))
    return smtp_server_answer(s, SMTP_S_BAD_CHUNK);
  if (parsed && c.verb == SMTP_VERB_BDAT)
    return why != SMTP_S_NONE
               ? smtp_server_answer(s, SMTP_S_BAD_CHUNK)
               : smtp_server_chunk(s, c.args, may_chunk(s), event);
  if (why != SMTP_S_NONE) return smtp_server_answer(s, why);
  if (!parsed) return other(s, &c, line);
  c.verb = smtp_server_known(s, c.verb);
  if (commands[c.verb].ends && smtp_buf_length(&s->in) > 0)
    return smtp_server_answer(s, SMTP_S_PIPELINING);
  if (s->state == ST_REFUSED && c.verb != SMTP_VERB_QUIT)
    return smtp_server_answer(s, SMTP_S_SEQUENCE);
  why = check_policy(s, c.verb);
  if (why != SMTP_S_NONE && !is_strange(s, c.verb) &&
      !(c.verb == SMTP_VERB_OTHER && !is_own(s, c.name)))
    return smtp_server_answer(s, why);
  if ((is_absent(s, c.verb) || c.verb == SMTP_VERB_HELP) && is_own(s, c.name))
    return check_own(s, &c, event);
  if (is_absent(s, c.verb)) return other(s, &c, line);
  if ((commands[c.verb].states & (unsigned)s->state) == 0)
    return smtp_server_answer(s, c.verb == SMTP_VERB_DATA && s->state == ST_MAIL
                                     ? SMTP_S_NO_RECIPIENTS
                                     : SMTP_S_SEQUENCE);
  return commands[c.verb].check(s, &c, event);
}
