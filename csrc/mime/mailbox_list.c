/* SPDX-License-Identifier: MIT */
/*
** mailbox_list.c: see mailbox_list.h. Entries hold offsets into the bytes, since
** the bytes move as they grow.
*/
#include "mailbox_list.h"

#include <string.h>

#include "../core/ascii.h"
#include "../core/path.h"
#include "decode.h"

#define BYTES_MAX (SIZE_MAX / 4)

/* A mailbox or a group. */
typedef struct entry {
  size_t name, name_n;       /* place and length */
  size_t address, address_n; /* of a mailbox */
  size_t group;              /* of a mailbox */
  size_t first, count;       /* of a group */
} entry;

void smtp_mailbox_list_init(smtp_mailbox_list *list, const smtp_mem *mem) {
  memset(list, 0, sizeof *list);
  smtp_buf_init(&list->bytes, mem, BYTES_MAX);
  smtp_buf_init(&list->mailboxes, mem, BYTES_MAX);
  smtp_buf_init(&list->group_list, mem, BYTES_MAX);
}

void smtp_mailbox_list_clear(smtp_mailbox_list *list) {
  smtp_buf_clear(&list->bytes);
  smtp_buf_clear(&list->mailboxes);
  smtp_buf_clear(&list->group_list);
  list->count = list->groups = 0;
}

/* The entries of a buffer that holds nothing else, and whose front stays. */
static entry *entries(const smtp_buf *b) {
  return (entry *)(void *)b->p;
}

static smtp_slice bytes_at(const smtp_mailbox_list *list, size_t at, size_t n) {
  return n == 0 ? SMTP_LIT("") : (smtp_slice){list->bytes.p + at, n};
}

smtp_mailbox smtp_mailbox_list_at(const smtp_mailbox_list *list, size_t i) {
  const entry *e = &entries(&list->mailboxes)[i];
  return (smtp_mailbox){bytes_at(list, e->name, e->name_n),
                        bytes_at(list, e->address, e->address_n), e->group};
}

smtp_mailbox_group smtp_mailbox_list_group(const smtp_mailbox_list *list,
                                           size_t i) {
  const entry *e = &entries(&list->group_list)[i];
  return (smtp_mailbox_group){bytes_at(list, e->name, e->name_n), e->first,
                              e->count};
}

void smtp_mailbox_list_blame(smtp_mailbox_list *list, const char *fault) {
  if (list->fault == NULL) list->fault = fault;
}

/* Decodes the name of an entry, without blanks at its ends. */
static void set_name(smtp_mailbox_list *list, entry *e, smtp_slice name) {
  smtp_buf *bytes = &list->bytes;
  size_t from = smtp_buf_length(bytes), to;
  if (name.n == 0 || list->result != 0) return;
  list->result = smtp_decode_words(bytes, name);
  to = smtp_buf_length(bytes);
  while (to > from && smtp_ascii_blank(bytes->p[to - 1], true)) to--;
  while (from < to && smtp_ascii_blank(bytes->p[from], true)) from++;
  e->name = from;
  e->name_n = to - from;
}

/* No encoded word is decoded in an address (RFC 2047 section 5). */
static void set_address(smtp_mailbox_list *list, entry *e, smtp_slice address) {
  smtp_path path;
  if (address.n == 0 || list->result != 0) return;
  e->address = smtp_buf_length(&list->bytes);
  list->result = smtp_path_parse_mailbox(&path, address, 0) == 0
                     ? smtp_path_format_mailbox(&list->bytes, &path)
                     : smtp_buf_append_slice(&list->bytes, address);
  e->address_n = smtp_buf_length(&list->bytes) - e->address;
}

/* Adds an entry to one of the lists: whether there was memory. */
static bool add(smtp_mailbox_list *list, smtp_buf *b, const entry *e) {
  if (list->result == 0)
    list->result = smtp_buf_append(b, (const char *)e, sizeof *e);
  return list->result == 0;
}

void smtp_mailbox_list_put(smtp_mailbox_list *list, smtp_slice name,
                           smtp_slice address) {
  entry e = {0};
  set_name(list, &e, name);
  set_address(list, &e, address);
  e.group = list->in_group ? list->groups - 1 : SMTP_NO_GROUP;
  if (e.name_n == 0 && e.address_n == 0) return;
  if (add(list, &list->mailboxes, &e)) list->count++;
}

void smtp_mailbox_list_begin_group(smtp_mailbox_list *list, smtp_slice name) {
  entry e = {0};
  set_name(list, &e, name);
  e.first = list->count;
  if (e.name_n == 0 || !add(list, &list->group_list, &e)) return;
  list->groups++;
  list->in_group = true;
}

void smtp_mailbox_list_end_group(smtp_mailbox_list *list) {
  entry *last;
  if (!list->in_group) return;
  last = &entries(&list->group_list)[list->groups - 1];
  last->count = list->count - last->first;
  list->in_group = false;
}
