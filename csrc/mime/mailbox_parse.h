/* SPDX-License-Identifier: MIT */
/*
** mailbox_parse.h: reads lists of addresses as header fields have them (RFC 5322
** sections 3.4 and 4.4): names, comments, groups, quoted strings, obsolete
** routes, encoded words (RFC 2047). One linear pass over the text makes the best
** of received mail, and finds the faults for which mail to be sent is refused.
*/
#ifndef SMTP_MAILBOX_PARSE_H
#define SMTP_MAILBOX_PARSE_H

#include "../core/smtp.h"
#include "mailbox_list.h"

/*
** Reads the value of a field, folded or not, into a new list: 0 or SMTP_ENOMEM.
** Reading ends at a fault or beyond `most` mailboxes; SIZE_MAX: only at the end
** of the text.
*/
SMTP_FUNC int smtp_mailbox_parse(smtp_mailbox_list *list, smtp_slice text,
                                 size_t most);

#endif
