/* SPDX-License-Identifier: MIT */
/* server_state.c: the only writer of a session's state. */
#include "server_state.h"

void smtp_server_enter(smtp_server *s, enum move move) {
  static const struct {
    unsigned from;
    enum state to;
  } moves[MOVES] = {
#define MOVE(event, from, to) [MOVE_##event] = {from, to},
      SMTP_SERVER_MOVES(MOVE)
#undef MOVE
  };
  enum state from = s->state, to = moves[move].to;
  if ((moves[move].from & from) == 0 && moves[move].from != (unsigned)from)
    return;
  if (to == ST_SKIP) s->before = from;
  s->state = to == ST_BEFORE ? s->before : to;
}

void smtp_server_drop(smtp_server *s) {
  smtp_server_enter(s, MOVE_DROP);
  s->mail.recipients = s->mail.over = 0;
  s->mail.utf8 = s->mail.forwarded = s->mail.prdr = false;
  s->content.refusal = SMTP_S_NONE;
  s->content.size = 0;
  s->content.ended = s->content.taken = false;
  s->content.replies = s->content.said = 0;
  s->content.handed = -1;
  smtp_buf_clear(&s->content.head);
}

void smtp_server_abandon(smtp_server *s) {
  s->due.reset = (s->state & ST_TRANSACTION) != 0 || s->mail.forwarded;
  smtp_server_drop(s);
}
