/* SPDX-License-Identifier: MIT */
/* envelope.c: a reader for each parameter, in a table; see envelope.h. */
#include "envelope.h"

#include <string.h>

#include "ascii.h"
#include "ehlo.h"
#include "param.h"
#include "uxtext.h"
#include "xtext.h"

#define XTEXT_MAX 500 /* of ORCPT and AUTH */
#define ENVID_MAX 100
#define BY_DIGITS 9

/* ---- values ---------------------------------------------------------- */

/* A number of digits at *i, at most `most` of them; -1 if there is none. */
static int digits(smtp_slice text, size_t *i, size_t most) {
  size_t from = *i;
  int value = 0;
  while (*i < text.n && *i - from < most &&
         smtp_ascii_is((unsigned char)text.p[*i], SMTP_DIGIT))
    value = value * 10 + (text.p[(*i)++] - '0');
  return *i > from ? value : -1;
}

/* Exactly n digits that are a number from low to high, and what ends them
** (0: nothing special); -1 if they are not there. */
static int field(smtp_slice text, size_t *i, size_t n, int low, int high,
                 char end) {
  size_t from = *i;
  int value = digits(text, i, n);
  if (*i - from != n || value < low || value > high) return -1;
  if (end == 0) return value;
  if (*i == text.n) return -1;
  return smtp_ascii_lower((unsigned char)text.p[(*i)++]) == end ? value : -1;
}

static int days_of(int year, int month) {
  static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return days[month - 1] + (month == 2 && leap);
}

/* full-date "T": days since 1970 of the Gregorian calendar. A year begins with
** March here, so that the odd day is its last. */
static bool read_date(smtp_slice text, size_t *i, int64_t *days) {
  int year = field(text, i, 4, 0, 9999, '-');
  int month = year < 0 ? -1 : field(text, i, 2, 1, 12, '-');
  int day = month < 0 ? -1 : field(text, i, 2, 1, days_of(year, month), 't');
  if (day < 0) return false;
  year += 400 - (month < 3); /* not negative; an era has 146097 days */
  month = (month + 9) % 12;
  *days = (int64_t)year * 365 + year / 4 - year / 100 + year / 400 +
          (153 * month + 2) / 5 + day - 1 - 146097 - 719468;
  return true;
}

/* "Z", or an offset: seconds before UTC; false if it is neither. */
static bool read_offset(smtp_slice text, size_t *i, int *seconds) {
  int hours, minutes;
  char sign = *i < text.n ? text.p[(*i)++] : '?';
  *seconds = 0;
  if (smtp_ascii_lower((unsigned char)sign) == 'z') return true;
  if (sign != '+' && sign != '-') return false;
  hours = field(text, i, 2, 0, 23, ':');
  minutes = hours < 0 ? -1 : field(text, i, 2, 0, 59, 0);
  *seconds = (hours * 60 + minutes) * (sign == '-' ? -60 : 60);
  return minutes >= 0;
}

int smtp_date_time_parse(smtp_slice text, int64_t *seconds) {
  int64_t days;
  size_t i = 0;
  int hour, minute, second, offset;
  if (!read_date(text, &i, &days)) return SMTP_ESYNTAX;
  hour = field(text, &i, 2, 0, 23, ':');
  minute = hour < 0 ? -1 : field(text, &i, 2, 0, 59, ':');
  second = minute < 0 ? -1 : field(text, &i, 2, 0, 60, 0);
  if (second < 0) return SMTP_ESYNTAX;
  if (i < text.n && text.p[i] == '.') { /* time-secfrac */
    size_t from = ++i;
    while (i < text.n && smtp_ascii_is((unsigned char)text.p[i], SMTP_DIGIT))
      i++;
    if (i == from) return SMTP_ESYNTAX;
  }
  if (!read_offset(text, &i, &offset) || i != text.n) return SMTP_ESYNTAX;
  *seconds = days * 86400 + hour * 3600 + minute * 60 + second - offset;
  return 0;
}

