/* SPDX-License-Identifier: MIT */
/*
** value.h: a structured value with parameters, for Content-Type and
** Content-Disposition (RFC 2045 section 5.1, RFC 2183), with the additions of
** RFC 2231: values in parts (name*0, name*1) and with a charset (name*). The
** reader is lenient: comments are dropped, an unquoted value may contain white
** space, parts may come in any order, a ";" may be missing. Of two parameters
** of one name the first counts, but the form with a charset is preferred.
*/
#ifndef SMTP_VALUE_H
#define SMTP_VALUE_H

#include <stdbool.h>

#include "../core/buf.h"
#include "../core/smtp.h"

/* The maximum of parameters, where each section of a continued value counts;
** the others are left out. If the last kept parameter is a section, the last
** section of its value is kept too, for the end of a file name. */
#define SMTP_VALUE_PARAMS 128

typedef struct smtp_value_param {
  smtp_slice name;    /* lower case, without its stars */
  smtp_slice value;   /* quotes and percent forms undone; of charset */
  smtp_slice charset; /* p NULL: not told, value may hold encoded words */
} smtp_value_param;

typedef struct smtp_value {
  smtp_buf store;  /* the bytes of all slices */
  smtp_slice main; /* before the first ";", as "text/plain", lower case */
  smtp_value_param params[SMTP_VALUE_PARAMS];
  size_t count;
  bool truncated; /* some parameters were left out */
} smtp_value;

SMTP_FUNC void smtp_value_init(smtp_value *v, const smtp_mem *mem);

/* Frees what v holds; its slices are valid until then. */
SMTP_FUNC void smtp_value_clear(smtp_value *v);

/* Reads text, folded or not, once after smtp_value_init: 0 or SMTP_ENOMEM. */
SMTP_FUNC int smtp_value_parse(smtp_value *v, smtp_slice text);

/* The parameter of that name (lower case), or NULL. */
SMTP_FUNC const smtp_value_param *smtp_value_find(const smtp_value *v,
                                                  smtp_slice name);

/* Appends the value of a parameter as UTF-8 of one line (smtp_charset_line);
** errors as smtp_buf_append. */
SMTP_FUNC int smtp_value_text(smtp_buf *out, const smtp_value_param *param);

#endif
