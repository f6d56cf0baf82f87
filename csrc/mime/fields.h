/* SPDX-License-Identifier: MIT */
/*
** fields.h: a header, field by field (RFC 5322 section 2.2), as it comes:
** lines end with CRLF or LF, white space before the colon is let pass, and so
** is the "From " line of a mailbox file in front. A line that is neither a
** field nor folded ends the header, and the body begins with it.
*/
#ifndef SMTP_FIELDS_H
#define SMTP_FIELDS_H

#include <stdbool.h>

#include "../core/smtp.h"

typedef struct smtp_field {
  smtp_slice name;  /* without the colon; never empty */
  smtp_slice value; /* behind the colon, folded as it is, no last line end */
} smtp_field;

enum smtp_fields_kind {
  SMTP_LINE_EMPTY,  /* the end of the header */
  SMTP_LINE_FIELD,  /* name and colon */
  SMTP_LINE_FOLDED, /* begins with white space */
  SMTP_LINE_OTHER   /* no part of a header */
};

/* What a line, with or without its line end, is in a header. */
SMTP_FUNC enum smtp_fields_kind smtp_fields_line(smtp_slice line);

/* Whether it is the line that mailbox files have before a message. */
SMTP_FUNC bool smtp_fields_mailbox(smtp_slice line);

/* The line at the front with its LF, or what is left of text. */
SMTP_FUNC smtp_slice smtp_fields_first(smtp_slice text);

/*
** 1 and the next field, *at behind it; 0 at the end of the header, *at being
** where the body begins. *at is 0 at first. The slices point into text.
*/
SMTP_FUNC int smtp_fields_next(smtp_slice text, size_t *at, smtp_field *field);

/* 1 and the value of the first field of that name (any case), else 0. */
SMTP_FUNC int smtp_fields_find(smtp_slice header, smtp_slice name,
                               smtp_slice *value);

/* Without the white space, CR and LF at both ends. */
SMTP_FUNC smtp_slice smtp_fields_trim(smtp_slice text);

#endif
