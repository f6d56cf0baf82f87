/* SPDX-License-Identifier: MIT */
/*
** status.c: enhanced status codes, and the table of what the library says
** (codes: RFC 5321 section 4.2.3, RFC 4954 section 6; statuses: RFC 3463 and
** the registry of RFC 5248). The greeting and replies to HELO and EHLO have
** no status (RFC 2034 section 3), nor has a 3xx.
*/
#include "status.h"

#include "ascii.h"

/*
** 1*3digit at text[*i], without a zero in front (RFC 3463 section 2); false
** if there is none. Four digits give three, and what follows is refused.
*/
static bool number(unsigned short *value, smtp_slice text, size_t *i) {
  size_t begin = *i;
  *value = 0;
  while (*i < text.n && *i < begin + 3 &&
         smtp_ascii_is((unsigned char)text.p[*i], SMTP_DIGIT))
    *value = (unsigned short)(*value * 10 + (text.p[(*i)++] - '0'));
  return *i > begin && (*i == begin + 1 || text.p[begin] != '0');
}

static bool dot(smtp_slice text, size_t *i) {
  return *i < text.n && text.p[(*i)++] == '.';
}

int smtp_status_parse(smtp_status *status, smtp_slice text, size_t *used) {
  smtp_status s = {0, 0, 0};
  size_t i = 0;

  *status = s;
  *used = 0;
  if (!number(&s.class_, text, &i) || !dot(text, &i) ||
      !number(&s.subject, text, &i) || !dot(text, &i) ||
      !number(&s.detail, text, &i))
    return 0;
  if (s.class_ != 2 && s.class_ != 4 && s.class_ != 5) return 0;
  if (i < text.n && text.p[i] != ' ') return 0;
  while (i < text.n && text.p[i] == ' ') i++;
  *status = s;
  *used = i;
  return 1;
}

int smtp_status_format(smtp_buf *out, smtp_status status) {
  size_t before = smtp_buf_length(out);
  int rc;

  if (status.class_ == 0) return 0;
  rc = smtp_buf_append_number(out, status.class_);
  if (rc == 0) rc = smtp_buf_append(out, ".", 1);
  if (rc == 0) rc = smtp_buf_append_number(out, status.subject);
  if (rc == 0) rc = smtp_buf_append(out, ".", 1);
  if (rc == 0) rc = smtp_buf_append_number(out, status.detail);
  if (rc < 0) smtp_buf_truncate(out, before);
  return rc;
}

#define NO_STATUS \
  { 0, 0, 0 }

/* A reply with its line, which is made when this is compiled. */
#define LINE(line) \
  { line "\r\n", sizeof(line) + 1 }
