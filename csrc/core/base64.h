/* SPDX-License-Identifier: MIT */
/*
** base64.h: strict base64 (RFC 4648 section 4) as SASL over SMTP uses it (RFC
** 4954 section 4): no white space, no inner "=", right padding, zero trailing
** bits. Streaming for messages comes with csrc/mime.
*/
#ifndef SMTP_BASE64_H
#define SMTP_BASE64_H

#include "buf.h"
#include "smtp.h"

/* Appends the encoding of in; errors as smtp_buf_append. */
SMTP_FUNC int smtp_base64_format(smtp_buf *out, smtp_slice in);

/* Appends the bytes that in encodes. SMTP_ESYNTAX leaves out as it was. */
SMTP_FUNC int smtp_base64_parse(smtp_buf *out, smtp_slice in);

/* For codecs of another grammar: the value of a digit, 64 for any other byte;
** and the four digits of n bytes, 1 to 3, with "=" for those that are missing. */
SMTP_FUNC extern const unsigned char smtp_base64_value[256];
SMTP_FUNC void smtp_base64_group(const char *from, size_t n, char *to);

#endif
