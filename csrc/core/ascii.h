/* SPDX-License-Identifier: MIT */
/*
** ascii.h: character classes and comparisons that no locale changes, and the
** validity of UTF-8 (RFC 3629).
*/
#ifndef SMTP_ASCII_H
#define SMTP_ASCII_H

#include <stdbool.h>

#include "smtp.h"

enum smtp_ascii_class {
  SMTP_ALPHA = 1,    /* A-Z a-z */
  SMTP_DIGIT = 2,    /* 0-9 */
  SMTP_HEX = 4,      /* 0-9 A-F a-f */
  SMTP_ATEXT = 8,    /* RFC 5321 section 4.1.2, from RFC 5322 section 3.2.3 */
  SMTP_QTEXT = 16,   /* qtextSMTP: 32 to 126 without " and \ */
  SMTP_XCHAR = 32,   /* RFC 3461 section 4: 33 to 126 without + and = */
  SMTP_ESMTP = 64,   /* esmtp-value: 33 to 126 without = */
  SMTP_CONTROL = 128 /* 0 to 31, and 127 */
};

/* The classes of each byte. */
SMTP_FUNC extern const unsigned char smtp_ascii_classes[256];

/* True if byte c is in one of the classes (OR them). Each byte of a path is
** asked about, so this is no call. */
static inline bool smtp_ascii_is(unsigned char c, unsigned classes) {
  return (smtp_ascii_classes[c] & classes) != 0;
}

/* a-z for A-Z, all other bytes as they are. */
SMTP_FUNC unsigned char smtp_ascii_lower(unsigned char c);

/* The value of a hexadecimal digit of either case; 16 for another byte. */
SMTP_FUNC unsigned smtp_ascii_hex(unsigned char c);

/* A space; with tab, also a tab. */
SMTP_FUNC bool smtp_ascii_blank(char c, bool tab);

/* The text without its leading blanks. */
SMTP_FUNC smtp_slice smtp_ascii_skip_blanks(smtp_slice text, bool tab);

/* The text without the blanks at both ends. */
SMTP_FUNC smtp_slice smtp_ascii_trim(smtp_slice text, bool tab);

/* Takes the line at the front off *rest, with the LF behind it, of which the
** line has nothing. False: there is no LF, and the line is all of the rest. */
SMTP_FUNC bool smtp_ascii_line(smtp_slice *rest, smtp_slice *line);

/* Equal without regard to the case of A-Z. */
SMTP_FUNC bool smtp_ascii_equal(smtp_slice a, smtp_slice b);

/* True if text begins with `with`, in the same way. */
SMTP_FUNC bool smtp_ascii_begins(smtp_slice text, smtp_slice with);

/* True if word is one of the words in all, with spaces between them. */
SMTP_FUNC bool smtp_ascii_listed(smtp_slice all, smtp_slice word);

/*
** An unsigned number of 1 to 20 digits and nothing else. Leading zeros count
** as digits. SMTP_ESYNTAX if it is none, SMTP_ETOOBIG beyond 2^64-1 or 20
** digits.
*/
SMTP_FUNC int smtp_ascii_number(smtp_slice text, uint64_t *value);

/* True if a byte is above 0x7f. */
SMTP_FUNC bool smtp_ascii_eightbit(smtp_slice text);

/* The length of the ASCII at the front of text. */
SMTP_FUNC size_t smtp_ascii_run(smtp_slice text);

/* True if text is well-formed UTF-8: no overlong form, no surrogate. */
SMTP_FUNC bool smtp_utf8_valid(smtp_slice text);

/* Takes a code point off the front of text, which is valid and not empty. */
SMTP_FUNC uint32_t smtp_utf8_next(smtp_slice *text);

/* Writes the UTF-8 of a code point, at most 4 bytes, and gives its length. */
SMTP_FUNC size_t smtp_utf8_put(char *to, uint32_t point);

#endif
