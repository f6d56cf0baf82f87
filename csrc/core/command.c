/* SPDX-License-Identifier: MIT */
/*
** command.c: command lines, taken apart and made (RFC 5321 sections 2.4 and
** 4.1.1). Making one is where an injection would happen, so there is no other
** writer of commands in the library and it refuses what it would have to mend.
*/
#include "command.h"

#include "ascii.h"

static const smtp_slice names[SMTP_VERB_COUNT] = {
    [SMTP_VERB_OTHER] = {"", 0},
#define VERB(name) [SMTP_VERB_##name] = {#name, sizeof(#name) - 1}
    VERB(HELO),
    VERB(EHLO),
    VERB(LHLO),
    VERB(MAIL),
    VERB(RCPT),
    VERB(DATA),
    VERB(BDAT),
    VERB(RSET),
    VERB(NOOP),
    VERB(VRFY),
    VERB(EXPN),
    VERB(HELP),
    VERB(QUIT),
    VERB(STARTTLS),
    VERB(AUTH),
    VERB(XCLIENT),
    VERB(XFORWARD),
#undef VERB
};

smtp_slice smtp_command_name(smtp_verb verb) {
  return names[verb < SMTP_VERB_COUNT ? verb : SMTP_VERB_OTHER];
}

smtp_verb smtp_command_verb(smtp_slice name) {
  int verb;
  for (verb = SMTP_VERB_OTHER + 1; verb < SMTP_VERB_COUNT; verb++)
    if (smtp_ascii_equal(name, names[verb])) return (smtp_verb)verb;
  return SMTP_VERB_OTHER;
}

static smtp_slice skip(smtp_slice s, size_t n) {
  return (smtp_slice){s.p + n, s.n - n};
}

static size_t verb_length(smtp_slice s) {
  size_t n = 0;
  while (n < s.n &&
         (smtp_ascii_is((unsigned char)s.p[n], SMTP_ALPHA | SMTP_DIGIT) ||
          s.p[n] == '-'))
    n++;
  return n;
}

int smtp_command_parse(smtp_command *command, smtp_slice line, bool strict) {
  size_t n;

  while (line.n > 0 && smtp_ascii_blank(line.p[line.n - 1], true)) line.n--;
  n = verb_length(line);
  if (n == 0 || (n < line.n && !smtp_ascii_blank(line.p[n], !strict)))
    return SMTP_ESYNTAX;
  command->name = (smtp_slice){line.p, n};
  command->verb = smtp_command_verb(command->name);
  command->args = smtp_ascii_skip_blanks(skip(line, n), !strict);
  return 0;
}

int smtp_command_path(smtp_slice args, smtp_slice word, unsigned flags,
                      smtp_path *path, smtp_slice *params) {
  bool lenient = !(flags & SMTP_PATH_STRICT);
  size_t n = word.n - 1, used = 0; /* without its colon */
  int rc;

  if (args.n < n ||
      !smtp_ascii_equal((smtp_slice){args.p, n}, (smtp_slice){word.p, n}))
    return SMTP_ESYNTAX;
  args = skip(args, n);
  if (lenient) args = smtp_ascii_skip_blanks(args, true);
  if (args.n == 0 || args.p[0] != ':') return SMTP_ESYNTAX;
  args = skip(args, 1);
  if (lenient) args = smtp_ascii_skip_blanks(args, true);
  rc = smtp_path_parse(path, args, flags, &used);
  if (rc < 0) return rc;
  args = skip(args, used);
  if (args.n > 0 && !smtp_ascii_blank(args.p[0], lenient)) return SMTP_ESYNTAX;
  *params = args;
  return 0;
}

/* RFC 9110 section 9.1 and RFC 5789; methods are case-sensitive. */
static bool is_method(smtp_slice word) {
  static const smtp_slice methods[] = {
      {"GET", 3},   {"POST", 4},    {"PUT", 3},   {"HEAD", 4},   {"DELETE", 6},
      {"TRACE", 5}, {"OPTIONS", 7}, {"PATCH", 5}, {"CONNECT", 7}};
  size_t i, k;
  for (i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
    if (word.n != methods[i].n) continue;
    for (k = 0; k < word.n && word.p[k] == methods[i].p[k];) k++;
    if (k == word.n) return true;
  }
  return false;
}

/* token = 1*tchar (RFC 9110 section 5.6.2), atext but for "/=?{}" and ".". */
static bool is_tchar(unsigned char c) {
  if (c == '/' || c == '=' || c == '?' || c == '{' || c == '}') return false;
  return c == '.' || smtp_ascii_is(c, SMTP_ATEXT);
}

/* A verb, or the first word of a command whose blank is missing or is another
** character: "MAILFROM", "Rcpt-To", "EHLO". */
static bool is_command(smtp_slice word) {
  int verb;
  for (verb = SMTP_VERB_OTHER + 1; verb < SMTP_VERB_COUNT; verb++) {
    smtp_slice rest;
    if (!smtp_ascii_begins(word, names[verb])) continue;
    rest = skip(word, names[verb].n);
    if (rest.n == 0) return true;
    if (rest.p[0] == '-' || rest.p[0] == '_' || rest.p[0] == '.')
      rest = skip(rest, 1);
    if (smtp_ascii_equal(rest, SMTP_LIT("FROM")) ||
        smtp_ascii_equal(rest, SMTP_LIT("TO")))
      return true;
  }
  return false;
}

bool smtp_command_foreign(smtp_slice line, smtp_slice own) {
  size_t n = 0;
  smtp_slice word;

  while (n < line.n && is_tchar((unsigned char)line.p[n])) n++;
  if (n == 0 || n == line.n) return false;
  word = (smtp_slice){line.p, n};
  if (line.p[n] == ' ') return is_method(word);
  return line.p[n] == ':' && !is_command(word) && !smtp_ascii_listed(own, word);
}

bool smtp_command_is_args(smtp_slice args, bool utf8) {
  size_t i;
  for (i = 0; i < args.n; i++)
    if (smtp_ascii_is((unsigned char)args.p[i], SMTP_CONTROL)) return false;
  if (!smtp_ascii_eightbit(args)) return true;
  return utf8 && smtp_utf8_valid(args);
}

int smtp_command_format(smtp_buf *out, smtp_slice name, smtp_slice args,
                        bool utf8) {
  size_t before = smtp_buf_length(out);
  int rc;

  if (name.n == 0 || verb_length(name) != name.n ||
      !smtp_command_is_args(args, utf8))
    return SMTP_EINVALID;
  rc = smtp_buf_append_slice(out, name);
  if (rc == 0 && args.n > 0) rc = smtp_buf_append(out, " ", 1);
  if (rc == 0) rc = smtp_buf_append_slice(out, args);
  if (rc == 0) rc = smtp_buf_append(out, "\r\n", 2);
  if (rc < 0) smtp_buf_truncate(out, before);
  return rc;
}
