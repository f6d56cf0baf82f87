/* SPDX-License-Identifier: MIT */
/* client_state.c: the state of the client machine, and its one writer. */
#include "client_state.h"

void smtp_client_enter(smtp_client *c, enum move move) {
  static const struct {
    unsigned from;
    enum state to;
  } moves[MOVES] = {
#define MOVE(event, from, to) [MOVE_##event] = {from, to},
      SMTP_CLIENT_MOVES(MOVE)
#undef MOVE
  };
  if (smtp_client_is(c, moves[move].from) || moves[move].from == c->state)
    c->state = moves[move].to;
}

bool smtp_client_is(const smtp_client *c, unsigned states) {
  return (states & (unsigned)c->state) != 0;
}

bool smtp_client_offered(const smtp_client *c, unsigned extension) {
  return (c->hello.offered.extensions & extension) != 0;
}

/* The one place where a session that must be encrypted is held back until it
** is. */
bool smtp_client_allowed(const smtp_client *c, smtp_verb verb) {
  if (verb == SMTP_VERB_STARTTLS) return !c->io.secured;
  return !c->config.tls || c->io.secured || verb == SMTP_VERB_EHLO ||
         verb == SMTP_VERB_LHLO || verb == SMTP_VERB_NOOP ||
         verb == SMTP_VERB_QUIT;
}
