/* SPDX-License-Identifier: MIT */
/*
** server_body.c: the content of a message, of DATA (RFC 5321 section 4.1.1.4)
** or of chunks: handed on slice by slice, and held against the rules.
*/
#include <string.h>

#include "server_state.h"

/* ---- the end --------------------------------------------------------- */

/* Room for the replies to a message, of however many recipients. */
static void widen(const smtp_server *s, smtp_buf *b) {
  size_t cap = smtp_buf_length(b) + SMTP_SERVER_OUT_MAX +
               s->content.replies * SMTP_EACH_MAX;
  if (cap > b->cap) b->cap = cap;
}

/* How many replies the content gets. A chunk that broke a rule and is not the
** last has one, as every chunk. */
static void count_replies(smtp_server *s) {
  s->content.replies = 1;
  if (s->state == ST_CHUNK && !s->chunk.last) return;
  if (s->config->lmtp)
    s->content.replies = s->mail.recipients;
  else if (s->mail.prdr && s->mail.recipients > 1)
    s->content.replies = s->mail.recipients + 1;
  if (s->content.replies == 1) return;
  widen(s, &s->out);
  widen(s, &s->facts);
}

/* The end of the content: what is remembered of it goes to the verdict. */
static int end_message(smtp_server *s, smtp_server_event *event) {
  s->content.ended = true;
  event->type = s->asked = SMTP_SERVER_MESSAGE;
  event->situation = s->content.refusal;
  event->size = s->content.size;
  event->seen = s->content.dot.seen;
  count_replies(s);
  event->replies = s->content.replies;
  return 1;
}

/* ---- its bytes ------------------------------------------------------- */

/* Resets the facts about a message. */
void smtp_server_begin(smtp_server *s) {
  s->content.since = s->content.handed = s->now;
  smtp_dot_decoder_init(&s->content.dot);
  smtp_dot_encoder_init(&s->content.mend, 0);
  smtp_header_init(&s->content.header);
}

/* Binary content has no lines (RFC 3030 section 3). */
static bool is_binary(const smtp_server *s) {
  return s->mail.body == SMTP_BODY_BINARYMIME;
}

/* Looks at the header in the content, and keeps it. */
static void scan_header(smtp_server *s, smtp_slice content) {
  uint64_t before = s->content.header.size;
  size_t room = s->content.head.cap - smtp_buf_length(&s->content.head), n;
  smtp_header_feed(&s->content.header, content);
  n = (size_t)(s->content.header.size - before);
  if (n > room) n = room;
  if (s->config->keep_header && n > 0 &&
      smtp_buf_append(&s->content.head, content.p, n) != 0)
    s->error = SMTP_ENOMEM;
}

smtp_slice smtp_server_header(const smtp_server *s, bool *whole) {
  *whole = s->content.header.done || s->content.ended;
  return smtp_buf_data(&s->content.head);
}

/* Checks the content against the rules; the reply names the first breach. */
static void inspect(smtp_server *s, smtp_slice content) {
  const smtp_server_config *c = s->config;
  smtp_situation why = SMTP_S_NONE;
  s->content.size += content.n;
  if (!s->content.header.done) scan_header(s, content);
  if (s->content.size > c->limits.message_size)
    why = SMTP_S_TOO_BIG;
  else if (c->bare_newline == SMTP_BARE_REJECT && !is_binary(s) &&
           (s->content.dot.seen &
            (SMTP_DOT_BARE_LF | SMTP_DOT_BARE_CR | SMTP_DOT_NUL)) != 0)
    why = SMTP_S_BARE_NEWLINE;
  else if (c->refuse_eightbit && s->mail.body != SMTP_BODY_8BITMIME &&
           !is_binary(s) && (s->content.dot.seen & SMTP_DOT_EIGHTBIT) != 0)
    why = SMTP_S_EIGHTBIT;
  else if (s->content.header.size > c->limits.header)
    why = SMTP_S_HEADER_SIZE;
  else if (s->content.header.received >= c->limits.hops)
    why = SMTP_S_HOPS;
  if (s->content.refusal == SMTP_S_NONE) s->content.refusal = why;
}

/* Over the limit by half of it: the peer ignores the refusal, so we leave. */
static bool drained(const smtp_server *s) {
  uint64_t limit = s->config->limits.message_size;
  return s->content.size > limit && s->content.size - limit > limit / 2;
}

