/* SPDX-License-Identifier: MIT */
/*
** reply.h: replies (RFC 5321 section 4.2), read by the client a line at a
** time and written by the server.
**   Reply-line = *( Reply-code "-" [ textstring ] CRLF )
**                Reply-code [ SP textstring ] CRLF
**   Reply-code = %x32-35 %x30-35 %x30-39
** The code must be equal on all lines; a byte other than SP, "-" or the end
** behind it, NUL, a lone CR or LF, or a limit passed is SMTP_EPROTOCOL. Only
** the first digit is for deciding (section 4.2.1). A reply whose codes differ
** is read to its end too, so that the error can quote its worst lines.
*/
#ifndef SMTP_REPLY_H
#define SMTP_REPLY_H

#include <stdbool.h>

#include "buf.h"
#include "smtp.h"
#include "status.h"

typedef struct smtp_reply {
  const smtp_mem *mem;
  int code;          /* 200 to 559; 0 while there is no line */
  size_t lines;      /* how many there are */
  smtp_buf text;     /* the lines without code and CRLF, joined by LF */
  size_t seen;       /* bytes of the wire so far, for the limit */
  bool done;         /* the last line came */
  bool differs;      /* several codes on its lines; code: the worst */
  const char *error; /* what was wrong, static, once EPROTOCOL was given */
} smtp_reply;

SMTP_FUNC void smtp_reply_init(smtp_reply *r, const smtp_mem *mem);

/* Frees what it holds, and makes it ready for the next reply. */
SMTP_FUNC void smtp_reply_clear(smtp_reply *r);

/*
** Takes lines off the front of in until a reply is whole: 1. 0 if bytes are
** missing. Bytes behind the reply are left in in. Errors: SMTP_EPROTOCOL,
** which stays; SMTP_ENOMEM, after which it may be called again. After 1 the
** reply stays, and nothing more is taken, until smtp_reply_clear.
*/
SMTP_FUNC int smtp_reply_feed(smtp_reply *r, smtp_buf *in);

/* The stream ended: 0, or SMTP_EPROTOCOL if the lines so far had differed. */
SMTP_FUNC int smtp_reply_end(smtp_reply *r);

/* The code at the start of a line; 0 if there is none. */
SMTP_FUNC int smtp_reply_code(smtp_slice line);

/* The text of all lines joined by LF; borrowed until the reply is cleared. */
SMTP_FUNC smtp_slice smtp_reply_text(const smtp_reply *r);

/* The status at the start of the text, if its class is that of the code. */
SMTP_FUNC smtp_status smtp_reply_status(const smtp_reply *r);

/*
** Appends a reply. The text may have several lines, separated by LF or CRLF;
** status (class_ 0: none) stands on every line, once: a further line of the
** text may begin with it. SMTP_EINVALID for a code outside 200 to 599, a status
** of another class than the code's or with a number above 999, or a text with a
** bare CR, NUL or another control byte (HT aside); then, as on any error, out is
** as it was. A line longer than 512 bytes on the wire is broken at a space, or
** where it must be, never inside a UTF-8 character.
*/
SMTP_FUNC int smtp_reply_format(smtp_buf *out, int code, smtp_status status,
                                smtp_slice text);

#endif
