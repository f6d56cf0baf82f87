/* SPDX-License-Identifier: MIT */
/*
** mailbox_span.h: the text between two commas of an address-list, usually a
** mailbox. It is a row of tokens. White space or a comment before a token begins
** a chunk: a word of a name, or an address. A dot or an "@" joins two chunks,
** since "john . doe@x" is an address of RFC 822.
*/
#ifndef SMTP_MAILBOX_SPAN_H
#define SMTP_MAILBOX_SPAN_H

#include <stdbool.h>

#include "../core/buf.h"
#include "../core/smtp.h"
#include "mailbox_list.h"

typedef struct smtp_mailbox_span {
  smtp_mailbox_list *list; /* it has the result and the fault too */
  smtp_buf tokens;
  smtp_buf name;      /* put together of tokens */
  smtp_buf address;   /* between "<" and ">", or put together */
  smtp_slice comment; /* behind an address, whose name it is */
  bool has_angle;     /* there was a "<" */
  bool has_at;        /* there was an "@" outside of "<" and ">" */
  bool has_comment;
  bool is_spaced; /* white space or a comment stands before the next token */
  bool is_broken; /* there was a ":" behind an address */
} smtp_mailbox_span;

SMTP_FUNC void smtp_mailbox_span_init(smtp_mailbox_span *span,
                                      smtp_mailbox_list *list);
SMTP_FUNC void smtp_mailbox_span_clear(smtp_mailbox_span *span);

/* Adds a token, which is not empty and stays where it is. */
SMTP_FUNC void smtp_mailbox_span_add(smtp_mailbox_span *span, smtp_slice token);

/* Appends to the address. */
SMTP_FUNC void smtp_mailbox_span_append(smtp_mailbox_span *span,
                                        smtp_slice text);

/* Whether there is no token. */
SMTP_FUNC bool smtp_mailbox_span_is_empty(const smtp_mailbox_span *span);

/* Puts the mailboxes of the span into the list; or, for the text before a ":",
** opens a group of that name. The span is empty after it. */
SMTP_FUNC void smtp_mailbox_span_end(smtp_mailbox_span *span);
SMTP_FUNC void smtp_mailbox_span_end_as_group(smtp_mailbox_span *span);

#endif
