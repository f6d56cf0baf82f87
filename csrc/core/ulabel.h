/* SPDX-License-Identifier: MIT */
/*
** ulabel.h: the code points of internationalised labels (RFC 5892), in short
** tables. They decide if libidn2, which has the whole of Unicode, is missing.
*/
#ifndef SMTP_ULABEL_H
#define SMTP_ULABEL_H

#include <stdbool.h>

#include "smtp.h"

/* Whether a code point above 0x7f is in no U-label, or not in its final form:
** capitals, compatibility forms, spaces, marks of direction, symbols. */
SMTP_FUNC bool smtp_ulabel_refuses(uint32_t c);

/* Whether a U-label may contain a code point: an allowed one, or a mark or a
** joiner, where the letters around it decide. */
SMTP_FUNC bool smtp_ulabel_may_have(uint32_t c);

/* Whether one composed code point stands for the two. */
SMTP_FUNC bool smtp_ulabel_composes(uint32_t first, uint32_t second);

/* Whether a code point is a combining mark, with which no label begins
** (RFC 5891 section 4.2.3.2). */
SMTP_FUNC bool smtp_ulabel_is_mark(uint32_t c);

#endif
