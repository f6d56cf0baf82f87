/* SPDX-License-Identifier: MIT */
/*
** param.h: the parameters behind a path (RFC 5321 section 4.1.1.11); what they
** mean is in envelope.h.
**   esmtp-param   = esmtp-keyword ["=" esmtp-value]
**   esmtp-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-")
**   esmtp-value   = 1*(%d33-60 / %d62-126)
** With SMTPUTF8 a value may hold UTF-8 (RFC 6531 section 3.3).
*/
#ifndef SMTP_PARAM_H
#define SMTP_PARAM_H

#include <stdbool.h>

#include "buf.h"
#include "smtp.h"

typedef struct smtp_param {
  smtp_slice key;   /* as written; compare with smtp_ascii_equal */
  smtp_slice value; /* empty if there was no "=" */
  bool has_value;
} smtp_param;

/*
** Takes the next parameter off the front of *rest, which begins with blanks
** or is empty. 1; 0 at the end; SMTP_ESYNTAX (*rest is then unchanged).
** White space before, between and at the end is one or more blanks (a space or a
** tab).
*/
SMTP_FUNC int smtp_param_next(smtp_slice *rest, smtp_param *param);

/* Appends SP key ["=" value]. SMTP_EINVALID if either breaks its grammar. */
SMTP_FUNC int smtp_param_format(smtp_buf *out, const smtp_param *param);

#endif
