/* SPDX-License-Identifier: MIT */
/*
** mailbox_list.h: the mailboxes and groups of an address-list (RFC 5322 section
** 3.4), as mailbox_parse.h reads them.
*/
#ifndef SMTP_MAILBOX_LIST_H
#define SMTP_MAILBOX_LIST_H

#include <stdbool.h>

#include "../core/buf.h"
#include "../core/smtp.h"

typedef struct smtp_mailbox_list {
  int result;        /* SMTP_ENOMEM: the list is not complete */
  const char *fault; /* NULL: the text is plain; else the reason why another
                     reader may find other addresses in it: "has ..." */
  size_t count;      /* of mailboxes */
  size_t groups;     /* of groups */
  bool in_group;     /* the last group is open */
  smtp_buf bytes;    /* of all names and addresses */
  smtp_buf mailboxes;
  smtp_buf group_list;
} smtp_mailbox_list;

#define SMTP_NO_GROUP SIZE_MAX

typedef struct smtp_mailbox {
  smtp_slice name;    /* UTF-8; empty if there is none */
  smtp_slice address; /* in its plainest form if it is a mailbox of path.h, else
                      as it stands; empty if only a name is there */
  size_t group;       /* its number from 0, or SMTP_NO_GROUP */
} smtp_mailbox;

typedef struct smtp_mailbox_group {
  smtp_slice name;
  size_t first, count; /* its mailboxes */
} smtp_mailbox_group;

SMTP_FUNC void smtp_mailbox_list_init(smtp_mailbox_list *list,
                                      const smtp_mem *mem);
SMTP_FUNC void smtp_mailbox_list_clear(smtp_mailbox_list *list);

/* Number i, from 0. The slices are borrowed until the list changes. */
SMTP_FUNC smtp_mailbox smtp_mailbox_list_at(const smtp_mailbox_list *list,
                                            size_t i);
SMTP_FUNC smtp_mailbox_group
smtp_mailbox_list_group(const smtp_mailbox_list *list, size_t i);

/* Notes a fault; the first one counts. */
SMTP_FUNC void smtp_mailbox_list_blame(smtp_mailbox_list *list,
                                       const char *fault);

/* Adds a mailbox to the list and to its open group, if the name, which may hold
** encoded words, or the address is not empty. */
SMTP_FUNC void smtp_mailbox_list_put(smtp_mailbox_list *list, smtp_slice name,
                                     smtp_slice address);

/* Opens a group; without a name there is none. */
SMTP_FUNC void smtp_mailbox_list_begin_group(smtp_mailbox_list *list,
                                             smtp_slice name);
SMTP_FUNC void smtp_mailbox_list_end_group(smtp_mailbox_list *list);

#endif
