/* SPDX-License-Identifier: MIT */
/*
** record.h: what a mock remembers: sessions, mails, what clients did wrong, the
** dialogue. Numbers count from 1. A record that found no memory is `lost`, and
** goes on with what it has.
*/
#ifndef SMTP_MOCK_RECORD_H
#define SMTP_MOCK_RECORD_H

#include <stdbool.h>

#include "../core/buf.h"
#include "../net/address.h"
#include "rule.h"

typedef struct smtp_mock_recipient {
  smtp_slice address, params; /* owned, as all slices here */
  int code;                   /* what was answered */
  smtp_slice reply;
} smtp_mock_recipient;

typedef struct smtp_mock_mail {
  uint64_t number; /* of the mail, 0: not told yet */
  uint64_t session;
  smtp_slice from, params, helo, user;
  smtp_mock_recipient *recipients; /* those that were refused as well */
  size_t recipients_n;
  smtp_buf raw;   /* dots are unstuffed */
  unsigned seen;  /* OR of enum smtp_dot_seen */
  bool body_8bit; /* BODY=8BITMIME */
  bool tls, stored;
  int code; /* the last reply; 0: there was none */
} smtp_mock_mail;

/* A session, from its connection on. */
typedef struct smtp_mock_visit {
  uint64_t number;
  char peer[SMTP_ADDRESS_TEXT];
  int port;
  double opened, closed; /* closed is 0 while it is open */
  bool esmtp, auth, idle;
  smtp_slice helo, user, mechanism;
  smtp_slice tls_version, tls_cipher, tls_name; /* name: SNI */
  smtp_slice tls_error;                         /* why the handshake failed */
  smtp_slice reason;                            /* why it ended */
  uint64_t commands, mails;
} smtp_mock_visit;

/* A fault of a client. */
typedef struct smtp_mock_violation {
  uint64_t session;
  const char *rule;    /* a word; static */
  const char *section; /* "RFC 5321 section 2.3.8"; static */
  smtp_slice text;
} smtp_mock_violation;

typedef struct smtp_mock_record {
  smtp_mock_mail **mails;
  size_t mails_n, mails_before; /* before: those that were forgotten */
  smtp_mock_visit **visits;
  size_t visits_n;
  smtp_mock_violation *violations;
  size_t violations_n;
  smtp_buf transcript; /* lines: "12 C: text", LF behind each */
  uint64_t counts[SMTP_MOCK_POINTS];
  bool lost; /* something found no memory: it is told as a violation */
} smtp_mock_record;

SMTP_FUNC void smtp_mock_record_init(smtp_mock_record *r);
SMTP_FUNC void smtp_mock_record_clear(smtp_mock_record *r);

/* Forgets mails, violations, counts, the dialogue and sessions that ended. */
SMTP_FUNC void smtp_mock_record_reset(smtp_mock_record *r);

/* A new session, which the record owns. NULL: no memory. */
SMTP_FUNC smtp_mock_visit *smtp_mock_record_visit(smtp_mock_record *r,
                                                  uint64_t number);

/* A mail that is coming: it belongs to the caller until it is kept. */
SMTP_FUNC smtp_mock_mail *smtp_mock_mail_new(uint64_t session, smtp_slice from,
                                             smtp_slice params);
SMTP_FUNC void smtp_mock_mail_free(smtp_mock_mail *mail);
SMTP_FUNC void smtp_mock_mail_recipient(smtp_mock_mail *mail,
                                        smtp_slice address, smtp_slice params,
                                        int code, smtp_slice reply);
SMTP_FUNC void smtp_mock_record_mail(smtp_mock_record *r, smtp_mock_mail *mail);

SMTP_FUNC void smtp_mock_record_violation(smtp_mock_record *r, uint64_t session,
                                          const char *rule, const char *section,
                                          smtp_slice text);

/* Adds lines of a dialogue; who is 'C', 'S' or '*' (a remark). */
SMTP_FUNC void smtp_mock_record_line(smtp_mock_record *r, uint64_t session,
                                     char who, smtp_slice text);

#endif
