/* SPDX-License-Identifier: MIT */
/*
** param.c: the grammar of parameters of MAIL and RCPT (RFC 5321 section
** 4.1.1.11).
*/
#include "param.h"

#include "ascii.h"

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

int smtp_param_next(smtp_slice *rest, smtp_param *param) {
  if (rest->n == 0) return 0;
  if (!smtp_ascii_blank(rest->p[0], true)) return SMTP_ESYNTAX;
  smtp_slice in = smtp_ascii_skip_blanks(*rest, true);
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
  if (in.n > 0 && !smtp_ascii_blank(in.p[0], true)) return SMTP_ESYNTAX;
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