#define PLAIN(code, text) \
  { code, NO_STATUS, text, LINE(#code " " text) }
#define REPLY(code, class, subject, detail, text)                \
  {                                                              \
    code, {class, subject, detail}, text,                        \
        LINE(#code " " #class "." #subject "." #detail " " text) \
  }

static const smtp_default defaults[SMTP_S_COUNT] = {
    [SMTP_S_NONE] = REPLY(451, 4, 3, 0, "Requested action aborted"),
    [SMTP_S_GREETING] = PLAIN(220, "Service ready"),
    [SMTP_S_HELO] = PLAIN(250, "Hello"),
    [SMTP_S_MAIL] = REPLY(250, 2, 1, 0, "Sender OK"),
    [SMTP_S_RCPT] = REPLY(250, 2, 1, 5, "Recipient OK"),
    [SMTP_S_DATA] = PLAIN(354, "Send the message, end with <CRLF>.<CRLF>"),
    [SMTP_S_MESSAGE] = REPLY(250, 2, 0, 0, "Message accepted"),
    [SMTP_S_RESET] = REPLY(250, 2, 0, 0, "Reset"),
    [SMTP_S_NOOP] = REPLY(250, 2, 0, 0, "OK"),
    [SMTP_S_VRFY] = REPLY(
        252, 2, 5, 0, "Cannot VRFY, but will take mail and attempt delivery"),
    [SMTP_S_HELP] = REPLY(214, 2, 0, 0, "See RFC 5321"),
    [SMTP_S_QUIT] = REPLY(221, 2, 0, 0, "Goodbye"),
    [SMTP_S_COMMAND] = REPLY(250, 2, 0, 0, "OK"),
    [SMTP_S_STARTTLS] = REPLY(220, 2, 0, 0, "Ready to start TLS"),
    [SMTP_S_AUTH] = REPLY(235, 2, 7, 0, "Authentication succeeded"),
    [SMTP_S_CHUNK] = REPLY(250, 2, 0, 0, "Chunk received"),
    [SMTP_S_EACH] = PLAIN(353, "A reply for each recipient follows"),

    [SMTP_S_NO_CONNECT] = PLAIN(554, "No SMTP service here for you"),
    [SMTP_S_NO_HELO] = PLAIN(550, "Not accepted under this name"),
    [SMTP_S_NO_MAIL] = REPLY(550, 5, 7, 1, "Sender refused"),
    [SMTP_S_NO_RCPT] = REPLY(550, 5, 1, 1, "No such recipient here"),
    [SMTP_S_NO_DATA] = REPLY(554, 5, 7, 1, "Transaction refused"),
    [SMTP_S_NO_MESSAGE] = REPLY(554, 5, 7, 1, "Message refused"),
    [SMTP_S_NO_VRFY] = REPLY(550, 5, 1, 1, "No such user here"),
    [SMTP_S_NO_COMMAND] = REPLY(502, 5, 5, 1, "Command refused"),
    [SMTP_S_NO_AUTH] =
        REPLY(535, 5, 7, 8, "Authentication credentials invalid"),
    [SMTP_S_NOT_AUTH] = REPLY(454, 4, 7, 0, "Temporary authentication failure"),
    [SMTP_S_FAILED] =
        REPLY(451, 4, 3, 0, "Local error, please try again later"),
    [SMTP_S_NOT_TAKEN] =
        REPLY(451, 4, 3, 0, "Message was not stored, please try again later"),

    [SMTP_S_UNKNOWN] = REPLY(500, 5, 5, 1, "Command not recognized"),
    [SMTP_S_NOT_IMPLEMENTED] = REPLY(502, 5, 5, 1, "Command not implemented"),
    [SMTP_S_SEQUENCE] = REPLY(503, 5, 5, 1, "Bad sequence of commands"),
    [SMTP_S_NO_RECIPIENTS] = REPLY(503, 5, 5, 1, "No valid recipients"),
    [SMTP_S_SYNTAX] = REPLY(501, 5, 5, 4, "Syntax error in arguments"),
    [SMTP_S_NO_ARGUMENT] =
        REPLY(501, 5, 5, 4, "This command takes no argument"),
    [SMTP_S_BAD_HELO] =
        PLAIN(501, "A domain name or an address literal is needed"),
    [SMTP_S_BAD_SENDER] = REPLY(501, 5, 1, 7, "Bad sender address"),
    [SMTP_S_BAD_RECIPIENT] = REPLY(501, 5, 1, 3, "Bad recipient address"),
    [SMTP_S_PATH_LENGTH] = REPLY(501, 5, 5, 4, "Address too long"),
    [SMTP_S_UNKNOWN_PARAM] = REPLY(555, 5, 5, 4, "Parameter not recognized"),
    [SMTP_S_LINE_LENGTH] = REPLY(500, 5, 5, 6, "Line too long"),
    [SMTP_S_NUL] = REPLY(501, 5, 5, 2, "NUL in a command"),
    [SMTP_S_NOT_UTF8] = REPLY(500, 5, 5, 2, "Command is not valid UTF-8"),
    [SMTP_S_NEEDS_UTF8] =
        REPLY(553, 5, 6, 7, "Non-ASCII address needs SMTPUTF8"),
    [SMTP_S_NEEDS_TLS] =
        REPLY(530, 5, 7, 0, "Must issue a STARTTLS command first"),
    [SMTP_S_NEEDS_AUTH] = REPLY(530, 5, 7, 0, "Authentication required"),
    [SMTP_S_CLEARTEXT] =
        REPLY(538, 5, 7, 11, "Encryption required to authenticate"),
    [SMTP_S_NOT_TRUSTED] = REPLY(550, 5, 7, 0, "Not authorized to say this"),
    [SMTP_S_MECHANISM] =
        REPLY(504, 5, 5, 4, "Authentication mechanism not offered"),
    [SMTP_S_CANCELLED] = REPLY(501, 5, 7, 0, "Authentication cancelled"),
    [SMTP_S_BASE64] = REPLY(501, 5, 5, 2, "Cannot decode the response"),
    [SMTP_S_AUTH_LENGTH] =
        REPLY(500, 5, 5, 6, "Authentication exchange too long"),
    [SMTP_S_BARE_LF] = REPLY(500, 5, 5, 2, "Lines must end with CRLF"),
    [SMTP_S_BARE_NEWLINE] =
        REPLY(550, 5, 5, 2, "Bare CR, LF or NUL in message"),
    [SMTP_S_EIGHTBIT] =
        REPLY(550, 5, 6, 3, "8-bit content needs BODY=8BITMIME"),
    [SMTP_S_BAD_CHUNK] =
        REPLY(501, 5, 5, 4, "BDAT needs a size, and LAST or nothing"),
    [SMTP_S_EARLY] = REPLY(554, 5, 5, 0, "Please wait for the greeting"),
    [SMTP_S_PIPELINING] = REPLY(554, 5, 5, 0, "Please wait for replies"),
    [SMTP_S_FOREIGN] = REPLY(421, 4, 7, 0, "This is an SMTP server"),

    [SMTP_S_TOO_BIG] = REPLY(552, 5, 3, 4, "Message too big"),
    [SMTP_S_HEADER_SIZE] = REPLY(552, 5, 3, 4, "Message header too big"),
    [SMTP_S_HOPS] = REPLY(554, 5, 4, 6, "Too many hops, mail loop"),
    [SMTP_S_RECIPIENTS] = REPLY(452, 4, 5, 3, "Too many recipients"),
    [SMTP_S_ALL_RECIPIENTS] = REPLY(421, 4, 5, 3, "Far too many recipients"),
    [SMTP_S_MESSAGES] =
        REPLY(421, 4, 7, 0, "Too many messages in this session"),
    [SMTP_S_ERRORS] = REPLY(421, 4, 7, 0, "Too many errors"),
    [SMTP_S_AUTH_FAILURES] =
        REPLY(421, 4, 7, 0, "Too many failed authentications"),
    [SMTP_S_JUNK] = REPLY(421, 4, 7, 0, "Too many commands without mail"),
    [SMTP_S_CONNECTIONS] = REPLY(421, 4, 7, 0, "Too many connections"),
    [SMTP_S_TIMEOUT] = REPLY(421, 4, 4, 2, "Timeout, closing connection"),
    [SMTP_S_SHUTDOWN] = REPLY(421, 4, 3, 2, "Shutting down, try again soon"),
};

const smtp_default *smtp_status_of(smtp_situation situation) {
  bool known = situation > SMTP_S_NONE && situation < SMTP_S_COUNT;
  return &defaults[known ? situation : SMTP_S_NONE];
}

/*
** Subject and detail for a stage. A text of our caller may mean anything, so
** these are the most general that are true: "5.1.1 no such mailbox" would
** make senders drop an address from their lists for what may be a policy.
*/
static smtp_status stage(smtp_situation ok, unsigned short class_) {
  switch (ok) {
  case SMTP_S_MAIL:
    if (class_ == 2) return (smtp_status){2, 1, 0};
    if (class_ == 4) return (smtp_status){4, 3, 0};
    return (smtp_status){5, 7, 1};
  case SMTP_S_RCPT:
    if (class_ == 2) return (smtp_status){2, 1, 5};
    if (class_ == 4) return (smtp_status){4, 2, 0};
    return (smtp_status){5, 1, 0};
  case SMTP_S_DATA:
  case SMTP_S_MESSAGE:
    if (class_ == 2) return (smtp_status){2, 0, 0};
    if (class_ == 4) return (smtp_status){4, 3, 0};
    return (smtp_status){5, 7, 1};
  case SMTP_S_VRFY:
    if (class_ == 2) return (smtp_status){2, 5, 0};
    if (class_ == 4) return (smtp_status){4, 2, 0};
    return (smtp_status){5, 1, 0};
  default: /* RFC 3463: only the class of the status is known */
    return (smtp_status){class_, 0, 0};
  }
}

/* RFC 4954 section 6. */
static smtp_status auth_status(unsigned short class_, int code) {
  switch (code) {
  case 534: return (smtp_status){5, 7, 9};
  case 535: return (smtp_status){5, 7, 8};
  case 538: return (smtp_status){5, 7, 11};
  default: return (smtp_status){class_, 7, 0};
  }
}

smtp_status smtp_status_for(smtp_situation ok, int code) {
  unsigned short class_ = (unsigned short)(code / 100);
  bool positive = class_ == 2;

  if (ok == SMTP_S_GREETING || ok == SMTP_S_HELO ||
      !(positive || class_ == 4 || class_ == 5))
    return (smtp_status)NO_STATUS;
  if (ok == SMTP_S_AUTH) return auth_status(class_, code);
  /* x0z is about syntax (RFC 5321 section 4.2.1), x3z about authentication
  ** (RFC 4954 section 6), at whatever stage. */
  if (!positive && code / 10 % 10 == 0) return (smtp_status){class_, 5, 0};
  if (!positive && code / 10 % 10 == 3) return (smtp_status){class_, 7, 0};
  return stage(ok, class_);
}
