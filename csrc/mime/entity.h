/* SPDX-License-Identifier: MIT */
/*
** entity.h: where the parts of a message are (RFC 2046 section 5.1): one walk
** over its lines fills a flat list, each part before those in it. A message in
** a message is walked too.
**
** Anything is taken: lines end with CRLF or LF; a final boundary may be
** missing, as that of an outer part ends the inner ones; text before the first
** and behind the last boundary belongs to no part. A multipart that names no
** boundary or is nested too deeply is a leaf, and where the list is full the
** rest of the message is one leaf without header. Time is linear.
*/
#ifndef SMTP_ENTITY_H
#define SMTP_ENTITY_H

#include <stdbool.h>

#include "../core/mem.h"
#include "../core/smtp.h"

#define SMTP_ENTITY_DEPTH 50  /* of parts in parts */
#define SMTP_ENTITY_MAX 1001  /* a thousand and the rest */
#define SMTP_BOUNDARY_MAX 250 /* RFC 2046 allows 70 */

enum smtp_entity_kind {
  SMTP_ENTITY_LEAF,
  SMTP_ENTITY_MULTIPART,
  SMTP_ENTITY_MESSAGE, /* one entity is in it: the message */
  SMTP_ENTITY_REST     /* what did not fit in the list */
};

/* The limit that makes a multipart or a message a leaf. */
enum smtp_entity_limit {
  SMTP_LIMIT_NONE,
  SMTP_LIMIT_DEPTH,
  SMTP_LIMIT_BOUNDARY /* its boundary is too long */
};

/* Offsets in the text: header, its empty line included, and body. */
typedef struct smtp_entity {
  size_t begin; /* the header is begin to body - 1 */
  size_t body;  /* body to end - 1 */
  size_t end;
  size_t parent; /* index in the list; its own for the first */
  unsigned depth;
  enum smtp_entity_kind kind;
  enum smtp_entity_limit limit;
  bool digest; /* in a multipart/digest: message/rfc822 by default */
} smtp_entity;

/*
** Fills list, of max (at least 1) elements: how many there are, or
** SMTP_ENOMEM. If the last one is an SMTP_ENTITY_REST, max was too small.
*/
SMTP_FUNC int smtp_entity_walk(smtp_entity *list, size_t max, smtp_slice text,
                               const smtp_mem *mem);

#endif
