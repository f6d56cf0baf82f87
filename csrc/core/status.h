/* SPDX-License-Identifier: MIT */
/*
** status.h: enhanced status codes (RFC 3463, RFC 2034, RFC 5248), and the one
** table from a situation to the reply that the library makes for it.
**   status-code = class "." subject "." detail
**   class       = "2" / "4" / "5"
**   subject     = 1*3digit
**   detail      = 1*3digit
*/
#ifndef SMTP_STATUS_H
#define SMTP_STATUS_H

#include <stdbool.h>

#include "buf.h"
#include "smtp.h"

typedef struct smtp_status {
  unsigned short class_, subject, detail; /* class_ 0: there is none */
} smtp_status;

/*
** Parses a status code at the start of text; *used is its length, the spaces
** behind it included. 1; 0 if there is none: "5.7.2.1", "5.1000.1", "05.1.1"
** and "3.0.0" are none. A bare "5.7.2" at the end of text is one.
*/
SMTP_FUNC int smtp_status_parse(smtp_status *status, smtp_slice text,
                                size_t *used);

/* Appends "5.7.1"; nothing for none. */
SMTP_FUNC int smtp_status_format(smtp_buf *out, smtp_status status);

/*
** Every reply that the library itself makes. The first group is what a
** verdict becomes; see smtp_status_of for what each says.
*/
typedef enum smtp_situation {
  SMTP_S_NONE,
  /* a step went well */
  SMTP_S_GREETING, /* 220, the text is made by the server */
  SMTP_S_HELO,     /* 250, the text is made by the server */
  SMTP_S_MAIL,     /* 250 2.1.0 */
  SMTP_S_RCPT,     /* 250 2.1.5 */
  SMTP_S_DATA,     /* 354 */
  SMTP_S_MESSAGE,  /* 250 2.0.0 */
  SMTP_S_RESET,    /* 250 2.0.0 */
  SMTP_S_NOOP,     /* 250 2.0.0 */
  SMTP_S_VRFY,     /* 252 2.5.0 cannot VRFY, will attempt delivery */
  SMTP_S_HELP,     /* 214 2.0.0 */
  SMTP_S_QUIT,     /* 221 2.0.0 */
  SMTP_S_COMMAND,  /* 250 2.0.0 an own verb that was accepted */
  SMTP_S_STARTTLS, /* 220 2.0.0 ready to start TLS */
  SMTP_S_AUTH,     /* 235 2.7.0 authentication succeeded */
  SMTP_S_CHUNK,    /* 250 2.0.0 a chunk that is not the last */
  SMTP_S_EACH,     /* 353 a reply for each recipient follows (PRDR) */
  /* a handler said no */
  SMTP_S_NO_CONNECT, /* 554 no SMTP service here */
  SMTP_S_NO_HELO,    /* 550 */
  SMTP_S_NO_MAIL,    /* 550 5.7.1 */
  SMTP_S_NO_RCPT,    /* 550 5.1.1 */
  SMTP_S_NO_DATA,    /* 554 5.7.1 */
  SMTP_S_NO_MESSAGE, /* 554 5.7.1 */
  SMTP_S_NO_VRFY,    /* 550 5.1.1 */
  SMTP_S_NO_COMMAND, /* 502 5.5.1 */
  SMTP_S_NO_AUTH,    /* 535 5.7.8 credentials invalid */
  SMTP_S_NOT_AUTH,   /* 454 4.7.0 nobody could judge the credentials */
  SMTP_S_FAILED,     /* 451 4.3.0 the handler failed or took too long */
  SMTP_S_NOT_TAKEN,  /* 451 4.3.0 nobody took the message */
  /* the peer erred */
  SMTP_S_UNKNOWN,         /* 500 5.5.1 command not recognized */
  SMTP_S_NOT_IMPLEMENTED, /* 502 5.5.1 */
  SMTP_S_SEQUENCE,        /* 503 5.5.1 bad sequence of commands */
  SMTP_S_NO_RECIPIENTS,   /* 503 5.5.1 no valid recipients */
  SMTP_S_SYNTAX,          /* 501 5.5.4 syntax error in arguments */
  SMTP_S_NO_ARGUMENT,     /* 501 5.5.4 takes no argument */
  SMTP_S_BAD_HELO,        /* 501 a domain name or literal is needed */
  SMTP_S_BAD_SENDER,      /* 501 5.1.7 */
  SMTP_S_BAD_RECIPIENT,   /* 501 5.1.3 */
  SMTP_S_PATH_LENGTH,     /* 501 5.5.4 */
  SMTP_S_UNKNOWN_PARAM,   /* 555 5.5.4 */
  SMTP_S_LINE_LENGTH,     /* 500 5.5.6 */
  SMTP_S_NUL,             /* 501 5.5.2 NUL in a command */
  SMTP_S_NOT_UTF8,        /* 500 5.5.2 */
  SMTP_S_NEEDS_UTF8,      /* 553 5.6.7 */
  SMTP_S_NEEDS_TLS,       /* 530 5.7.0 must issue STARTTLS first */
  SMTP_S_NEEDS_AUTH,      /* 530 5.7.0 authentication required */
  SMTP_S_CLEARTEXT,       /* 538 5.7.11 AUTH needs TLS here */
  SMTP_S_NOT_TRUSTED,     /* 550 5.7.0 XCLIENT or XFORWARD, from anybody */
  SMTP_S_MECHANISM,       /* 504 5.5.4 authentication mechanism not offered */
  SMTP_S_CANCELLED,       /* 501 5.7.0 authentication cancelled */
  SMTP_S_BASE64,          /* 501 5.5.2 not the base64 of a response */
  SMTP_S_AUTH_LENGTH,     /* 500 5.5.6 authentication exchange too long */
  SMTP_S_BARE_LF,         /* 500 5.5.2 in a command; closes */
  SMTP_S_BARE_NEWLINE,    /* 550 5.5.2 bare CR, LF or NUL in the body */
  SMTP_S_EIGHTBIT,        /* 550 5.6.3 8-bit content under BODY=7BIT */
  SMTP_S_BAD_CHUNK,       /* 501 5.5.4 BDAT without its size; closes */
  SMTP_S_EARLY,           /* 554 5.5.0 spoke before the greeting; closes */
  SMTP_S_PIPELINING,      /* 554 5.5.0 illegal pipelining; closes */
  SMTP_S_FOREIGN,         /* 421 4.7.0 another protocol; closes */
  /* a limit */
  SMTP_S_TOO_BIG,        /* 552 5.3.4 message over the size limit */
  SMTP_S_HEADER_SIZE,    /* 552 5.3.4 header block too large */
  SMTP_S_HOPS,           /* 554 5.4.6 mail loop */
  SMTP_S_RECIPIENTS,     /* 452 4.5.3 */
  SMTP_S_ALL_RECIPIENTS, /* 421 4.5.3 far too many; closes */
  SMTP_S_MESSAGES,       /* 421 4.7.0 messages in this session; closes */
  SMTP_S_ERRORS,         /* 421 4.7.0 too many errors; closes */
  SMTP_S_AUTH_FAILURES,  /* 421 4.7.0 too many failed authentications; closes */
  SMTP_S_JUNK,           /* 421 4.7.0 too many junk commands; closes */
  SMTP_S_CONNECTIONS,    /* 421 4.7.0 too many connections; closes */
  SMTP_S_TIMEOUT,        /* 421 4.4.2 closes */
  SMTP_S_SHUTDOWN,       /* 421 4.3.2 closes */
  SMTP_S_COUNT
} smtp_situation;

typedef struct smtp_default {
  int code;           /* 220 to 555 */
  smtp_status status; /* class_ 0 where RFC 2034 wants none */
  const char *text;   /* static, ASCII, without the codes */
  smtp_slice line;    /* all of it, with CRLF */
} smtp_default;

/* The reply for a situation; static. */
SMTP_FUNC const smtp_default *smtp_status_of(smtp_situation situation);

/*
** The enhanced code that goes with a code of our caller's own at the stage
** whose good reply is ok (SMTP_S_MAIL, ...): the class of the code with the
** stage's subject and detail; none at the greeting, HELO and for 3xx.
*/
SMTP_FUNC smtp_status smtp_status_for(smtp_situation ok, int code);

#endif
