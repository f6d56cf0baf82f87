/* SPDX-License-Identifier: MIT */
/*
** server_io.c: the bytes of a session, in and out, and its time. Bytes of the
** peer are an attack before our first ones are sent, and after the 220 to
** STARTTLS: they must not count as commands later.
*/
#include <string.h>

#include "server_state.h"

/* The room for one receive: small while commands come, large in content. */
#define SPACE_MAX 131072

/* ---- bytes in -------------------------------------------------------- */

int smtp_server_space(smtp_server *s, char **place, size_t *room) {
  int r;
  if (s->error != 0) return s->error;
  r = smtp_buf_reserve(&s->in, s->space, place);
  if (r != 0) return s->error = r;
  *room = s->space;
  return 0;
}

/* The peer sent bytes in clear text when TLS is due. */
static int injected(smtp_server *s) {
  size_t waits = smtp_buf_length(&s->out);
  int r = 0;
  /* A 220 that is partly written cannot be taken back; nothing follows it. */
  if (waits > s->starttls.before) {
    smtp_buf_truncate(&s->out, s->starttls.before);
    r = smtp_server_answer(s, SMTP_S_PIPELINING);
  }
  smtp_server_enter(s, MOVE_CLOSE);
  s->why = SMTP_S_PIPELINING;
  return r;
}

void smtp_server_fed(smtp_server *s, size_t n) {
  if (n == 0) return;
  s->active = s->now;
  if (s->state == ST_CLOSED) return; /* what a refused peer still says */
  smtp_buf_commit(&s->in, n);
  if ((s->state & ST_CONTENT) != 0 && n == s->space && s->space < SPACE_MAX)
    s->space *= 2;
  if (s->state == ST_TLS) {
    s->error = injected(s);
  } else if (!s->stream.spoke && s->why == SMTP_S_NONE) {
    smtp_buf_truncate(&s->out, 0); /* the greeting was not sent */
    s->asked = SMTP_SERVER_NONE;
    s->error = smtp_server_answer(s, SMTP_S_EARLY);
  }
}

int smtp_server_feed(smtp_server *s, const char *p, size_t n) {
  while (n > 0) {
    char *place;
    size_t room;
    int r = smtp_server_space(s, &place, &room);
    if (r != 0) return r;
    if (room > n) room = n;
    memcpy(place, p, room);
    smtp_server_fed(s, room);
    p += room;
    n -= room;
  }
  return s->error;
}

void smtp_server_eof(smtp_server *s) {
  s->stream.eof = true;
}

/* ---- bytes out ------------------------------------------------------- */

/* Whether the reply to a refused chunk still waits for the end of the chunk. */
static bool is_late(const smtp_server *s) {
  return s->state == ST_SKIP;
}

smtp_slice smtp_server_peek(const smtp_server *s) {
  static const smtp_slice nothing = {"", 0};
  smtp_slice out = smtp_buf_data(&s->out);
  if (smtp_server_held(s)) return nothing;
  if (is_late(s) && out.n > s->chunk.answered) out.n = s->chunk.answered;
  return out;
}

smtp_slice smtp_server_queued(const smtp_server *s) {
  return smtp_buf_data(&s->out);
}

void smtp_server_sent(smtp_server *s, size_t n) {
  if (n == 0) return;
  smtp_buf_consume(&s->out, n);
  if (is_late(s)) s->chunk.answered -= n;
  if (s->state == ST_TLS) /* a 220 that is partly written stays */
    s->starttls.before =
        n <= s->starttls.before ? s->starttls.before - n : SIZE_MAX;
  s->stream.spoke = true;
  s->active = s->now;
}

bool smtp_server_wary(const smtp_server *s) {
  return !s->stream.spoke || s->state == ST_TLS;
}

bool smtp_server_paused(const smtp_server *s) {
  return s->state == ST_TLS && smtp_buf_length(&s->out) == 0;
}

bool smtp_server_held(const smtp_server *s) {
  return s->now < s->hold;
}

/* ---- time ------------------------------------------------------------ */

void smtp_server_clock(smtp_server *s, double now) {
  s->now = now;
}

double smtp_server_deadline(const smtp_server *s) {
  const smtp_server_limits *limits = &s->config->limits;
  double idle = limits->idle_timeout, at;
  if (s->state == ST_REFUSED && idle > SMTP_REFUSED_TIMEOUT)
    idle = SMTP_REFUSED_TIMEOUT;
  at = s->active + idle;
  if (smtp_server_held(s)) return s->hold;
  if (s->asked != SMTP_SERVER_NONE || s->content.handed >= 0 ||
      smtp_server_paused(s))
    return -1; /* the handler's own clock, or that of the handshake */
  if ((s->state & (ST_CONTENT | ST_CHUNKS)) != 0 && limits->data_rate > 0) {
    double due = s->content.since + SMTP_DATA_GRACE +
                 (double)s->content.size / limits->data_rate;
    if (due < at) at = due;
  } else if (s->line.since >= 0 &&
             s->line.since + limits->command_timeout < at) {
    at = s->line.since + limits->command_timeout;
  }
  return at;
}

void smtp_server_tick(smtp_server *s, double now) {
  double at = smtp_server_deadline(s);
  bool held = smtp_server_held(s);
  s->now = now;
  if (held || at < 0 || now < at || s->stream.reported) return;
  /* A peer that does not take the last reply either is left at once. */
  if (s->state == ST_CLOSED)
    smtp_buf_truncate(&s->out, 0);
  else if (smtp_server_answer(s, SMTP_S_TIMEOUT) != 0)
    s->error = SMTP_ENOMEM;
}

void smtp_server_end(smtp_server *s, smtp_situation why, bool now) {
  if (s->state == ST_CLOSED) return;
  s->ending = why;
  if (!now) return;
  if (smtp_server_paused(s)) { /* the peer waits for TLS, not for a reply */
    smtp_server_enter(s, MOVE_CLOSE);
    s->why = why;
    return;
  }
  s->asked = SMTP_SERVER_NONE;
  s->hold = s->now;
  if (smtp_server_answer(s, why) != 0) s->error = SMTP_ENOMEM;
}
