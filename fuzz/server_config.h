/* SPDX-License-Identifier: MIT */
/*
** server_config.h: the configurations that fuzz/server.c tries, out of two bytes
** of its input.
*/
#ifndef SMTP_FUZZ_SERVER_CONFIG_H
#define SMTP_FUZZ_SERVER_CONFIG_H

#include "../csrc/core/ehlo.h"
#include "../csrc/core/server.h"

static inline void configure(smtp_server_config *c, unsigned flags,
                             unsigned more) {
  static const smtp_server_limits small = {.message_size = 60,
                                           .header = 40,
                                           .hops = 2,
                                           .recipients = 2,
                                           .messages = 2,
                                           .errors = 4,
                                           .junk = 3,
                                           .line = 40,
                                           .idle_timeout = 100,
                                           .command_timeout = 50,
                                           .data_rate = 10};
  smtp_server_config_init(c);
  c->keep_header = true;
  c->strict = flags & 1;
  c->trace = flags & 2;
  c->failures = true;
  c->refuse_eightbit = flags & 4;
  c->bare_newline = (smtp_bare_newline)((flags >> 3 & 3) % 3);
  if (flags & 32) c->limits = small;
  if (flags & 128) {
    c->tls = c->auth_cleartext = true;
    c->auth = SMTP_SASL_PLAIN | SMTP_SASL_LOGIN | SMTP_SASL_OAUTHBEARER;
  }
  if (more & 16) c->extensions = SMTP_EXT_CHUNKING | SMTP_EXT_BINARYMIME;
  if (more & 32)
    c->extensions |= SMTP_EXT_PRDR | SMTP_EXT_SMTPUTF8 | SMTP_EXT_DSN |
                     SMTP_EXT_REQUIRETLS | SMTP_EXT_DELIVERBY |
                     SMTP_EXT_MT_PRIORITY | SMTP_EXT_RRVS;
  c->lmtp = more & 64;
  if (more & 128) c->forwarding = SMTP_FORWARD_XCLIENT | SMTP_FORWARD_XFORWARD;
  if (flags & 64) c->verbs = SMTP_LIT("XADA HELP ETRN");
}

#endif
