/* SPDX-License-Identifier: MIT */
/*
** client_message.c: whole messages of the client machine. The commands of a
** message are queued in turn, as many of them as may share the flight (RFC 2920
** section 3.1, RFC 3030 section 4.2); the next message may follow behind the
** last byte of its content.
*/
#include "client_state.h"

/* Content is not queued in smaller pieces. */
#define ROOM_MIN 4096

int smtp_client_plan(smtp_client *c, smtp_transaction *t, smtp_verb verb,
                     const smtp_path *path, const smtp_param *params,
                     size_t n) {
  int r;
  if (verb == SMTP_VERB_MAIL) {
    t->utf8 =
        smtp_client_asks(c, params, n, SMTP_LIT("SMTPUTF8"), SMTP_EXT_SMTPUTF8);
    t->prdr = smtp_client_asks(c, params, n, SMTP_LIT("PRDR"), SMTP_EXT_PRDR);
  }
  r = smtp_client_format_path(&t->lines, verb, path, params, n, t->utf8);
  if (r != 0) return r;
  if (verb == SMTP_VERB_MAIL)
    t->mail_end = smtp_buf_length(&t->lines);
  else
    t->recipients[t->said++].end = smtp_buf_length(&t->lines);
  return 0;
}

int smtp_client_plan_open(smtp_client *c, smtp_transaction **t) {
  size_t i, n = c->due.counts.accepted;
  *t = smtp_transaction_new(c->mem, n);
  if (*t == NULL) return SMTP_ENOMEM;
  (*t)->open = true;
  (*t)->answered = (*t)->accepted = n;
  for (i = 0; i < n; i++) (*t)->recipients[i].accepted = true;
  return 0;
}

bool smtp_client_idle(const smtp_client *c) {
  return c->messages.first == NULL;
}

bool smtp_client_open(const smtp_client *c) {
  return c->messages.open;
}

smtp_outcome smtp_client_outcome(const smtp_client *c) {
  return c->messages.first == NULL
             ? SMTP_OUTCOME_NOT_SENT
             : smtp_transaction_outcome(c->messages.first, c->io.written);
}

smtp_transcript *smtp_client_transcript(smtp_client *c) {
  return &c->transcript;
}

/* ---- the list -------------------------------------------------------- */

void smtp_client_message_forget(smtp_client *c) {
  smtp_transaction_free(c->messages.given);
  c->messages.given = NULL;
}

smtp_transaction *smtp_client_message_take(smtp_client *c) {
  smtp_transaction *t = c->messages.first;
  smtp_client_message_forget(c);
  if (t == NULL) return NULL;
  c->messages.first = t->next;
  if (t->next == NULL) c->messages.last = NULL;
  if (c->messages.sending == t) c->messages.sending = NULL;
  c->messages.given = t;
  return t;
}

smtp_transaction *smtp_client_lose(smtp_client *c) {
  c->due.n = 0; /* no reply is for anything that is kept */
  if (c->messages.first != NULL) c->messages.first->unsure = c->failure.astray;
  return smtp_client_message_take(c);
}

/* ---- sending --------------------------------------------------------- */

/* Whether MAIL is legal, or becomes so by replies that are due. */
static int may_begin(const smtp_client *c, const smtp_transaction *t) {
  if (c->failure.code != 0) return c->failure.code;
  if (c->messages.sending != NULL) return SMTP_EBUSY;
  if (t->open) return c->state == ST_RCPT ? 0 : SMTP_ESTATE;
  if (!smtp_client_allowed(c, SMTP_VERB_MAIL)) return SMTP_ESTATE;
  if (smtp_client_is(c, ST_READY | ST_FINAL)) return 0;
  return c->messages.open && smtp_client_is(c, ST_MAIL | ST_RCPT) ? 0
                                                                  : SMTP_ESTATE;
}

int smtp_client_send(smtp_client *c, smtp_transaction *t) {
  int r = may_begin(c, t);
  if (r != 0) return r;
  t->said = 0;
  if (c->messages.last == NULL)
    c->messages.first = t;
  else
    c->messages.last->next = t;
  c->messages.last = c->messages.sending = t;
  c->messages.turn = t->open            ? TURN_DATA
                     : c->messages.open ? TURN_RSET
                                        : TURN_LINES;
  smtp_client_advance(c); /* a failure is told by next */
  return 0;
}

