/* SPDX-License-Identifier: MIT */
/* client.c: see client.h for what this promises. */
#include "client.h"

#include <string.h>

#include "ascii.h"
#include "client_state.h"

#define SPACE 4096

/* A result besides 0, 1 and failures. */
#define AGAIN 2

/* Somebody between us and the server wants them to be read as if they had come
** through TLS (RFC 3207 section 6). */
#define BEHIND_STARTTLS "bytes behind the reply to STARTTLS"

smtp_client *smtp_client_new(const smtp_mem *mem,
                             const smtp_client_config *config) {
  smtp_client *c = smtp_mem_new(mem, sizeof *c);
  if (c == NULL) return NULL;
  c->mem = mem;
  c->config = *config;
  smtp_client_enter(c, MOVE_OPENED);
  smtp_buf_init(&c->io.in, mem, IN_MAX);
  smtp_buf_init(&c->io.out, mem, OUT_MAX);
  smtp_buf_init(&c->content.chunk, mem, 2 * CHUNK_MAX + 2);
  smtp_reply_init(&c->at_hand.reply, mem);
  smtp_transcript_init(&c->transcript, mem, config->trace);
  return c;
}

void smtp_client_free(smtp_client *c) {
  if (c == NULL) return;
  smtp_buf_clear(&c->io.in);
  if (c->state == ST_AUTH) {
    smtp_buf_consume(&c->io.out, smtp_buf_length(&c->io.out));
    smtp_buf_wipe(&c->io.out);
  }
  smtp_buf_clear(&c->io.out);
  smtp_buf_clear(&c->content.chunk);
  smtp_reply_clear(&c->at_hand.reply);
  smtp_transcript_clear(&c->transcript);
  while (smtp_client_message_take(c) != NULL) continue;
  smtp_mem_free(c->mem, c->due.ring, c->due.size * sizeof *c->due.ring);
  smtp_mem_free(c->mem, c, sizeof *c);
}

/* ---- bytes ----------------------------------------------------------- */

int smtp_client_space(smtp_client *c, char **place, size_t *room) {
  int r = smtp_buf_reserve(&c->io.in, SPACE, place);
  if (r == 0) *room = SPACE;
  return r == SMTP_ENOMEM ? (c->failure.code = r) : r;
}

/* A line is needed to make a reply whole; where none is due, a byte tells. */
static void note_fed(smtp_client *c, const char *p, size_t n) {
  if (n > 0 && (memchr(p, '\n', n) != NULL || !smtp_client_expects(c)))
    c->io.fed = true;
}

void smtp_client_fed(smtp_client *c, size_t n) {
  size_t before = smtp_buf_length(&c->io.in);
  smtp_buf_commit(&c->io.in, n);
  if (n > 0) note_fed(c, smtp_buf_data(&c->io.in).p + before, n);
}

int smtp_client_feed(smtp_client *c, const char *p, size_t n) {
  int r = smtp_buf_append(&c->io.in, p, n);
  if (r == 0) note_fed(c, p, n);
  return r == SMTP_ENOMEM ? (c->failure.code = r) : r;
}

void smtp_client_eof(smtp_client *c) {
  c->io.eof = true;
}

smtp_slice smtp_client_peek(const smtp_client *c) {
  return smtp_buf_data(&c->io.out);
}

void smtp_client_sent(smtp_client *c, size_t n) {
  smtp_buf_consume(&c->io.out, n);
  c->io.written += n;
  if (c->state == ST_AUTH) smtp_buf_wipe(&c->io.out);
}

uint64_t smtp_client_written(const smtp_client *c) {
  return c->io.written;
}

/* ---- replies --------------------------------------------------------- */

static void learn(smtp_client *c) {
  smtp_slice text = smtp_reply_text(&c->at_hand.reply);
  size_t i = 0;
  bool first = true;
  memset(&c->hello.offered, 0, sizeof c->hello.offered);
  while (c->hello.esmtp && i < text.n) {
    size_t from = i;
    while (i < text.n && text.p[i] != '\n') i++;
    if (!first)
      smtp_ehlo_learn(&c->hello.offered, (smtp_slice){text.p + from, i - from});
    first = false;
    i++;
  }
  c->hello.offered.extensions &= ~c->config.disable;
}