static bool is_date_time(smtp_slice text) {
  int64_t seconds;
  return smtp_date_time_parse(text, &seconds) == 0;
}

typedef int decoder(smtp_buf *out, smtp_slice in);

/* Text of at most `most` octets that stands for at least one. */
static bool is_read_by(decoder *decode, smtp_slice text, size_t most) {
  char room[XTEXT_MAX];
  smtp_buf decoded;
  if (text.n == 0 || text.n > most) return false;
  smtp_buf_init(&decoded, NULL, sizeof room);
  decoded.p = room;
  decoded.size = sizeof room;
  return decode(&decoded, text) == 0;
}

static bool is_xtext(smtp_slice text, size_t most) {
  return is_read_by(smtp_xtext_parse, text, most);
}

/* The place of a word in a list of words, or -1. */
static int word_of(smtp_slice word, const smtp_slice *words, int n) {
  int i;
  for (i = 0; i < n; i++)
    if (smtp_ascii_equal(word, words[i])) return i;
  return -1;
}

/* ---- MAIL ------------------------------------------------------------ */

typedef struct reading {
  smtp_mail_params *mail;
  smtp_rcpt_params *rcpt;
  unsigned offered;
} reading;

/* Reads a value; false: it is malformed. */
typedef bool reader(reading *r, const smtp_param *param);

/* size-value ::= 1*20DIGIT */
static bool read_size(reading *r, const smtp_param *param) {
  r->mail->has_size = true;
  return smtp_ascii_number(param->value, &r->mail->size) == 0;
}

static bool read_body(reading *r, const smtp_param *param) {
  static const smtp_slice words[] = {
      {"7BIT", 4}, {"8BITMIME", 8}, {"BINARYMIME", 10}};
  bool binary = (r->offered & SMTP_EXT_BINARYMIME) != 0;
  int i = word_of(param->value, words, binary ? 3 : 2);
  r->mail->body = (smtp_body)(i + 1);
  return i >= 0;
}

/* xtext (RFC 4954 section 5), or "<>" */
static bool read_auth(reading *r, const smtp_param *param) {
  smtp_slice v = r->mail->auth = param->value;
  r->mail->has_auth = true;
  return (v.n == 2 && memcmp(v.p, "<>", 2) == 0) || is_xtext(v, XTEXT_MAX);
}

static bool read_smtputf8(reading *r, const smtp_param *param) {
  r->mail->smtputf8 = true;
  return !param->has_value;
}

static bool read_requiretls(reading *r, const smtp_param *param) {
  r->mail->requiretls = true;
  return !param->has_value;
}

static bool read_prdr(reading *r, const smtp_param *param) {
  r->mail->prdr = true;
  return !param->has_value;
}

static bool read_ret(reading *r, const smtp_param *param) {
  static const smtp_slice words[] = {{"FULL", 4}, {"HDRS", 4}};
  int i = word_of(param->value, words, 2);
  r->mail->ret = (smtp_ret)(i + 1);
  return i >= 0;
}

static bool read_envid(reading *r, const smtp_param *param) {
  r->mail->envid = param->value;
  return is_xtext(param->value, ENVID_MAX);
}

/* by-value = by-time ";" by-mode [by-trace]; by-time = ["-" / "+"] 1*9digit;
** to return what is late already is no use (section 4). */
static bool read_by(reading *r, const smtp_param *param) {
  smtp_slice v = param->value;
  size_t i = v.n > 0 && (v.p[0] == '-' || v.p[0] == '+');
  bool minus = i == 1 && v.p[0] == '-';
  int seconds = digits(v, &i, BY_DIGITS);
  char mode;
  if (seconds < 0 || i + 2 > v.n || v.p[i] != ';') return false;
  mode = (char)smtp_ascii_lower((unsigned char)v.p[i + 1]);
  r->mail->has_by = true;
  r->mail->by.seconds = minus ? -seconds : seconds;
  r->mail->by.returns = mode == 'r';
  r->mail->by.trace = i + 3 == v.n;
  if (i + 3 < v.n || (mode != 'r' && mode != 'n')) return false;
  if (r->mail->by.trace && smtp_ascii_lower((unsigned char)v.p[i + 2]) != 't')
    return false;
  return mode == 'n' || r->mail->by.seconds > 0;
}