/* Nothing more of it is queued; the next message begins with RSET. */
static int stop(smtp_client *c, smtp_transaction *t) {
  smtp_client_abandon(c);
  t->complete = true;
  c->messages.open = true;
  c->messages.sending = NULL;
  return 0;
}

static int put_line(smtp_client *c, smtp_transaction *t) {
  smtp_verb verb = t->said == 0 ? SMTP_VERB_MAIL : SMTP_VERB_RCPT;
  int r = smtp_client_submit_line(c, verb, smtp_transaction_line(t, t->said));
  if (r != 0) return r;
  if (verb == SMTP_VERB_MAIL) {
    c->mail.utf8 = t->utf8;
    c->mail.prdr = t->prdr;
  }
  if (++t->said > t->n) c->messages.turn = TURN_DATA;
  return 0;
}

static int put_data(smtp_client *c, const smtp_transaction *t) {
  int r = t->chunks ? smtp_client_chunks(c, t->binary)
                    : smtp_client_submit(c, smtp_command_name(SMTP_VERB_DATA),
                                         SMTP_LIT(""));
  if (r == 0) c->messages.turn = t->chunks ? TURN_CONTENT : TURN_ASKED;
  return r;
}

/* Whether the rest of the content must wait: one chunk goes with the envelope,
** more only if somebody was accepted. */
static bool must_wait(const smtp_transaction *t) {
  return t->chunks && t->chunked && t->answered < t->n && t->mail.code == 0;
}

/* Whether content of so many bytes, or a good part of it, can be encoded now. */
static bool has_room(const smtp_client *c, size_t n) {
  size_t length = smtp_buf_length(&c->io.out);
  size_t room = length < BODY_MAX ? (BODY_MAX - length) / 2 : 0;
  return room >= ROOM_MIN || room >= n;
}

/* Whether the server has no use for the rest of the content. */
static bool is_unwanted(const smtp_transaction *t) {
  return t->chunk.code != 0 || (t->chunks && smtp_transaction_vain(t));
}

static int put_content(smtp_client *c, smtp_transaction *t, smtp_slice content,
                       size_t *taken) {
  size_t before = c->due.n;
  int r;
  *taken = 0;
  if (must_wait(t)) return SMTP_EBUSY;
  if (is_unwanted(t)) return stop(c, t);
  if (!has_room(c, content.n)) return SMTP_EBUSY;
  r = smtp_client_body(c, content, taken);
  if (c->due.n > before) t->chunked = true;
  return r;
}

static int put_end(smtp_client *c, smtp_transaction *t) {
  int r;
  if (must_wait(t)) return SMTP_EBUSY;
  if (is_unwanted(t)) return stop(c, t);
  r = smtp_client_finish(c);
  if (r != 0) return r;
  t->ends = c->io.queued;
  t->complete = true;
  c->messages.open = t->chunks; /* until it is known that it went well */
  c->messages.sending = NULL;
  return 0;
}

/* As much of the text as may be queued now, and its end. */
static int put_text(smtp_client *c, smtp_transaction *t) {
  size_t taken;
  int r;
  if (t->text.n == 0) return put_end(c, t);
  r = put_content(c, t, t->text, &taken);
  if (r != 0) return r;
  t->text.p += taken;
  t->text.n -= taken;
  return taken > 0 || c->messages.sending == NULL ? 0 : SMTP_EBUSY;
}

/* Queues one thing; SMTP_EBUSY: nothing can be queued now. */
static int put_next(smtp_client *c, smtp_transaction *t) {
  int r;
  switch (c->messages.turn) {
  case TURN_RSET:
    r = smtp_client_submit(c, smtp_command_name(SMTP_VERB_RSET), SMTP_LIT(""));
    if (r == 0) c->messages.turn = TURN_LINES;
    return r;
  case TURN_LINES: return t->mail.code != 0 ? stop(c, t) : put_line(c, t);
  case TURN_DATA: return smtp_transaction_vain(t) ? stop(c, t) : put_data(c, t);
  case TURN_ASKED: return SMTP_EBUSY;
  case TURN_CONTENT: return t->whole ? put_text(c, t) : SMTP_EBUSY;
  }
  return SMTP_EBUSY;
}

