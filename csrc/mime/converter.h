/* SPDX-License-Identifier: MIT */
/*
** converter.h: iconv(3) with one rule of its own: bytes that stand for nothing
** are dropped a whole character at a time, each as one U+FFFD, so that no half
** of one spoils its neighbour (WHATWG Encoding, the decoders).
*/
#ifndef SMTP_CONVERTER_H
#define SMTP_CONVERTER_H

#include <iconv.h>
#include <stdbool.h>

#include "../core/buf.h"
#include "../core/smtp.h"

/* How long a character is that iconv does not know. */
enum smtp_converter_unit {
  SMTP_UNIT_1,
  SMTP_UNIT_2,
  SMTP_UNIT_3,
  SMTP_UNIT_4,
  SMTP_UNIT_DOUBLE,    /* one byte, or 0x81 to 0xfe and another */
  SMTP_UNIT_SHIFT_JIS, /* two, without 0xa0 to 0xdf and from 0xfd */
  SMTP_UNIT_GB18030    /* two, or four bytes, the second a digit */
};

typedef struct smtp_converter {
  iconv_t cd, second;
  bool open, has_second;
  const char *other; /* what the second is opened by, or NULL */
  enum smtp_converter_unit unit;
} smtp_converter;

/* Opens the converter of that name of iconv: whether there is one. The other
** one, if it is not NULL, stands in for it, or knows characters of more than a
** byte that it does not know. */
SMTP_FUNC bool smtp_converter_open(smtp_converter *c, const char *name,
                                   const char *other,
                                   enum smtp_converter_unit unit);

/* Appends in as UTF-8; errors as smtp_buf_append. Bytes at its end that are no
** whole character are one U+FFFD. If none is open, so is every character. */
SMTP_FUNC int smtp_converter_append(smtp_converter *c, smtp_buf *out,
                                    smtp_slice in);

SMTP_FUNC void smtp_converter_close(smtp_converter *c);

#define SMTP_REPLACEMENT SMTP_LIT("\xef\xbf\xbd") /* U+FFFD */

#endif