/* priority-value = (["-"] NZDIGIT) / "0" */
static bool read_priority(reading *r, const smtp_param *param) {
  smtp_slice v = param->value;
  bool minus = v.n == 2 && v.p[0] == '-';
  char c = v.n == 1u + minus ? v.p[v.n - 1] : '?';
  r->mail->has_priority = true;
  r->mail->priority = minus ? '0' - c : c - '0';
  return c >= (minus ? '1' : '0') && c <= '9';
}

/* future-release-integer = 1*9DIGIT, not 0; only one of the two may come. */
static bool read_hold_for(reading *r, const smtp_param *param) {
  size_t i = 0;
  int seconds = digits(param->value, &i, 9);
  r->mail->has_hold_for = true;
  r->mail->hold_for = (uint64_t)(seconds > 0 ? seconds : 0);
  return seconds > 0 && i == param->value.n && r->mail->hold_until.n == 0;
}

static bool read_hold_until(reading *r, const smtp_param *param) {
  r->mail->hold_until = param->value;
  return is_date_time(param->value) && !r->mail->has_hold_for;
}

/* ---- RCPT ------------------------------------------------------------ */

/* notify-esmtp-value = "NEVER" / 1#notify-list-element */
static bool read_notify(reading *r, const smtp_param *param) {
  static const smtp_slice words[] = {
      {"NEVER", 5}, {"SUCCESS", 7}, {"FAILURE", 7}, {"DELAY", 5}};
  smtp_slice rest = param->value;
  unsigned all = 0;
  do {
    const char *comma = rest.n > 0 ? memchr(rest.p, ',', rest.n) : NULL;
    size_t n = comma == NULL ? rest.n : (size_t)(comma - rest.p);
    int i = word_of((smtp_slice){rest.p, n}, words, 4);
    if (i < 0 || (comma != NULL && n + 1 == rest.n)) return false;
    all |= 1u << i;
    rest.p += n + (comma != NULL);
    rest.n -= n + (comma != NULL);
  } while (rest.n > 0);
  r->rcpt->notify = all;
  return (all & SMTP_NOTIFY_NEVER) == 0 || all == SMTP_NOTIFY_NEVER;
}

/* original-recipient-address = addr-type ";" xtext, or for the type utf-8 what
** RFC 6533 section 3 has. */
int smtp_orcpt_parse(smtp_buf *out, smtp_slice in) {
  const char *mark = in.n > 0 ? memchr(in.p, ';', in.n) : NULL;
  smtp_slice type = {in.p, mark == NULL ? 0 : (size_t)(mark - in.p)};
  smtp_slice text = {NULL, 0};
  size_t before = smtp_buf_length(out);
  decoder *decode = smtp_ascii_equal(type, SMTP_LIT("utf-8"))
                        ? smtp_uxtext_parse
                        : smtp_xtext_parse;
  int result;
  if (type.n == 0 || type.n + 1 == in.n) return SMTP_ESYNTAX;
  text = (smtp_slice){mark + 1, in.n - type.n - 1};
  for (size_t i = 0; i < type.n; i++)
    if (!smtp_ascii_is((unsigned char)type.p[i], SMTP_ATEXT))
      return SMTP_ESYNTAX;
  result = smtp_buf_append(out, in.p, type.n + 1);
  if (result == 0) result = decode(out, text);
  if (result != 0) smtp_buf_truncate(out, before);
  return result;
}

