/* SPDX-License-Identifier: MIT */
/*
** header.c: the scanner over a header block (RFC 5322 section 2.2, and its
** section 4.5 for the white space that old mailers put before the colon).
**
** A name is read byte by byte, a value is passed over by memchr. LF alone
** ends a line too: what a lenient reader would take for a field must count,
** or a loop that loses its CRs would never be seen.
*/
#include "header.h"

#include <string.h>

#include "ascii.h"

enum header_state {
  FIRST_LINE, /* nothing yet, so nothing to continue */
  LINE_START,
  EMPTY_CR, /* a CR where a name could begin */
  NAME,
  BLANK, /* white space between a name and its colon */
  VALUE
};

#define NOT_RECEIVED 255 /* in at: this name is another one */

static const char received[] = "received";
enum { RECEIVED_N = sizeof(received) - 1 };

void smtp_header_init(smtp_header *h) {
  memset(h, 0, sizeof(*h));
}

/* field-name = 1*(%d33-57 / %d59-126) */
static bool is_name(unsigned char c) {
  return c > 32 && c < 127 && c != ':';
}

static void match(smtp_header *h, unsigned char c) {
  bool same = h->at < RECEIVED_N && smtp_ascii_lower(c) == received[h->at];
  h->at = same ? h->at + 1 : NOT_RECEIVED;
}

/* Looks at one byte of a line whose colon has not come. */
static void step(smtp_header *h, unsigned char c) {
  bool space = c == ' ' || c == '\t';
  bool name = is_name(c);

  switch (h->state) {
  case FIRST_LINE:
  case LINE_START:
    if (name) {
      h->at = 0;
      match(h, c);
      h->state = NAME;
    } else if (space && h->state == LINE_START) {
      h->state = VALUE; /* the line before goes on */
    } else if (c == '\r') {
      h->state = EMPTY_CR;
    } else {
      h->done = true;
    }
    break;
  case NAME:
  case BLANK:
    if (c == ':') {
      if (h->at == RECEIVED_N) h->received++;
      h->state = VALUE;
    } else if (space) {
      h->state = BLANK;
    } else if (name && h->state == NAME) {
      match(h, c);
    } else {
      h->done = true;
    }
    break;
  default: /* EMPTY_CR: the LF of an empty line, or no field */
    h->done = true;
    break;
  }
}

void smtp_header_feed(smtp_header *h, smtp_slice in) {
  size_t i = 0;

  while (i < in.n && !h->done) {
    if (h->state == VALUE) {
      const char *lf = memchr(in.p + i, '\n', in.n - i);
      if (lf != NULL) h->state = LINE_START;
      i = lf != NULL ? (size_t)(lf - in.p) + 1 : in.n;
    } else {
      step(h, (unsigned char)in.p[i++]);
    }
  }
  h->size += i;
}