/* Leaves the session with a reply to the content. A refused chunk has its reply
** already; else all outstanding replies are made now. */
static int leave(smtp_server *s) {
  size_t n = 0;
  int r = 0;
  if (s->state != ST_SKIP) {
    count_replies(s);
    n = s->config->lmtp ? s->content.replies : 1;
  }
  while (r == 0 && n-- > 0) r = smtp_server_answer(s, SMTP_S_TOO_BIG);
  smtp_server_enter(s, MOVE_CLOSE);
  s->why = SMTP_S_TOO_BIG;
  return r;
}

/* NUL is dropped here and not in the decoder, which changes no bytes. */
static int mend(smtp_server *s, smtp_slice *content, bool last) {
  const char *p = content->p, *end = p + content->n;
  int r = 0;
  smtp_buf_truncate(&s->content.mended, 0);
  while (r == 0 && p < end) {
    const char *nul = memchr(p, 0, (size_t)(end - p));
    const char *stop = nul == NULL ? end : nul;
    smtp_slice run = {p, (size_t)(stop - p)};
    r = smtp_dot_encode(&s->content.mend, run, &s->content.mended);
    p = nul == NULL ? end : nul + 1;
  }
  if (r == 0 && last) r = smtp_dot_finish(&s->content.mend, &s->content.mended);
  *content = smtp_buf_data(&s->content.mended);
  return r;
}

/* The content that is there, without its dots; *used: bytes of the input. */
static smtp_slice take_lines(smtp_server *s, size_t *used, bool *end) {
  smtp_slice data = smtp_buf_data(&s->in);
  size_t made;
  *end = smtp_dot_decode(&s->content.dot, s->in.p + s->in.begin, data.n, used,
                         &made);
  return (smtp_slice){data.p, made};
}

/* The content that is there of a chunk. */
static smtp_slice take_chunk(smtp_server *s, bool *end) {
  smtp_slice content = smtp_buf_data(&s->in);
  if (content.n > s->chunk.left) content.n = (size_t)s->chunk.left;
  s->chunk.left -= content.n;
  *end = s->chunk.last && s->chunk.left == 0;
  smtp_dot_look(&s->content.dot, content, *end);
  return content;
}

/* All of a chunk was read. */
static int end_chunk(smtp_server *s, smtp_server_event *event) {
  if (s->content.refusal != SMTP_S_NONE) return end_message(s, event);
  if (s->config->intercept) {
    event->type = s->asked = SMTP_SERVER_CHUNK;
    return 1;
  }
  smtp_server_enter(s, MOVE_CHUNK_READ);
  return smtp_server_answer(s, SMTP_S_CHUNK);
}

/* The bytes of a refused chunk are dropped; then its reply may be seen. */
static int skip(smtp_server *s) {
  size_t n = smtp_buf_length(&s->in);
  if (s->chunk.left == 0) {
    smtp_server_enter(s, MOVE_SKIPPED);
    s->content.size = 0;
    return 0;
  }
  if (n > s->chunk.left) n = (size_t)s->chunk.left;
  s->chunk.left -= n;
  smtp_buf_consume(&s->in, n);
  s->content.size += n;
  return n > 0 && drained(s) ? leave(s) : 0;
}

/* One slice of content, or its end: of DATA, or of a chunk. */
int smtp_server_body(smtp_server *s, smtp_server_event *event) {
  smtp_slice content;
  size_t used;
  bool end;
  if (s->content.handed >= 0) { /* a slow handler is not the peer's fault */
    s->content.since += s->now - s->content.handed;
    s->active = s->now;
    s->content.handed = -1;
  }
  if (s->state == ST_SKIP) return skip(s);
  if (s->content.ended) return end_message(s, event);
  if (s->state == ST_BODY) {
    content = take_lines(s, &used, &end);
  } else {
    if (s->chunk.left == 0 && !s->chunk.last) return end_chunk(s, event);
    content = take_chunk(s, &end);
    used = content.n;
  }
  if (used == 0 && !end) return 0;
  smtp_buf_consume(&s->in, used);
  inspect(s, content);
  if (s->error != 0) return s->error;
  if (!end && s->content.refusal == SMTP_S_TOO_BIG && drained(s))
    return leave(s);
  if (s->content.refusal == SMTP_S_NONE && !is_binary(s) &&
      s->config->bare_newline == SMTP_BARE_NORMALIZE) {
    int r = mend(s, &content, end);
    if (r != 0) return s->error = r;
  }
  s->content.ended = end;
  if ((s->content.refusal != SMTP_S_NONE && !s->config->intercept) ||
      content.n == 0)
    return s->content.ended ? end_message(s, event) : 0;
  s->content.handed = s->now;
  event->type = SMTP_SERVER_BODY;
  event->text = content;
  event->size = s->content.size;
  return 1;
}
