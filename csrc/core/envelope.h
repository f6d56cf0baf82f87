/* SPDX-License-Identifier: MIT */
/*
** envelope.h: the parameters of MAIL and RCPT that the library knows, as typed
** values. Which of them may come is what the server has offered; all of them
** are read before one that may not is told, since a line that is malformed is
** malformed whatever it asks for.
*/
#ifndef SMTP_ENVELOPE_H
#define SMTP_ENVELOPE_H

#include <stdbool.h>

#include "buf.h"
#include "smtp.h"

/* BODY of RFC 6152, and of RFC 3030 with BDAT only. */
typedef enum smtp_body {
  SMTP_BODY_UNSET,
  SMTP_BODY_7BIT,
  SMTP_BODY_8BITMIME,
  SMTP_BODY_BINARYMIME
} smtp_body;

/* RET of RFC 3461 section 4.3. */
typedef enum smtp_ret { SMTP_RET_UNSET, SMTP_RET_FULL, SMTP_RET_HDRS } smtp_ret;

/* NOTIFY of RFC 3461 section 4.1; NEVER stands alone. */
enum smtp_notify {
  SMTP_NOTIFY_NEVER = 1,
  SMTP_NOTIFY_SUCCESS = 2,
  SMTP_NOTIFY_FAILURE = 4,
  SMTP_NOTIFY_DELAY = 8
};

typedef struct smtp_mail_params {
  bool has_size, has_auth, has_by, has_priority, has_hold_for;
  uint64_t size; /* RFC 1870: the declared size of the message in bytes */
  smtp_body body;
  smtp_slice auth; /* RFC 4954 section 5: xtext of a mailbox, or "<>" */
  bool smtputf8;   /* RFC 6531 section 3.4 */
  smtp_ret ret;
  smtp_slice envid; /* xtext of RFC 3461 section 4.4; empty: none */
  bool requiretls;  /* RFC 8689 section 2 */
  bool prdr;        /* draft-hall-prdr-00 */
  struct {          /* RFC 2852 section 4 */
    int seconds;    /* may have passed */
    bool returns;   /* by-mode R; else N */
    bool trace;
  } by;
  int priority;          /* -9 to 9, RFC 6710 section 4 */
  uint64_t hold_for;     /* seconds, RFC 4865 section 5 */
  smtp_slice hold_until; /* date-time of RFC 3339; empty: none */
} smtp_mail_params;

typedef struct smtp_rcpt_params {
  unsigned notify;  /* OR of enum smtp_notify; 0: none was given */
  smtp_slice orcpt; /* addr-type ";" xtext, RFC 3461 section 4.2; empty: none */
  smtp_slice rrvs;  /* date-time [";" "C" / "R"], RFC 7293 section 3 */
} smtp_rcpt_params;

/* The parameters that may come. */
typedef struct smtp_param_rules {
  unsigned offered; /* OR of enum smtp_extension */
  smtp_slice own;   /* other keywords, in upper case, separated by spaces */
  bool strict;      /* no tab among them */
} smtp_param_rules;

/*
** Reads all of the parameters. SMTP_ESYNTAX for a malformed or doubled one or
** a bad value (501), SMTP_EINVALID for one that may not come (555). The
** malformed comes before the unknown. Slices point into `in`.
*/
SMTP_FUNC int smtp_mail_params_parse(smtp_mail_params *out, smtp_slice in,
                                     const smtp_param_rules *rules);
SMTP_FUNC int smtp_rcpt_params_parse(smtp_rcpt_params *out, smtp_slice in,
                                     const smtp_param_rules *rules);

/* Appends type ";" and the address that a value of ORCPT stands for; on an error
** out is as it was. */
SMTP_FUNC int smtp_orcpt_parse(smtp_buf *out, smtp_slice in);

/* date-time of RFC 3339 section 5.6, with every field in its range: seconds
** since 1970 in UTC, the fraction dropped. 0, or SMTP_ESYNTAX. */
SMTP_FUNC int smtp_date_time_parse(smtp_slice text, int64_t *seconds);

#endif
