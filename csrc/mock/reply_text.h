/* SPDX-License-Identifier: MIT */
/*
** reply_text.h: replies of rules on their way to the wire. A rule may say what
** smtp_reply_format refuses: any code, controls, lines of any length.
*/
#ifndef SMTP_MOCK_REPLY_TEXT_H
#define SMTP_MOCK_REPLY_TEXT_H

#include "../core/buf.h"
#include "mock.h"

/* The code that bytes begin with, 0 if they do not. */
SMTP_FUNC int smtp_mock_reply_code(smtp_slice text);

/* "550 one LF two" as it goes on the wire: each line has the code. */
SMTP_FUNC void smtp_mock_reply_format(smtp_buf *out, smtp_slice text);

/* A reply n times: for each recipient in LMTP; else with PRDR, behind what
** announces it. */
SMTP_FUNC void smtp_mock_reply_each(size_t n, bool lmtp, smtp_buf *out,
                                    smtp_slice text);

/* Of the machine's EHLO reply: without what is hidden, with what is extra. */
SMTP_FUNC void smtp_mock_reply_ehlo(const smtp_mock *m, smtp_slice reply,
                                    smtp_buf *out);

#endif
