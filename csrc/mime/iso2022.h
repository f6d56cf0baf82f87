/* SPDX-License-Identifier: MIT */
/*
** iso2022.h: Japanese and Korean in the forms of Unix and of mail: EUC-JP,
** ISO-2022-JP (RFC 1468) and ISO-2022-KR (RFC 1557). The characters are found
** here, and given to iconv(3) in the forms of Microsoft's tables, which have all
** characters of real mail: iconv's own converters lack row 13 of NEC and the
** kanji of IBM, and lose their place at an unknown character.
*/
#ifndef SMTP_ISO2022_H
#define SMTP_ISO2022_H

#include "../core/buf.h"
#include "../core/smtp.h"

/* Each appends in as UTF-8; errors as smtp_buf_append. */

SMTP_FUNC int smtp_iso2022_eucjp(smtp_buf *out, smtp_slice in);
SMTP_FUNC int smtp_iso2022_jp(smtp_buf *out, smtp_slice in);
SMTP_FUNC int smtp_iso2022_kr(smtp_buf *out, smtp_slice in);

#endif
