/* SPDX-License-Identifier: MIT */
/*
** server_chunk.c: BDAT (RFC 3030). Its bytes follow the command at once, so
** they are read whatever the verdict: a refused chunk is read, dropped, and
** then answered. Bytes that were taken for commands would be a way to smuggle
** mail.
**
**   bdat-cmd = "BDAT" SP chunk-size [ SP end-marker ]
**   chunk-size = 1*DIGIT, end-marker = "LAST"
*/
#include "ascii.h"
#include "server_state.h"

#define SIZE_DIGITS 19

/* Reads the size and LAST; false: the number of bytes is not known. */
static bool read_args(smtp_server *s, smtp_slice args) {
  smtp_slice size = args, rest;
  size_t n = 0;
  while (n < args.n && args.p[n] != ' ') n++;
  size.n = n;
  while (n < args.n && args.p[n] == ' ') n++;
  rest = (smtp_slice){args.p + n, args.n - n};
  s->chunk.last = rest.n > 0;
  if (rest.n > 0 && !smtp_ascii_equal(rest, SMTP_LIT("LAST"))) return false;
  return size.n <= SIZE_DIGITS && smtp_ascii_number(size, &s->chunk.left) == 0;
}

/* Skips the chunk and drops the transaction. */
void smtp_server_skip(smtp_server *s, size_t before) {
  if (s->state == ST_CLOSED) return;
  smtp_server_abandon(s);
  smtp_server_enter(s, MOVE_SKIP);
  s->content.since = s->now;
  s->chunk.answered = before;
}

int smtp_server_chunk(smtp_server *s, smtp_slice args, smtp_situation why,
                      smtp_server_event *event) {
  size_t before = smtp_buf_length(&s->out);
  int r;
  if (!read_args(s, args)) return smtp_server_answer(s, SMTP_S_BAD_CHUNK);
  if (why == SMTP_S_NONE && s->chunk.left == 0 && !s->chunk.last &&
      ++s->count.junk > s->config->limits.junk)
    return smtp_server_answer(s, SMTP_S_JUNK);
  if (why != SMTP_S_NONE) {
    r = smtp_server_answer(s, why);
    if (r == 0) smtp_server_skip(s, before);
    return r;
  }
  if (s->state == ST_CHUNKS) {
    smtp_server_enter(s, MOVE_CHUNK);
    return 0;
  }
  s->chunk.waits = true;
  s->asked = event->type = SMTP_SERVER_DATA;
  event->chunk = true;
  return 1;
}
