/* SPDX-License-Identifier: MIT */
/* client_command.c: the commands of the client machine. */
#include "ascii.h"
#include "client_state.h"

/* In which states a command is legal, whether others may follow it in its
** flight (RFC 2920 section 3.1), and the move that it makes; MOVES: none. */
static const struct command {
  unsigned states;
  bool ends_group;
  smtp_client_step step;
  enum move move;
} commands[SMTP_VERB_COUNT] = {
    [SMTP_VERB_OTHER] = {ST_IDLE, true, SMTP_CLIENT_COMMAND, MOVES},
    [SMTP_VERB_XCLIENT] = {ST_IDLE, true, SMTP_CLIENT_COMMAND, MOVES},
    [SMTP_VERB_XFORWARD] = {ST_IDLE, true, SMTP_CLIENT_COMMAND, MOVES},
    [SMTP_VERB_HELO] = {ST_IDLE, true, SMTP_CLIENT_EHLO, MOVES},
    [SMTP_VERB_EHLO] = {ST_IDLE, true, SMTP_CLIENT_EHLO, MOVES},
    [SMTP_VERB_LHLO] = {ST_IDLE, true, SMTP_CLIENT_EHLO, MOVES},
    [SMTP_VERB_MAIL] = {ST_READY | ST_FINAL, false, SMTP_CLIENT_MAIL,
                        MOVE_MAIL},
    [SMTP_VERB_RCPT] = {ST_MAIL | ST_RCPT, false, SMTP_CLIENT_RCPT, MOVE_RCPT},
    [SMTP_VERB_DATA] = {ST_RCPT, true, SMTP_CLIENT_DATA, MOVE_DATA},
    [SMTP_VERB_BDAT] = {0, false, SMTP_CLIENT_FINAL,
                        MOVES}, /* smtp_client_chunks */
    [SMTP_VERB_RSET] = {ST_IDLE | ST_CHUNKS | ST_FINAL, false, SMTP_CLIENT_RSET,
                        MOVE_RSET},
    [SMTP_VERB_NOOP] = {ST_IDLE, true, SMTP_CLIENT_COMMAND, MOVES},
    [SMTP_VERB_VRFY] = {ST_IDLE, true, SMTP_CLIENT_COMMAND, MOVES},
    [SMTP_VERB_EXPN] = {ST_IDLE, true, SMTP_CLIENT_COMMAND, MOVES},
    [SMTP_VERB_HELP] = {ST_IDLE, true, SMTP_CLIENT_COMMAND, MOVES},
    [SMTP_VERB_QUIT] = {ST_IDLE, true, SMTP_CLIENT_QUIT, MOVE_QUIT},
    [SMTP_VERB_STARTTLS] = {ST_READY, true, SMTP_CLIENT_STARTTLS,
                            MOVE_STARTTLS},
    [SMTP_VERB_AUTH] = {0, true, SMTP_CLIENT_AUTH,
                        MOVES}, /* smtp_client_auth */
};

/* Where SMTPUTF8 lets UTF-8 be: behind a MAIL that asked for it, and in a VRFY
** or EXPN that does so itself (RFC 6531 sections 3.3 and 3.7.4.2). */
static bool has_utf8(const smtp_client *c, smtp_verb verb, smtp_slice args) {
  smtp_slice word = SMTP_LIT(" SMTPUTF8");
  if (verb == SMTP_VERB_MAIL || verb == SMTP_VERB_RCPT) return c->mail.utf8;
  if (verb != SMTP_VERB_VRFY && verb != SMTP_VERB_EXPN) return false;
  if (args.n < word.n || !smtp_client_offered(c, SMTP_EXT_SMTPUTF8))
    return false;
  return smtp_ascii_equal((smtp_slice){args.p + args.n - word.n, word.n}, word);
}

/* Whether a command may be queued now. */
static int may_submit(const smtp_client *c, smtp_verb verb) {
  if (c->failure.code != 0) return c->failure.code;
  if (!smtp_client_is(c, commands[verb].states))
    return c->due.n > 0 && c->state != ST_OVER ? SMTP_EBUSY : SMTP_ESTATE;
  if (!smtp_client_allowed(c, verb)) return SMTP_ESTATE;
  if (!smtp_client_joins(c) ||
      (c->due.n > 0 && (verb == SMTP_VERB_QUIT || verb == SMTP_VERB_STARTTLS)))
    return SMTP_EBUSY;
  return 0;
}