int smtp_client_advance(smtp_client *c) {
  int r = 0;
  while (r == 0 && c->messages.sending != NULL)
    r = put_next(c, c->messages.sending);
  /* In a session that has ended a command is not legal any more; the reply
  ** that ended it is told by next. */
  if (r == SMTP_EBUSY || r == SMTP_ESTATE) return 0;
  return r == 0 ? 0 : (c->failure.code = r);
}

/* Whether content can go out now; not in a session that has ended meanwhile. */
static bool is_content_due(const smtp_client *c) {
  return c->messages.turn == TURN_CONTENT && smtp_client_is(c, ST_CONTENT);
}

smtp_client_want smtp_client_wants(const smtp_client *c) {
  const smtp_transaction *t = c->messages.sending;
  if (t == NULL) return SMTP_WANT_NOTHING;
  if (!is_content_due(c) || t->whole || must_wait(t) ||
      !has_room(c, SIZE_MAX) || (t->chunks && !smtp_client_joins(c)))
    return SMTP_WANT_TIME;
  return SMTP_WANT_CONTENT;
}

int smtp_client_content(smtp_client *c, smtp_slice content, size_t *taken) {
  smtp_transaction *t = c->messages.sending;
  *taken = 0;
  if (c->failure.code != 0) return c->failure.code;
  if (t == NULL) return 0;
  return is_content_due(c) ? put_content(c, t, content, taken) : SMTP_EBUSY;
}

int smtp_client_end(smtp_client *c) {
  smtp_transaction *t = c->messages.sending;
  if (c->failure.code != 0) return c->failure.code;
  if (t == NULL) return 0;
  return is_content_due(c) ? put_end(c, t) : SMTP_EBUSY;
}

bool smtp_client_give_up(smtp_client *c) {
  smtp_transaction *t = c->messages.sending;
  if (t == NULL || !t->chunks) return t == NULL;
  stop(c, t);
  return true;
}

/* ---- replies --------------------------------------------------------- */

static smtp_transaction_part part_of(smtp_client_step step) {
  switch (step) {
  case SMTP_CLIENT_MAIL: return SMTP_PART_MAIL;
  case SMTP_CLIENT_RCPT: return SMTP_PART_RCPT;
  case SMTP_CLIENT_DATA: return SMTP_PART_DATA;
  case SMTP_CLIENT_CHUNK: return SMTP_PART_CHUNK;
  case SMTP_CLIENT_RECIPIENT: return SMTP_PART_RECIPIENT;
  case SMTP_CLIENT_FINAL: return SMTP_PART_FINAL;
  default: return SMTP_PART_OTHER;
  }
}

/* DATA was answered: by its content, by a lone dot where nobody was accepted,
** or not at all; and by nothing in a session that has ended meanwhile. */
static void data_answered(smtp_client *c, smtp_transaction *t) {
  if (t->data.code != 0) {
    stop(c, t);
  } else if (c->state == ST_BODY) {
    c->messages.turn = TURN_CONTENT;
  } else if (c->state == ST_FINAL) {
    t->complete = c->messages.open = true;
    c->messages.sending = NULL;
  }
}

int smtp_client_message_reply(smtp_client *c, smtp_transaction *t,
                              smtp_client_step step, smtp_status status) {
  const smtp_reply *reply = &c->at_hand.reply;
  int r = smtp_transaction_note(t, part_of(step), c->hello.lmtp, reply->code,
                                status, smtp_reply_text(reply));
  if (r != 0) return c->failure.code = r;
  /* The next commands would be for the recipients of the message before. */
  if (step == SMTP_CLIENT_RSET && reply->code >= 300)
    return smtp_client_breach(c, "the server refused RSET");
  if (step == SMTP_CLIENT_DATA && t == c->messages.sending) data_answered(c, t);
  /* Chunks that went well leave nothing open, unless others are behind them. */
  if (step == SMTP_CLIENT_FINAL && t->chunks && reply->code < 300 &&
      t == c->messages.last)
    c->messages.open = false;
  return 0;
}
