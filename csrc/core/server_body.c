/* SPDX-License-Identifier: MIT */
/*
** server_body.c: the content of a message, of DATA (RFC 5321 section 4.1.1.4)
** or of chunks: handed on slice by slice, and held against the rules.
*/
#include <string.h>

#include "server_state.h"

/* Room for the replies to a message, of however many recipients. */
static void widen(const smtp_server *s, smtp_buf *b) {
  size_t cap = smtp_buf_length(b) + OUT_MAX + s->replies * SMTP_EACH_MAX;
  if (cap > b->cap) b->cap = cap;
}

/* How many replies the content gets. A chunk that broke a rule and is not the
** last has one, as every chunk. */
static void count_replies(smtp_server *s) {
  s->replies = 1;
  if (s->state == ST_CHUNK && !s->chunk.last) return;
  if (s->config->lmtp)
    s->replies = s->recipients;
  else if (s->prdr && s->recipients > 1)
    s->replies = s->recipients + 1;
  if (s->replies == 1) return;
  widen(s, &s->out);
  widen(s, &s->facts);
}

/* The end of the content: what is remembered of it goes to the verdict. */
int smtp_server_message(smtp_server *s, smtp_server_event *event) {
  s->ended = true;
  event->type = s->asked = SMTP_SERVER_MESSAGE;
  event->situation = s->refusal;
  event->size = s->size;
  event->seen = s->dot.seen;
  count_replies(s);
  event->replies = s->replies;
  return 1;
}

/* Of binary content no byte means anything (RFC 3030 section 3). */
static bool is_binary(const smtp_server *s) {
  return s->body == SMTP_BODY_BINARYMIME;
}

/* Looks at the header in the content, and keeps it. */
static void scan_header(smtp_server *s, smtp_slice content) {
  uint64_t before = s->header.size;
  size_t room = s->head.cap - smtp_buf_length(&s->head), n;
  smtp_header_feed(&s->header, content);
  n = (size_t)(s->header.size - before);
  if (n > room) n = room;
  if (s->config->keep_header && n > 0 &&
      smtp_buf_append(&s->head, content.p, n) != 0)
    s->error = SMTP_ENOMEM;
}

smtp_slice smtp_server_header(const smtp_server *s, bool *whole) {
  *whole = s->header.done || s->ended;
  return smtp_buf_data(&s->head);
}

/* Holds the content against the rules; the first breach is what is said. */
static void inspect(smtp_server *s, smtp_slice content) {
  const smtp_server_config *c = s->config;
  smtp_situation why = SMTP_S_NONE;
  s->size += content.n;
  if (!s->header.done) scan_header(s, content);
  if (s->size > c->limits.message_size)
    why = SMTP_S_TOO_BIG;
  else if (c->bare_newline == SMTP_BARE_REJECT && !is_binary(s) &&
           (s->dot.seen &
            (SMTP_DOT_BARE_LF | SMTP_DOT_BARE_CR | SMTP_DOT_NUL)) != 0)
    why = SMTP_S_BARE_NEWLINE;
  else if (c->refuse_eightbit && s->body != SMTP_BODY_8BITMIME &&
           !is_binary(s) && (s->dot.seen & SMTP_DOT_EIGHTBIT) != 0)
    why = SMTP_S_EIGHTBIT;
  else if (s->header.size > c->limits.header)
    why = SMTP_S_HEADER_SIZE;
  else if (s->header.received >= c->limits.hops)
    why = SMTP_S_HOPS;
  if (s->refusal == SMTP_S_NONE) s->refusal = why;
}

/* Over the limit by half again: the peer does not listen, so we leave. */
static bool drained(const smtp_server *s) {
  uint64_t limit = s->config->limits.message_size;
  return s->size > limit && s->size - limit > limit / 2;
}

/* What was refused has its reply; else all that would have one have it now. */
static int leave(smtp_server *s) {
  size_t n = 0;
  int r = 0;
  if (!s->chunk.refused) {
    count_replies(s);
    n = s->config->lmtp ? s->replies : 1;
  }
  while (r == 0 && n-- > 0) r = smtp_server_answer(s, SMTP_S_TOO_BIG);
  s->chunk.refused = false;
  s->state = ST_CLOSED;
  s->why = SMTP_S_TOO_BIG;
  return r;
}

/* NUL is dropped here and not in the decoder, which keeps what came. */
static int mend(smtp_server *s, smtp_slice *content, bool last) {
  const char *p = content->p, *end = p + content->n;
  int r = 0;
  smtp_buf_truncate(&s->mended, 0);
  while (r == 0 && p < end) {
    const char *nul = memchr(p, 0, (size_t)(end - p));
    const char *stop = nul == NULL ? end : nul;
    smtp_slice run = {p, (size_t)(stop - p)};
    r = smtp_dot_encode(&s->mend, run, &s->mended);
    p = nul == NULL ? end : nul + 1;
  }
  if (r == 0 && last) r = smtp_dot_finish(&s->mend, &s->mended);
  *content = smtp_buf_data(&s->mended);
  return r;
}

/* The content that is there, without its dots; *used: bytes of the input. */
static smtp_slice take_lines(smtp_server *s, size_t *used, bool *end) {
  smtp_slice data = smtp_buf_data(&s->in);
  size_t made;
  *end = smtp_dot_decode(&s->dot, s->in.p + s->in.begin, data.n, used, &made);
  return (smtp_slice){data.p, made};
}

/* One slice of content, or its end: of DATA, or of a chunk. */
int smtp_server_body(smtp_server *s, smtp_server_event *event) {
  smtp_slice content;
  size_t used;
  bool end;
  if (s->handed >= 0) { /* a slow handler is not the peer's fault */
    s->body_since += s->now - s->handed;
    s->active = s->now;
    s->handed = -1;
  }
  if (s->ended) return smtp_server_message(s, event);
  if (s->state == ST_BODY) {
    content = take_lines(s, &used, &end);
  } else {
    if (s->chunk.left == 0 && (!s->chunk.last || s->chunk.refused))
      return smtp_server_chunk_end(s, event);
    content = smtp_server_chunk_take(s, &end);
    used = content.n;
  }
  if (used == 0 && !end) return 0;
  smtp_buf_consume(&s->in, used);
  if (s->chunk.refused)
    s->size += used;
  else
    inspect(s, content);
  if (s->error != 0) return s->error;
  if (!end && (s->chunk.refused || s->refusal == SMTP_S_TOO_BIG) && drained(s))
    return leave(s);
  if (s->chunk.refused) return 0;
  if (s->refusal == SMTP_S_NONE && !is_binary(s) &&
      s->config->bare_newline == SMTP_BARE_NORMALIZE) {
    int r = mend(s, &content, end);
    if (r != 0) return s->error = r;
  }
  s->ended = end;
  if ((s->refusal != SMTP_S_NONE && !s->config->intercept) || content.n == 0)
    return s->ended ? smtp_server_message(s, event) : 0;
  s->handed = s->now;
  event->type = SMTP_SERVER_BODY;
  event->text = content;
  event->size = s->size;
  return 1;
}