/* A command was appended behind `before` bytes. */
static void submitted(smtp_client *c, smtp_verb verb, size_t before) {
  const struct command *rule = &commands[verb];
  smtp_slice line = smtp_buf_data(&c->io.out);
  line.p += before;
  line.n -= before + 2; /* CRLF */
  smtp_transcript_add(&c->transcript, 0, line, SMTP_LIT(""));
  smtp_client_due_add(c, rule->step, before);
  c->due.group_ended = rule->ends_group;
  c->io.ignored = false;
  if (rule->step == SMTP_CLIENT_EHLO) {
    c->hello.esmtp = verb != SMTP_VERB_HELO;
    c->hello.lmtp = verb == SMTP_VERB_LHLO;
  }
  if (rule->move != MOVES) smtp_client_enter(c, rule->move);
  if (verb != SMTP_VERB_RSET) return;
  smtp_buf_truncate(&c->content.chunk, 0);
  c->messages.open = false;
}

int smtp_client_submit(smtp_client *c, smtp_slice name, smtp_slice args) {
  smtp_verb verb = smtp_command_verb(name);
  size_t before = smtp_buf_length(&c->io.out);
  int r = may_submit(c, verb);
  if (r != 0) return r;
  if (verb == SMTP_VERB_STARTTLS && args.n > 0) return SMTP_EINVALID;
  if (name.n > SMTP_LINE_MAX || args.n > SMTP_LINE_MAX - 3 ||
      name.n + args.n + 3 > SMTP_LINE_MAX) /* SP and CRLF */
    return SMTP_EINVALID;
  if (before > OUT_MAX - SMTP_LINE_MAX) return SMTP_EBUSY;
  r = smtp_client_due_reserve(c);
  if (r == 0)
    r = smtp_command_format(&c->io.out, name, args, has_utf8(c, verb, args));
  if (r == 0) submitted(c, verb, before);
  return r;
}

int smtp_client_submit_line(smtp_client *c, smtp_verb verb, smtp_slice line) {
  size_t before = smtp_buf_length(&c->io.out);
  int r = may_submit(c, verb);
  if (r != 0) return r;
  if (before > OUT_MAX - SMTP_LINE_MAX) return SMTP_EBUSY;
  r = smtp_client_due_reserve(c);
  if (r == 0) r = smtp_buf_append_slice(&c->io.out, line);
  if (r == 0) submitted(c, verb, before);
  return r;
}

int smtp_client_format_path(smtp_buf *out, smtp_verb verb,
                            const smtp_path *path, const smtp_param *params,
                            size_t n, bool utf8) {
  size_t before = smtp_buf_length(out), i;
  smtp_slice line;
  int r =
      smtp_buf_append_slice(out, verb == SMTP_VERB_MAIL ? SMTP_LIT("MAIL FROM:")
                                                        : SMTP_LIT("RCPT TO:"));
  if (r == 0) r = smtp_path_format(out, path);
  for (i = 0; r == 0 && i < n; i++) r = smtp_param_format(out, &params[i]);
  if (r == 0) {
    line = smtp_buf_data(out);
    line.p += before;
    line.n -= before;
    if (line.n + 2 > SMTP_LINE_MAX || !smtp_command_is_args(line, utf8))
      r = SMTP_EINVALID;
  }
  if (r == 0) r = smtp_buf_append(out, "\r\n", 2);
  if (r != 0) smtp_buf_truncate(out, before);
  return r == SMTP_ETOOBIG ? SMTP_EINVALID : r;
}

bool smtp_client_asks(const smtp_client *c, const smtp_param *params, size_t n,
                      smtp_slice key, unsigned extension) {
  size_t i;
  for (i = 0; i < n; i++)
    if (smtp_ascii_equal(params[i].key, key))
      return smtp_client_offered(c, extension);
  return false;
}

int smtp_client_submit_path(smtp_client *c, smtp_verb verb,
                            const smtp_path *path, const smtp_param *params,
                            size_t n) {
  bool is_mail = verb == SMTP_VERB_MAIL;
  bool utf8 = is_mail ? smtp_client_asks(c, params, n, SMTP_LIT("SMTPUTF8"),
                                         SMTP_EXT_SMTPUTF8)
                      : c->mail.utf8;
  smtp_buf line;
  int r;
  if (c->failure.code != 0) return c->failure.code;
  smtp_buf_init(&line, c->mem, 2 * SMTP_LINE_MAX);
  r = smtp_client_format_path(&line, verb, path, params, n, utf8);
  if (r == 0) r = smtp_client_submit_line(c, verb, smtp_buf_data(&line));
  if (r == 0 && is_mail) {
    c->mail.utf8 = utf8;
    c->mail.prdr =
        smtp_client_asks(c, params, n, SMTP_LIT("PRDR"), SMTP_EXT_PRDR);
  }
  smtp_buf_clear(&line);
  return r;
}
