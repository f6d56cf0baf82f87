/* SPDX-License-Identifier: MIT */
/*
** ulabel.h: the code points of internationalised labels (RFC 5892), as far as
** short tables tell. libidn2 has the whole of Unicode; where it is missing
** these decide.
*/
#ifndef SMTP_ULABEL_H
#define SMTP_ULABEL_H

#include <stdbool.h>

#include "smtp.h"

/* Whether a code point above 0x7f is in no U-label, or not in its final form:
** capitals, compatibility forms, spaces, marks of direction, symbols. */
SMTP_FUNC bool smtp_ulabel_refuses(uint32_t c);

/* Whether a U-label may have it: those that are not refused, and marks and
** joiners, of which the letters around them decide. */
SMTP_FUNC bool smtp_ulabel_may_have(uint32_t c);

/* Whether there is one code point that the two are written as. */
SMTP_FUNC bool smtp_ulabel_composes(uint32_t first, uint32_t second);

/* Whether a code point is a combining mark, with which no label begins
** (RFC 5891 section 4.2.3.2). */
SMTP_FUNC bool smtp_ulabel_is_mark(uint32_t c);

#endif
