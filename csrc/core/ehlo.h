/* SPDX-License-Identifier: MIT */
/*
** ehlo.h: what a server offers in its reply to EHLO (RFC 5321 section
** 4.1.1.1), read line by line by the client and written by the server.
**   ehlo-line    = ehlo-keyword *( SP ehlo-param )
**   ehlo-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-")
**   ehlo-param   = 1*(%d33-126)
*/
#ifndef SMTP_EHLO_H
#define SMTP_EHLO_H

#include <stdbool.h>

#include "buf.h"
#include "smtp.h"

/* Extensions that change how the machines speak. */
enum smtp_extension {
  SMTP_EXT_PIPELINING = 1,
  SMTP_EXT_SIZE = 2,
  SMTP_EXT_8BITMIME = 4,
  SMTP_EXT_ENHANCEDSTATUSCODES = 8,
  SMTP_EXT_STARTTLS = 16,
  SMTP_EXT_AUTH = 32,
  SMTP_EXT_SMTPUTF8 = 64,
  SMTP_EXT_CHUNKING = 128,
  SMTP_EXT_DSN = 256,
  SMTP_EXT_BINARYMIME = 512,
  SMTP_EXT_REQUIRETLS = 1024,
  SMTP_EXT_DELIVERBY = 2048,
  SMTP_EXT_MT_PRIORITY = 4096,
  SMTP_EXT_FUTURERELEASE = 8192,
  SMTP_EXT_RRVS = 16384,
  SMTP_EXT_PRDR = 32768
};

typedef struct smtp_ehlo {
  unsigned extensions; /* OR of enum smtp_extension */
  uint64_t size;       /* of SIZE; 0: none was given, or no fixed maximum */
} smtp_ehlo;

/*
** Splits one line (no CRLF, no code) into its keyword and what follows, as
** it is but for spaces at both ends.
** "AUTH=LOGIN" (the form before RFC 4954) gives keyword AUTH, params LOGIN.
** SMTP_ESYNTAX if the line does not begin with a keyword: to be passed over.
*/
SMTP_FUNC int smtp_ehlo_line(smtp_slice line, smtp_slice *keyword,
                             smtp_slice *params);

/* The extension bit of a keyword in any case; 0 if it is not one of ours. */
SMTP_FUNC unsigned smtp_ehlo_extension(smtp_slice keyword);

/* Learns one line. Malformed or unknown lines change nothing. */
SMTP_FUNC void smtp_ehlo_learn(smtp_ehlo *ehlo, smtp_slice line);

/*
** Appends the whole reply: 250-hostname, a line for each extension in ehlo,
** the last with "250 ". SIZE is written with its number. Own keyword lines
** ("XNAME arg", joined by LF) come last; an empty own adds none. An extension
** that has an own line, for its words ("AUTH PLAIN"), has no other; AUTH and
** FUTURERELEASE, which have no meaning without, never have.
** SMTP_EINVALID for a hostname that is empty, longer than 255 or not visible
** ASCII, or an own line that is not of the grammar; out is then as it was.
*/
SMTP_FUNC int smtp_ehlo_format(smtp_buf *out, smtp_slice hostname,
                               const smtp_ehlo *ehlo, smtp_slice own);

#endif
