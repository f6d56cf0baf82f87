/* SPDX-License-Identifier: MIT */
/*
** charset_labels.h: the charsets of received mail by all their names: the
** labels of the WHATWG Encoding Standard (section 4.2, but "replacement" and
** x-user-defined), as in browsers, and some more that only mail has.
*/
#ifndef SMTP_CHARSET_LABELS_H
#define SMTP_CHARSET_LABELS_H

#include "../core/smtp.h"

enum smtp_charset_kind {
  SMTP_CHARSET_GUESS, /* UTF-8 if it is that, else windows-1252 */
  SMTP_CHARSET_UTF8,
  SMTP_CHARSET_WINDOWS_1252,
  SMTP_CHARSET_SINGLE, /* a byte is a character */
  SMTP_CHARSET_DOUBLE, /* one byte, or a byte from 0x81 and a second byte */
  SMTP_CHARSET_SHIFT_JIS,
  SMTP_CHARSET_GB18030,
  SMTP_CHARSET_EUC_JP,
  SMTP_CHARSET_7BIT, /* from here on ASCII bytes need not be ASCII text */
  SMTP_CHARSET_ISO_2022_JP = SMTP_CHARSET_7BIT,
  SMTP_CHARSET_ISO_2022_KR,
  SMTP_CHARSET_UTF7,
  SMTP_CHARSET_UTF16LE,
  SMTP_CHARSET_UTF16BE,
  SMTP_CHARSET_UTF32LE,
  SMTP_CHARSET_UTF32BE
};

typedef struct smtp_charset {
  enum smtp_charset_kind kind;
  const char *name;   /* iconv's; NULL where it is not asked */
  const char *other;  /* and one for an iconv that does not know it, or NULL */
  const char *labels; /* letters and digits, a space around each */
} smtp_charset;

/* The charset of a name, without regard to case and signs, or NULL. */
SMTP_FUNC const smtp_charset *smtp_charset_find(smtp_slice name);

#endif
