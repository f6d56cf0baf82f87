/* SPDX-License-Identifier: MIT */
/*
** server_chunk.c: BDAT (RFC 3030). Its bytes follow the command at once, so
** they are read whatever is thought of it: what was refused is dropped, and
** answered when it was read. Bytes that were taken for commands would be a way
** to smuggle mail.
**
**   bdat-cmd = "BDAT" SP chunk-size [ SP end-marker ]
**   chunk-size = 1*DIGIT, end-marker = "LAST"
*/
#include "ascii.h"
#include "server_state.h"

#define SIZE_DIGITS 19

/* Reads the size and LAST; false: nobody knows how much follows. */
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

/* The reply stands in out from before on; it goes out when the chunk was read.
** Of a transaction nothing is left. */
static void refuse(smtp_server *s, size_t before) {
  if (s->state == ST_CLOSED) return;
  s->reset_due = (s->state & ST_TRANSACTION) != 0 || s->forwarded;
  smtp_server_drop(s);
  s->after_chunk = s->state;
  s->state = ST_CHUNK;
  s->body_since = s->now;
  s->chunk.refused = true;
  s->chunk.answered = before;
}

int smtp_server_chunk(smtp_server *s, smtp_slice args, smtp_situation why,
                      smtp_server_event *event) {
  size_t before = smtp_buf_length(&s->out);
  int r;
  if (!read_args(s, args)) return smtp_server_answer(s, SMTP_S_BAD_CHUNK);
  if (why == SMTP_S_NONE && s->chunk.left == 0 && !s->chunk.last &&
      ++s->junk > s->config->limits.junk)
    return smtp_server_answer(s, SMTP_S_JUNK);
  if (why != SMTP_S_NONE) {
    r = smtp_server_answer(s, why);
    if (r == 0) refuse(s, before);
    return r;
  }
  if (s->state == ST_CHUNKS) {
    s->state = ST_CHUNK;
    return 0;
  }
  s->chunk.waits = true;
  s->asked = event->type = SMTP_SERVER_DATA;
  event->chunk = true;
  if (!s->config->accept_data) return 1;
  event->type = SMTP_SERVER_NONE;
  r = smtp_server_decide(s, SMTP_VERDICT_NONE, 0, (smtp_slice){"", 0});
  return r < 0 ? r : 0;
}

void smtp_server_chunk_decided(smtp_server *s, int code, size_t before) {
  s->chunk.waits = false;
  if (code >= 400)
    refuse(s, before);
  else
    s->state = ST_CHUNK; /* and not where DATA goes */
}

smtp_slice smtp_server_chunk_take(smtp_server *s, bool *end) {
  smtp_slice content = smtp_buf_data(&s->in);
  if (content.n > s->chunk.left) content.n = (size_t)s->chunk.left;
  s->chunk.left -= content.n;
  *end = s->chunk.last && s->chunk.left == 0 && !s->chunk.refused;
  if (s->chunk.refused) return content;
  smtp_dot_look(&s->dot, content, *end);
  return content;
}

int smtp_server_chunk_end(smtp_server *s, smtp_server_event *event) {
  if (s->chunk.refused) { /* its reply is there, and may be seen now */
    s->chunk.refused = false;
    s->state = s->after_chunk;
    s->size = 0;
    return 0;
  }
  if (s->chunk.last || s->refusal != SMTP_S_NONE)
    return smtp_server_message(s, event);
  if (s->config->intercept) {
    event->type = s->asked = SMTP_SERVER_CHUNK;
    return 1;
  }
  s->state = ST_CHUNKS;
  return smtp_server_answer(s, SMTP_S_CHUNK);
}
