/* SPDX-License-Identifier: MIT */
/*
** client_body.c: the content of a message on its way out: after DATA with its
** dots doubled (RFC 5321 section 4.5.2), or in chunks (RFC 3030). A chunk is
** queued whole, command and bytes, so that nothing can come between them.
*/
#include "client_state.h"

static void begin(smtp_client *c, unsigned mode) {
  if (c->config.strict_body) mode |= SMTP_DOT_STRICT;
  smtp_dot_encoder_init(&c->content.dot, mode);
}

/* The 3xx of DATA with no recipient: a lone dot ends what nobody wants (RFC
** 2920 section 3.1). By LMTP there would be no reply to it. */
int smtp_client_content_due(smtp_client *c) {
  if (c->due.counts.accepted == 0 && c->hello.lmtp)
    return smtp_client_breach(c, "content is asked for, and for nobody");
  begin(c, SMTP_DOT_STUFF);
  smtp_client_enter(c, MOVE_WANTED);
  if (c->state != ST_BODY) return 0; /* behind a 421 */
  if (c->due.counts.accepted > 0) return 0;
  c->messages.open = true;
  return smtp_client_finish(c);
}

int smtp_client_chunks(smtp_client *c, bool binary) {
  if (c->failure.code != 0) return c->failure.code;
  if (c->state != ST_RCPT || !smtp_client_offered(c, SMTP_EXT_CHUNKING) ||
      !smtp_client_allowed(c, SMTP_VERB_BDAT))
    return SMTP_ESTATE;
  if (!smtp_client_joins(c)) return SMTP_EBUSY;
  begin(c, 0);
  c->content.binary = binary;
  smtp_client_enter(c, MOVE_CHUNKS);
  return 0;
}

/* The command before so many bytes of content, for who reads along. */
static void note_chunk(smtp_client *c, size_t before, size_t n) {
  smtp_slice out = smtp_buf_data(&c->io.out);
  smtp_slice line = {out.p + before, out.n - before - n - 2}; /* CRLF */
  smtp_transcript_add(&c->transcript, 0, line, SMTP_LIT(""));
}

/* bdat-cmd = "BDAT" SP chunk-size [ SP end-marker ] */
static int put_chunk(smtp_client *c, bool last) {
  size_t before = smtp_buf_length(&c->io.out);
  smtp_slice content = smtp_buf_data(&c->content.chunk);
  int r;
  if (before > BODY_MAX) return SMTP_EBUSY;
  if (!smtp_client_joins(c)) return SMTP_EBUSY;
  r = smtp_client_due_reserve(c);
  if (r == 0) r = smtp_buf_append(&c->io.out, "BDAT ", 5);
  if (r == 0) r = smtp_buf_append_number(&c->io.out, content.n);
  if (r == 0)
    r = smtp_buf_append_slice(&c->io.out,
                              last ? SMTP_LIT(" LAST\r\n") : SMTP_LIT("\r\n"));
  if (r == 0) r = smtp_buf_append_slice(&c->io.out, content);
  if (r != 0) {
    smtp_buf_truncate(&c->io.out, before);
    return r;
  }
  note_chunk(c, before, content.n);
  smtp_client_due_add(c, last ? SMTP_CLIENT_FINAL : SMTP_CLIENT_CHUNK, before);
  smtp_buf_truncate(&c->content.chunk, 0);
  return 0;
}

/* As much of the content as fills the chunk at hand. */
static int fill_chunk(smtp_client *c, smtp_slice *content) {
  size_t room = CHUNK_MAX - smtp_buf_length(&c->content.chunk);
  smtp_slice some = {content->p, content->n < room ? content->n : room};
  int r = c->content.binary
              ? smtp_buf_append_slice(&c->content.chunk, some)
              : smtp_dot_encode(&c->content.dot, some, &c->content.chunk);
  if (r != 0) return r;
  content->p += some.n;
  content->n -= some.n;
  return 0;
}

/* Queues no more than one chunk, so that a caller can tell of each. */
static int chunk_body(smtp_client *c, smtp_slice content, size_t *taken) {
  size_t n = content.n;
  int r = 0;
  if (smtp_buf_length(&c->content.chunk) >= CHUNK_MAX) r = put_chunk(c, false);
  if (r == 0) r = fill_chunk(c, &content);
  *taken = n - content.n;
  return r == SMTP_EBUSY ? 0 : r;
}

int smtp_client_body(smtp_client *c, smtp_slice content, size_t *taken) {
  size_t before = smtp_buf_length(&c->io.out), room;
  int r;
  *taken = 0;
  if (c->failure.code != 0) return c->failure.code;
  if (c->state == ST_CHUNKS) return chunk_body(c, content, taken);
  if (c->state != ST_BODY) return SMTP_ESTATE;
  room = before < BODY_MAX ? (BODY_MAX - before) / 2 : 0;
  if (content.n > room) content.n = room;
  r = smtp_dot_encode(&c->content.dot, content, &c->io.out);
  if (r != 0) return r;
  c->io.queued += smtp_buf_length(&c->io.out) - before;
  *taken = content.n;
  return 0;
}

int smtp_client_abandon(smtp_client *c) {
  if (c->failure.code != 0) return c->failure.code;
  if (c->state != ST_CHUNKS) return SMTP_ESTATE;
  smtp_buf_truncate(&c->content.chunk, 0);
  smtp_client_enter(c, MOVE_ABANDONED);
  return 0;
}

static int finish_chunks(smtp_client *c) {
  size_t before = smtp_buf_length(&c->content.chunk);
  smtp_dot_encoder dot = c->content.dot;
  int r = c->content.binary
              ? 0
              : smtp_dot_finish(&c->content.dot, &c->content.chunk);
  if (r == 0) r = put_chunk(c, true);
  if (r == 0) {
    smtp_client_enter(c, MOVE_COMPLETE);
    return 0;
  }
  c->content.dot = dot;
  smtp_buf_truncate(&c->content.chunk, before);
  return r;
}

int smtp_client_finish(smtp_client *c) {
  size_t before = smtp_buf_length(&c->io.out);
  int r;
  if (c->failure.code != 0) return c->failure.code;
  if (c->state == ST_CHUNKS) return finish_chunks(c);
  if (c->state != ST_BODY) return SMTP_ESTATE;
  r = smtp_client_due_reserve(c);
  if (r == 0) r = smtp_dot_finish(&c->content.dot, &c->io.out);
  if (r != 0) return r;
  smtp_client_due_add(c, SMTP_CLIENT_FINAL, before);
  c->due.group_ended = false;
  smtp_client_enter(c, MOVE_COMPLETE);
  return 0;
}
