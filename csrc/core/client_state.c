/* SPDX-License-Identifier: MIT */
/* client_state.c: the state of the client machine, and its one writer. */
#include "client_state.h"

void smtp_client_enter(smtp_client *c, enum client_transition event) {
  static const unsigned char next[ST_COUNT][EV_COUNT] = {
#define SMTP_TRANSITION(from, event, to) [ST_##from][EV_##event] = ST_##to,
      SMTP_CLIENT_TRANSITIONS(SMTP_TRANSITION)
#undef SMTP_TRANSITION
  };
  unsigned char to = event == EV_NONE ? ST_NONE : next[c->state][event];
  if (to != ST_NONE) c->state = (enum client_state)to;
}

bool smtp_client_is(const smtp_client *c, unsigned states) {
  return (states & IN(c->state)) != 0;
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
