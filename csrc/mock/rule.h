/* SPDX-License-Identifier: MIT */
/*
** rule.h: what a mock does at a point of a session, as plain data: where it
** applies (point and matcher), how often (count), and what happens then
** (actions, in order). Text is UTF-8 or any bytes; globs know * and ?, and do
** not care for case.
*/
#ifndef SMTP_MOCK_RULE_H
#define SMTP_MOCK_RULE_H

#include <stdbool.h>

#include "../core/smtp.h"

typedef enum smtp_mock_point {
  SMTP_MOCK_CONNECT,   /* before the greeting */
  SMTP_MOCK_HANDSHAKE, /* before TLS begins */
  SMTP_MOCK_EHLO,
  SMTP_MOCK_HELO,
  SMTP_MOCK_AUTH,
  SMTP_MOCK_MAIL,
  SMTP_MOCK_RCPT,
  SMTP_MOCK_DATA,
  SMTP_MOCK_BODY, /* content came */
  SMTP_MOCK_EOM,  /* its end came */
  SMTP_MOCK_BDAT, /* a chunk came that is not the last */
  SMTP_MOCK_RSET,
  SMTP_MOCK_QUIT,
  SMTP_MOCK_STARTTLS,
  SMTP_MOCK_IDLE,  /* nothing came for some time */
  SMTP_MOCK_OTHER, /* any other verb */
  SMTP_MOCK_POINTS
} smtp_mock_point;

/* The point of a name in any case; OTHER for a verb that has none. */
SMTP_FUNC smtp_mock_point smtp_mock_point_of(smtp_slice name);
SMTP_FUNC const char *smtp_mock_point_name(smtp_mock_point point);

typedef enum smtp_mock_act {
  SMTP_MOCK_REPLY,    /* text: "550 5.1.1 no", with LF for more lines */
  SMTP_MOCK_RAW,      /* text: bytes in place of the reply */
  SMTP_MOCK_DELAY,    /* seconds */
  SMTP_MOCK_DRIP,     /* the reply a byte at a time, every so many seconds */
  SMTP_MOCK_SPLIT,    /* the reply after n bytes in two, seconds between */
  SMTP_MOCK_THROTTLE, /* n bytes a second: of the reply, or read of a body */
  SMTP_MOCK_HANG,     /* nothing more happens */
  SMTP_MOCK_CLOSE,    /* FIN */
  SMTP_MOCK_RESET,    /* RST */
  SMTP_MOCK_STORE,    /* the message is kept whatever is answered */
  SMTP_MOCK_REJECT,   /* the usual refusal of the point */
  SMTP_MOCK_CALL      /* the driver's owner decides (n is its number) */
} smtp_mock_act;

typedef struct smtp_mock_action {
  smtp_mock_act act;
  double seconds;
  uint64_t n;
  smtp_slice text; /* owned */
} smtp_mock_action;

typedef enum smtp_mock_count {
  SMTP_MOCK_ALWAYS,
  SMTP_MOCK_FIRST,    /* the first n times that it matches */
  SMTP_MOCK_NTH,      /* the n-th time */
  SMTP_MOCK_FROM,     /* the n-th time and all later ones */
  SMTP_MOCK_EVERY,    /* each n-th time */
  SMTP_MOCK_SEQUENCE, /* step after step; the last one stays */
  SMTP_MOCK_NEW /* once for each sender and recipient: the start of greylists */
} smtp_mock_count;

typedef enum smtp_mock_wish {
  SMTP_MOCK_EITHER,
  SMTP_MOCK_YES,
  SMTP_MOCK_NO
} smtp_mock_wish;

/* A list of actions; a rule has one, or with SEQUENCE one for each step. */
typedef struct smtp_mock_step {
  smtp_mock_action *actions;
  size_t n;
} smtp_mock_step;

typedef struct smtp_mock_rule {
  smtp_mock_point point;
  /* Slices with p NULL match anything; they are owned
  ** (text.h). */
  smtp_slice verb;     /* OTHER: which */
  smtp_slice from, to; /* globs of the sender and of a recipient */
  smtp_slice text;     /* is in the line, or at EOM in the message */
  smtp_slice user;     /* glob of who authenticated */
  uint64_t session;    /* its number, 0: any */
  smtp_mock_wish tls, auth;
  smtp_mock_count count;
  uint64_t n;
  uint64_t bytes; /* BODY: so many have come; IDLE: milliseconds */
  smtp_mock_step *steps;
  size_t steps_n;
  /* what became of it */
  uint64_t matched, fired;
  uint64_t *seen; /* NEW: hashes of whom it has had */
  size_t seen_n;
} smtp_mock_rule;

/* NULL: no memory. */
SMTP_FUNC smtp_mock_rule *smtp_mock_rule_new(smtp_mock_point point);
SMTP_FUNC void smtp_mock_rule_free(smtp_mock_rule *rule);

/* Begins another step, and adds an action to the last one; text is copied. */
SMTP_FUNC int smtp_mock_rule_step(smtp_mock_rule *rule);
SMTP_FUNC int smtp_mock_rule_add(smtp_mock_rule *rule, smtp_mock_act act,
                                 double seconds, uint64_t n, smtp_slice text);

/* The facts at a point of a session. */
typedef struct smtp_mock_facts {
  smtp_mock_point point;
  smtp_slice verb, text, from, user;
  const smtp_slice *to; /* at RCPT the one, later all that were accepted */
  size_t to_n;
  uint64_t session;
  uint64_t before, bytes; /* BODY, IDLE: how many there were, and are now */
  bool tls, auth;
} smtp_mock_facts;

/* Whether a rule matches, which it counts. */
SMTP_FUNC bool smtp_mock_rule_match(smtp_mock_rule *rule,
                                    const smtp_mock_facts *f);

/*
** The actions of a rule that has matched, if it is its turn; else NULL.
** SMTP_MOCK_NEW without memory forgets: it applies again.
*/
SMTP_FUNC const smtp_mock_step *smtp_mock_rule_fire(smtp_mock_rule *rule,
                                                    const smtp_mock_facts *f);

/* Whether text is of the glob. */
SMTP_FUNC bool smtp_mock_glob(smtp_slice glob, smtp_slice text);

#endif