/* The effect of a reply. Only its first digit decides (RFC 5321 4.2.1). */
static int proceed(smtp_client *c, smtp_client_step step) {
  int digit = c->at_hand.reply.code / 100;
  switch (step) {
  case SMTP_CLIENT_GREETING:
    smtp_client_enter(c, MOVE_GREETED);
    c->io.ignored = digit >= 4;
    break;
  case SMTP_CLIENT_EHLO:
    if (digit != 2) break;
    learn(c);
    smtp_client_enter(c, MOVE_HELLO);
    break;
  case SMTP_CLIENT_MAIL:
    if (digit != 2 && c->due.n == 0) smtp_client_enter(c, MOVE_MAIL_REFUSED);
    break;
  case SMTP_CLIENT_DATA:
    if (digit == 2) return smtp_client_breach(c, "a 2xx reply to DATA");
    if (digit == 3) return smtp_client_content_due(c);
    smtp_client_enter(c, MOVE_UNWANTED);
    break;
  case SMTP_CLIENT_STARTTLS:
    if (digit != 2) smtp_client_enter(c, MOVE_NO_TLS);
    break;
  case SMTP_CLIENT_AUTH: return smtp_client_auth_reply(c);
  case SMTP_CLIENT_RECIPIENT: /* PRDR begins with a 3xx, and has no other */
    if (digit == 3 && c->due.counts.finals != c->due.counts.accepted + 1)
      return smtp_client_breach(c, "a 3xx reply for a recipient");
    break;
  case SMTP_CLIENT_CHUNK:
    if (digit == 3) return smtp_client_breach(c, "a 3xx reply to a chunk");
    break;
  case SMTP_CLIENT_FINAL:
    if (digit == 3)
      return smtp_client_breach(c, "a 3xx reply to the end of the content");
    smtp_client_enter(c, MOVE_ANSWERED);
    break;
  default: break;
  }
  return 0;
}

static int astray(smtp_client *c, const char *reason) {
  c->failure.astray = true;
  if (c->messages.first != NULL) c->messages.first->unsure = true;
  return smtp_client_breach(c, reason);
}

/* A reply although nothing is due, or before what it answers was written: a
** 421, or a refusal of content that is still under way; both end the session.
** `reason` is what any other reply is. */
static int early(smtp_client *c, smtp_client_event *event, bool content,
                 const char *reason) {
  bool refusal = content && c->at_hand.reply.code >= 400;
  if (!refusal && (c->at_hand.reply.code != 421 || c->state == ST_OVER))
    return astray(c, reason);
  event->step = refusal ? SMTP_CLIENT_FINAL : SMTP_CLIENT_UNASKED;
  if (!smtp_client_idle(c)) event->kind = SMTP_CLIENT_ENDED;
  smtp_client_enter(c, MOVE_ENDED);
  return 1;
}

static smtp_status status_of(const smtp_client *c) {
  smtp_status none = {0, 0, 0};
  return smtp_client_offered(c, SMTP_EXT_ENHANCEDSTATUSCODES)
             ? smtp_reply_status(&c->at_hand.reply)
             : none;
}

/* The reply is for a message. 1 if it ends the session, else AGAIN, or a
** failure. A 421 to the content is the verdict on its message, and ends those
** behind it. A 421 to one recipient says nothing of the others. */
static int answer_message(smtp_client *c, smtp_transaction *t,
                          smtp_client_event *event) {
  bool ends =
      c->at_hand.reply.code == 421 && event->step != SMTP_CLIENT_RECIPIENT;
  int r;
  if (ends && event->step != SMTP_CLIENT_FINAL) {
    event->kind = SMTP_CLIENT_ENDED;
    return 1;
  }
  r = smtp_client_message_reply(c, t, event->step, status_of(c));
  if (r != 0) return r;
  c->messages.ended = ends;
  return AGAIN;
}

static int answer(smtp_client *c, smtp_client_event *event) {
  const struct due *d = smtp_client_due_first(c);
  smtp_transaction *t = d == NULL ? NULL : d->transaction;
  int r;
  if (c->state == ST_GREETING) {
    event->step = SMTP_CLIENT_GREETING;
  } else if (d == NULL) {
    return early(c, event, c->state == ST_BODY, SMTP_CLIENT_NOT_ASKED);
  } else if (d->end > c->io.written) {
    return early(c, event,
                 d->step == SMTP_CLIENT_FINAL || d->step == SMTP_CLIENT_CHUNK,
                 SMTP_CLIENT_UNSENT);
  } else if (!smtp_client_note_reply(&c->due.counts, d,
                                     c->at_hand.reply.code)) {
    event->step = SMTP_CLIENT_RECIPIENT;
  } else {
    event->step = d->step;
    smtp_client_due_drop(c);
  }
  c->at_hand.step = event->step;
  r = proceed(c, event->step);
  if (r != 0) return r;
  if (c->at_hand.reply.code == 421) smtp_client_enter(c, MOVE_ENDED);
  return t == NULL ? 1 : answer_message(c, t, event);
}

