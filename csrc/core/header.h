/* SPDX-License-Identifier: MIT */
/*
** header.h: a scanner over the header block of a message that passes by. It
** counts its bytes and its Received fields (RFC 5321 section 6.3: a loop is
** told by their number), keeps nothing, and stops at the empty line.
*/
#ifndef SMTP_HEADER_H
#define SMTP_HEADER_H

#include <stdbool.h>

#include "smtp.h"

typedef struct smtp_header {
  bool done;           /* the empty line, or a line that is no field, came */
  unsigned char state; /* where in a line the next byte is */
  unsigned char at;    /* bytes of "received" matched on this line */
  unsigned received;   /* Received fields so far */
  uint64_t size;       /* bytes looked at so far, those that ended it too */
} smtp_header;

SMTP_FUNC void smtp_header_init(smtp_header *h);

/* Looks at the next bytes of the content, in any cut. */
SMTP_FUNC void smtp_header_feed(smtp_header *h, smtp_slice in);

#endif
