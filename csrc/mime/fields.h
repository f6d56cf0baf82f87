/* SPDX-License-Identifier: MIT */
/*
** fields.h: a received header, field by field (RFC 5322 section 2.2): lines end
** with CRLF or LF; white space before the colon is allowed, and so are the
** "From " line of a mailbox file and a byte order mark in front.
**
** An empty line ends a header. A line that is neither a field nor folded is
** passed over with the lines that continue it, unless no field stands before
** the empty line, or no empty line follows: the body begins with it then.
*/
#ifndef SMTP_FIELDS_H
#define SMTP_FIELDS_H

#include <stdbool.h>

#include "../core/smtp.h"

typedef struct smtp_field {
  smtp_slice name;  /* without the colon; never empty */
  smtp_slice value; /* behind the colon, folded as it is, no last line end */
} smtp_field;

/* The state of a header's scan, line by line; all zero at first. */
typedef struct smtp_fields_scan {
  bool begun;  /* there was a line */
  bool field;  /* there was a field */
  bool typed;  /* there was a Content-Type */
  bool stray;  /* the last lines are no fields */
  size_t tail; /* with stray, the offset of the first of them */
} smtp_fields_scan;

/*
** Takes the next line of a header, which is at an offset: true if the header
** ends, *body being where the body begins. That may be at an earlier line.
*/
SMTP_FUNC bool smtp_fields_scanned(smtp_fields_scan *scan, smtp_slice line,
                                   size_t at, size_t *body);

/* The beginning of the body if the text ends at an offset, in its header. */
SMTP_FUNC size_t smtp_fields_cut(const smtp_fields_scan *scan, size_t end);

/* The beginning of the body of a message. */
SMTP_FUNC size_t smtp_fields_body(smtp_slice text);

/* The line at the front with its LF, or all of a text without LF. */
SMTP_FUNC smtp_slice smtp_fields_first(smtp_slice text);

/*
** 1 and the next field of a header without its body, with *at after the field;
** 0 at the end. *at is 0 at first. The slices point into header.
*/
SMTP_FUNC int smtp_fields_next(smtp_slice header, size_t *at,
                               smtp_field *field);

/* 1 and the value of the first field of that name (any case), else 0. */
SMTP_FUNC int smtp_fields_find(smtp_slice header, smtp_slice name,
                               smtp_slice *value);

/* Without the white space, CR and LF at both ends. */
SMTP_FUNC smtp_slice smtp_fields_trim(smtp_slice text);

#endif