/* The next whole reply: 1, 0 if there is none, or a failure. */
static int read_reply(smtp_client *c) {
  int r = smtp_reply_feed(&c->at_hand.reply, &c->io.in);
  if (r == 0 && c->io.eof) {
    r = smtp_reply_end(&c->at_hand.reply);
    if (r == 0) r = SMTP_ECLOSED;
  }
  if (r == 1 || c->at_hand.reply.differs)
    smtp_transcript_add(&c->transcript, c->at_hand.reply.code,
                        smtp_reply_text(&c->at_hand.reply), SMTP_LIT(""));
  if (r == SMTP_EPROTOCOL) return smtp_client_breach(c, c->at_hand.reply.error);
  return r < 0 ? (c->failure.code = r) : r;
}

/* Tells what is known already: what became of the first message, or that the
** reply at hand has ended the session for those left. Else 0. */
static int tell(smtp_client *c, smtp_client_event *event) {
  const smtp_transaction *first = c->messages.first;
  if (first != NULL && smtp_transaction_done(first)) {
    event->kind = SMTP_CLIENT_MESSAGE;
    event->transaction = smtp_client_message_take(c);
    return 1;
  }
  if (first == NULL || !c->messages.ended) return 0;
  c->messages.ended = false;
  event->kind = SMTP_CLIENT_ENDED;
  event->step = SMTP_CLIENT_FINAL;
  event->reply = &c->at_hand.reply;
  event->status = status_of(c);
  return 1;
}

/* An event, 0, a failure, or AGAIN: a reply was taken in. */
static int take_in(smtp_client *c, smtp_client_event *event) {
  const char *stray;
  int r;
  if (c->at_hand.given) {
    smtp_reply_clear(&c->at_hand.reply);
    c->at_hand.given = false;
  }
  if (smtp_client_paused(c) && smtp_buf_length(&c->io.in) > 0)
    return smtp_client_breach(c, BEHIND_STARTTLS);
  if (c->io.fed && !c->io.ignored && c->state != ST_OVER) {
    stray = smtp_client_stray(c);
    if (stray != NULL) return astray(c, stray);
  }
  c->io.fed = false;
  r = read_reply(c);
  if (r <= 0) return r;
  c->at_hand.given = true;
  event->reply = &c->at_hand.reply;
  r = answer(c, event);
  if (r < 0) return c->failure.code = r;
  if (smtp_client_paused(c) && smtp_buf_length(&c->io.in) > 0)
    return smtp_client_breach(c, BEHIND_STARTTLS);
  if (event->step != SMTP_CLIENT_EHLO) event->status = status_of(c);
  return r;
}

int smtp_client_next(smtp_client *c, smtp_client_event *event) {
  int r;
  smtp_client_message_forget(c);
  do {
    memset(event, 0, sizeof *event);
    c->at_hand.step = SMTP_CLIENT_UNASKED;
    if (c->failure.code != 0) return c->failure.code;
    r = smtp_client_advance(c);
    if (r == 0) r = tell(c, event);
    if (r == 0) r = take_in(c, event);
  } while (r == AGAIN);
  return r;
}

void smtp_client_anew(smtp_client *c) {
  c->messages.open = false;
}

const char *smtp_client_reason(const smtp_client *c) {
  return c->failure.reason == NULL ? "" : c->failure.reason;
}

const smtp_reply *smtp_client_said(const smtp_client *c, smtp_status *status) {
  if (c->failure.code != SMTP_EPROTOCOL || !c->at_hand.reply.differs)
    return NULL;
  *status = status_of(c);
  return &c->at_hand.reply;
}

bool smtp_client_in_step(const smtp_client *c) {
  return !c->failure.astray;
}

bool smtp_client_usable(const smtp_client *c) {
  return c->failure.code == 0 && !c->io.eof && smtp_client_is(c, ST_IDLE) &&
         smtp_buf_length(&c->io.in) == 0;
}
