/* SPDX-License-Identifier: MIT */
/*
** param.c: the parameters of MAIL and RCPT (RFC 5321 section 4.1.1.11), SIZE
** (RFC 1870) and BODY (RFC 6152). All of them are read before one that is not
** known is told: a line that is malformed is malformed whatever it asks for.
*/
#include "param.h"

#include "ascii.h"
#include "xtext.h"

#define AUTH_VALUE_MAX 500

/* ALPHA / DIGIT, and the hyphen anywhere but at the start. */
static size_t keyword_length(smtp_slice in) {
  size_t n = 0;
  while (n < in.n &&
         (smtp_ascii_is((unsigned char)in.p[n], SMTP_ALPHA | SMTP_DIGIT) ||
          (n > 0 && in.p[n] == '-')))
    n++;
  return n;
}

/* The bytes of an esmtp-value, UTF-8 among them; 0 if that is broken. */
static size_t value_length(smtp_slice in) {
  size_t n = 0;
  while (n < in.n && ((unsigned char)in.p[n] > 0x7f ||
                      smtp_ascii_is((unsigned char)in.p[n], SMTP_ESMTP)))
    n++;
  return smtp_utf8_valid((smtp_slice){in.p, n}) ? n : 0;
}

static smtp_slice skip(smtp_slice in, size_t n) {
  return (smtp_slice){in.p + n, in.n - n};
}

static smtp_slice skip_spaces(smtp_slice in) {
  size_t n = 0;
  while (n < in.n && in.p[n] == ' ') n++;
  return skip(in, n);
}

int smtp_param_next(smtp_slice *rest, smtp_param *param) {
  if (rest->n == 0) return 0;
  if (rest->p[0] != ' ') return SMTP_ESYNTAX;
  smtp_slice in = skip_spaces(*rest);
  if (in.n == 0) {
    *rest = in;
    return 0;
  }
  param->key = (smtp_slice){in.p, keyword_length(in)};
  if (param->key.n == 0) return SMTP_ESYNTAX;
  in = skip(in, param->key.n);
  param->has_value = in.n > 0 && in.p[0] == '=';
  param->value = (smtp_slice){in.p, 0};
  if (param->has_value) {
    in = skip(in, 1);
    param->value = (smtp_slice){in.p, value_length(in)};
    if (param->value.n == 0) return SMTP_ESYNTAX;
    in = skip(in, param->value.n);
  }
  if (in.n > 0 && in.p[0] != ' ') return SMTP_ESYNTAX;
  *rest = in;
  return 1;
}

int smtp_param_format(smtp_buf *out, const smtp_param *param) {
  size_t before = smtp_buf_length(out);
  if (param->key.n == 0 || keyword_length(param->key) != param->key.n)
    return SMTP_EINVALID;
  if (param->has_value &&
      (param->value.n == 0 || value_length(param->value) != param->value.n))
    return SMTP_EINVALID;
  int result = smtp_buf_append(out, " ", 1);
  if (result == 0) result = smtp_buf_append_slice(out, param->key);
  if (result == 0 && param->has_value) {
    result = smtp_buf_append(out, "=", 1);
    if (result == 0) result = smtp_buf_append_slice(out, param->value);
  }
  if (result != 0) smtp_buf_truncate(out, before);
  return result;
}

/* size-value ::= 1*20DIGIT. A second SIZE, or one without value, is wrong. */
static int read_size(smtp_mail_params *out, const smtp_param *param) {
  if (out->has_size) return SMTP_ESYNTAX;
  if (smtp_ascii_number(param->value, &out->size) != 0) return SMTP_ESYNTAX;
  out->has_size = true;
  return 0;
}

/* body-value ::= "7BIT" / "8BITMIME", in any case and only once. */
static int read_body(smtp_mail_params *out, const smtp_param *param) {
  if (out->body != SMTP_BODY_UNSET) return SMTP_ESYNTAX;
  if (smtp_ascii_equal(param->value, SMTP_LIT("7BIT")))
    out->body = SMTP_BODY_7BIT;
  else if (smtp_ascii_equal(param->value, SMTP_LIT("8BITMIME")))
    out->body = SMTP_BODY_8BITMIME;
  else
    return SMTP_ESYNTAX;
  return 0;
}

/* At most 500 octets of xtext (RFC 4954 section 5, RFC 3461 section 4). */
static int read_auth(smtp_mail_params *out, const smtp_param *param) {
  char room[AUTH_VALUE_MAX];
  smtp_buf decoded;
  if (out->has_auth || param->value.n > sizeof room) return SMTP_ESYNTAX;
  smtp_buf_init(&decoded, NULL, sizeof room);
  decoded.p = room;
  decoded.size = sizeof room;
  out->has_auth = true;
  out->auth = param->value;
  if (param->value.n == 0) return SMTP_ESYNTAX;
  if (param->value.n == 2 && param->value.p[0] == '<' &&
      param->value.p[1] == '>')
    return 0;
  return smtp_xtext_parse(&decoded, param->value);
}

int smtp_mail_params_parse(smtp_mail_params *out, smtp_slice in) {
  smtp_param param;
  int more, result = 0;
  *out = (smtp_mail_params){false, 0, SMTP_BODY_UNSET, false, {"", 0}};
  while ((more = smtp_param_next(&in, &param)) > 0) {
    int read = 0;
    if (smtp_ascii_equal(param.key, SMTP_LIT("SIZE")))
      read = read_size(out, &param);
    else if (smtp_ascii_equal(param.key, SMTP_LIT("BODY")))
      read = read_body(out, &param);
    else if (smtp_ascii_equal(param.key, SMTP_LIT("AUTH")))
      read = read_auth(out, &param);
    else
      result = SMTP_EINVALID;
    if (read != 0) return read;
  }
  return more != 0 ? more : result;
}

int smtp_rcpt_params_parse(smtp_slice in) {
  smtp_param param;
  int more, result = 0;
  while ((more = smtp_param_next(&in, &param)) > 0) result = SMTP_EINVALID;
  return more != 0 ? more : result;
}
