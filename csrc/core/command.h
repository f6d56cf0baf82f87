/* SPDX-License-Identifier: MIT */
/*
** command.h: command lines (RFC 5321 section 4.1.1), read by the server and
** made by the client's only writer of commands.
*/
#ifndef SMTP_COMMAND_H
#define SMTP_COMMAND_H

#include <stdbool.h>

#include "buf.h"
#include "path.h"
#include "smtp.h"

typedef enum smtp_verb {
  SMTP_VERB_OTHER, /* a verb that we do not know */
  SMTP_VERB_HELO,
  SMTP_VERB_EHLO,
  SMTP_VERB_LHLO,
  SMTP_VERB_MAIL,
  SMTP_VERB_RCPT,
  SMTP_VERB_DATA,
  SMTP_VERB_BDAT,
  SMTP_VERB_RSET,
  SMTP_VERB_NOOP,
  SMTP_VERB_VRFY,
  SMTP_VERB_EXPN,
  SMTP_VERB_HELP,
  SMTP_VERB_QUIT,
  SMTP_VERB_STARTTLS,
  SMTP_VERB_AUTH,
  SMTP_VERB_XCLIENT,
  SMTP_VERB_XFORWARD,
  SMTP_VERB_COUNT
} smtp_verb;

typedef struct smtp_command {
  smtp_verb verb;
  smtp_slice name; /* the verb as it was written */
  smtp_slice args; /* behind it, without spaces at both ends */
} smtp_command;

/*
** Splits a line (without its CRLF) into verb and arguments; the verb is a
** run of letters, digits and hyphens in any case. Trailing spaces are
** dropped (RFC 5321 section 4.1.1). Unless strict, a tab separates them too.
** SMTP_ESYNTAX if there is no verb.
*/
SMTP_FUNC int smtp_command_parse(smtp_command *command, smtp_slice line,
                                 bool strict);

/*
** Parses "FROM:" or "TO:" (word, in any case) and the path from the
** arguments of MAIL or RCPT; *params is what is left. flags as
** smtp_path_parse; without STRICT blanks may stand before the path and
** around the colon. Errors as smtp_path_parse, and SMTP_ESYNTAX when
** something other than a blank follows the path.
*/
SMTP_FUNC int smtp_command_path(smtp_slice args, smtp_slice word,
                                unsigned flags, smtp_path *path,
                                smtp_slice *params);

/* True for a line that another protocol would send: GET, POST, CONNECT ...
** with a path, or "Host:" and the like: "Name:" that neither is a verb, one of
** own (separated by spaces) included, nor "MAILFROM:" and its like. */
SMTP_FUNC bool smtp_command_foreign(smtp_slice line, smtp_slice own);

/* "MAIL", ... in upper case; "" for SMTP_VERB_OTHER. Static. */
SMTP_FUNC smtp_slice smtp_command_name(smtp_verb verb);

/* The verb of a name in any case; SMTP_VERB_OTHER if it is none of ours. */
SMTP_FUNC smtp_verb smtp_command_verb(smtp_slice name);

/* Whether args may stand behind a verb: no byte below 0x20 and no 0x7f, and
** bytes above it only under utf8, where they are UTF-8. */
SMTP_FUNC bool smtp_command_is_args(smtp_slice args, bool utf8);

/*
** Appends "NAME[ args]CRLF". SMTP_EINVALID for a name that is not letters,
** digits and hyphens, or a byte in args below 0x20 or 0x7f, or above 0x7f
** unless utf8 is set and it is UTF-8. On an error out is as it was.
*/
SMTP_FUNC int smtp_command_format(smtp_buf *out, smtp_slice name,
                                  smtp_slice args, bool utf8);

#endif