static bool read_orcpt(reading *r, const smtp_param *param) {
  smtp_slice v = r->rcpt->orcpt = param->value;
  if (smtp_ascii_eightbit(v) && (r->offered & SMTP_EXT_SMTPUTF8) == 0)
    return false;
  return is_read_by(smtp_orcpt_parse, v, XTEXT_MAX);
}

/* rrvs-param = "RRVS=" date-time [ ";" ( "C" / "R" ) ] */
static bool read_rrvs(reading *r, const smtp_param *param) {
  smtp_slice v = r->rcpt->rrvs = param->value;
  if (v.n > 2 && v.p[v.n - 2] == ';') {
    unsigned char action = smtp_ascii_lower((unsigned char)v.p[v.n - 1]);
    if (action != 'c' && action != 'r') return false;
    v.n -= 2;
  }
  return is_date_time(v);
}

/* ---- the tables ------------------------------------------------------ */

typedef struct known {
  smtp_slice key;
  unsigned extension; /* that has to be offered for it */
  reader *read;
} known;

#define KNOWN(key, extension, read) \
  { {key, sizeof(key) - 1}, SMTP_EXT_##extension, read }

static const known mail_known[] = {
    KNOWN("SIZE", SIZE, read_size),
    KNOWN("BODY", 8BITMIME, read_body),
    KNOWN("AUTH", AUTH, read_auth),
    KNOWN("SMTPUTF8", SMTPUTF8, read_smtputf8),
    KNOWN("RET", DSN, read_ret),
    KNOWN("ENVID", DSN, read_envid),
    KNOWN("REQUIRETLS", REQUIRETLS, read_requiretls),
    KNOWN("PRDR", PRDR, read_prdr),
    KNOWN("BY", DELIVERBY, read_by),
    KNOWN("MT-PRIORITY", MT_PRIORITY, read_priority),
    KNOWN("HOLDFOR", FUTURERELEASE, read_hold_for),
    KNOWN("HOLDUNTIL", FUTURERELEASE, read_hold_until)};

static const known rcpt_known[] = {KNOWN("NOTIFY", DSN, read_notify),
                                   KNOWN("ORCPT", DSN, read_orcpt),
                                   KNOWN("RRVS", RRVS, read_rrvs)};

static int read_all(reading *r, const known *list, size_t n, smtp_slice in,
                    const smtp_param_rules *rules) {
  unsigned seen = 0; /* a bit for each of the list */
  smtp_param param;
  int more, result = 0;
  r->offered = rules->offered;
  if (rules->strict && in.n > 0 && memchr(in.p, '\t', in.n) != NULL)
    return SMTP_ESYNTAX;
  while ((more = smtp_param_next(&in, &param)) > 0) {
    size_t i = 0;
    while (i < n && !smtp_ascii_equal(param.key, list[i].key)) i++;
    if (i == n) {
      if (!smtp_ascii_listed(rules->own, param.key)) result = SMTP_EINVALID;
    } else if ((list[i].extension & rules->offered) == 0) {
      result = SMTP_EINVALID;
    } else if ((seen & 1u << i) != 0 || !list[i].read(r, &param)) {
      return SMTP_ESYNTAX;
    } else {
      seen |= 1u << i;
    }
  }
  return more != 0 ? more : result;
}

int smtp_mail_params_parse(smtp_mail_params *out, smtp_slice in,
                           const smtp_param_rules *rules) {
  reading r = {out, NULL, 0};
  memset(out, 0, sizeof *out);
  return read_all(&r, mail_known, sizeof mail_known / sizeof *mail_known, in,
                  rules);
}

int smtp_rcpt_params_parse(smtp_rcpt_params *out, smtp_slice in,
                           const smtp_param_rules *rules) {
  reading r = {NULL, out, 0};
  memset(out, 0, sizeof *out);
  return read_all(&r, rcpt_known, sizeof rcpt_known / sizeof *rcpt_known, in,
                  rules);
}
