/* SPDX-License-Identifier: MIT */
/*
** mock.h: a scripted SMTP server: how its sessions are, the rules that change
** them, and what it remembers. It has no thread and no lock: that is the
** engine's (engine.h), which holds its lock around every call here.
*/
#ifndef SMTP_MOCK_MOCK_H
#define SMTP_MOCK_MOCK_H

#include <openssl/ssl.h>

#include "../core/server.h"
#include "record.h"
#include "rule.h"

typedef struct smtp_mock_user {
  smtp_slice name, password; /* owned; or a token in place of the password */
} smtp_mock_user;

typedef struct smtp_mock {
  smtp_server_config config;
  smtp_slice hostname; /* owned; config borrows it */
  unsigned char secret[32];
  SSL_CTX *tls; /* NULL: none. Owned */
  bool implicit;
  bool any_user; /* whoever says that he is somebody is */
  smtp_mock_user *users;
  size_t users_n;
  smtp_slice hidden; /* keywords that EHLO leaves out, separated by spaces */
  smtp_slice extra;  /* lines that EHLO has besides, LF between them */
  smtp_slice file;   /* is removed when the mock ends */
  double watchdog;   /* seconds in which a session must have done something */
  smtp_mock_rule **rules; /* the last one that applies is taken */
  size_t rules_n;
  smtp_mock_rule **retired; /* sessions may still be at their actions */
  size_t retired_n;
  smtp_mock_record record;
  uint64_t sessions; /* so many there were */
} smtp_mock;

/* NULL: no memory, or no random bytes. */
SMTP_FUNC smtp_mock *smtp_mock_new(void);
SMTP_FUNC void smtp_mock_free(smtp_mock *m);

/* Adds a rule, or puts it in the place of number at (from 1). Gives its
** number, or SMTP_ENOMEM; rule is the mock's then. */
SMTP_FUNC int smtp_mock_put(smtp_mock *m, size_t at, smtp_mock_rule *rule);

SMTP_FUNC int smtp_mock_add_user(smtp_mock *m, smtp_slice name,
                                 smtp_slice password);
SMTP_FUNC const smtp_mock_user *smtp_mock_user_of(const smtp_mock *m,
                                                  smtp_slice name);

/* Whether EHLO leaves a keyword out. */
SMTP_FUNC bool smtp_mock_hides(const smtp_mock *m, smtp_slice keyword);

/* The actions of the last rule that applies; NULL: as ever. */
SMTP_FUNC const smtp_mock_step *smtp_mock_fire(smtp_mock *m,
                                               const smtp_mock_facts *f);

/* In bytes of content, for BODY rules. */
SMTP_FUNC uint64_t smtp_mock_body_after(const smtp_mock *m, uint64_t before);

/* The shortest time, in milliseconds above before, that an IDLE rule waits
** for; 0: there is none. */
SMTP_FUNC uint64_t smtp_mock_idle_after(const smtp_mock *m, uint64_t before);

#endif
