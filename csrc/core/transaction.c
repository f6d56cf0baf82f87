/* SPDX-License-Identifier: MIT */
/* transaction.c: see transaction.h for what this promises. */
#include "transaction.h"

#include "mem.h"

static size_t size_of(size_t n) {
  return sizeof(smtp_transaction) + n * sizeof(smtp_recipient);
}

smtp_transaction *smtp_transaction_new(const smtp_mem *mem, size_t n) {
  smtp_transaction *t = smtp_mem_new(mem, size_of(n));
  if (t == NULL) return NULL;
  t->mem = mem;
  t->n = n;
  smtp_buf_init(&t->lines, mem, SIZE_MAX);
  smtp_buf_init(&t->texts, mem, SIZE_MAX);
  return t;
}

void smtp_transaction_free(smtp_transaction *t) {
  if (t == NULL) return;
  smtp_buf_clear(&t->lines);
  smtp_buf_clear(&t->texts);
  smtp_mem_free(t->mem, t, size_of(t->n));
}

smtp_slice smtp_transaction_line(const smtp_transaction *t, size_t k) {
  smtp_slice lines = smtp_buf_data(&t->lines);
  size_t from = k == 0 ? 0 : k == 1 ? t->mail_end : t->recipients[k - 2].end;
  size_t end = k == 0 ? t->mail_end : t->recipients[k - 1].end;
  return (smtp_slice){lines.p + from, end - from};
}

/* ---- replies --------------------------------------------------------- */

static int keep(smtp_transaction *t, smtp_kept *kept, int code,
                smtp_status status, smtp_slice text) {
  size_t at = smtp_buf_length(&t->texts);
  int r = smtp_buf_append_slice(&t->texts, text);
  if (r != 0) return r;
  kept->code = code;
  kept->status = status;
  kept->at = at;
  kept->n = text.n;
  return 0;
}

/* Whether the server would have taken a recipient in another transaction (RFC
** 5321 section 4.5.3.1.10: 552 was said for it as well). */
static bool is_too_many(int code, smtp_status status) {
  if (code != 452 && code != 552) return false;
  return status.class_ == 0 || (status.subject == 5 && status.detail == 3);
}

static int note_rcpt(smtp_transaction *t, int code, smtp_status status,
                     smtp_slice text) {
  smtp_recipient *r = &t->recipients[t->answered++];
  if (code < 300) {
    r->accepted = t->mail.code == 0;
    t->accepted += r->accepted;
    return 0;
  }
  r->too_many = is_too_many(code, status);
  return keep(t, &r->reply, code, status, text);
}

/* Replies to the content come in the order of the accepted recipients (RFC 2033
** section 4.2). */
static smtp_recipient *next_accepted(smtp_transaction *t) {
  while (t->heard < t->n)
    if (t->recipients[t->heard++].accepted) return &t->recipients[t->heard - 1];
  return NULL;
}

static int note_recipient(smtp_transaction *t, int code, smtp_status status,
                          smtp_slice text) {
  smtp_recipient *r;
  t->replies = true;
  if (code / 100 == 3) {
    t->each = true;
    return 0;
  }
  r = next_accepted(t);
  return r == NULL ? 0 : keep(t, &r->reply, code, status, text);
}

static int note_final(smtp_transaction *t, bool lmtp, int code,
                      smtp_status status, smtp_slice text) {
  t->complete = true;
  /* If no RCPT was accepted, this reply answers the content, not a recipient. */
  if (lmtp && (t->open || t->accepted > 0)) {
    int r = note_recipient(t, code, status, text);
    if (r != 0) return r;
  }
  return keep(t, &t->final, code, status, text);
}

int smtp_transaction_note(smtp_transaction *t, smtp_transaction_part part,
                          bool lmtp, int code, smtp_status status,
                          smtp_slice text) {
  if (part != SMTP_PART_RECIPIENT) t->due--;
  switch (part) {
  case SMTP_PART_MAIL:
    return code < 300 ? 0 : keep(t, &t->mail, code, status, text);
  case SMTP_PART_RCPT: return note_rcpt(t, code, status, text);
  case SMTP_PART_DATA:
    return code < 400 ? 0 : keep(t, &t->data, code, status, text);
  case SMTP_PART_CHUNK:
    if (code < 300 || t->chunk.code != 0) return 0;
    return keep(t, &t->chunk, code, status, text);
  case SMTP_PART_RECIPIENT: return note_recipient(t, code, status, text);
  case SMTP_PART_FINAL: return note_final(t, lmtp, code, status, text);
  default: return 0;
  }
}

bool smtp_transaction_done(const smtp_transaction *t) {
  return t->complete && t->due == 0;
}

bool smtp_transaction_vain(const smtp_transaction *t) {
  if (t->open) return false;
  return t->mail.code != 0 || (t->answered == t->n && t->accepted == 0);
}

/* ---- results --------------------------------------------------------- */

smtp_slice smtp_transaction_text(const smtp_transaction *t,
                                 const smtp_kept *reply) {
  return (smtp_slice){smtp_buf_data(&t->texts).p + reply->at, reply->n};
}

/* A last reply that refuses (PRDR) is for those, too, who were accepted. */
static const smtp_kept *content_reply(const smtp_transaction *t, size_t i) {
  const smtp_kept *own = &t->recipients[i].reply;
  if (!t->recipients[i].accepted) return NULL;
  if (!t->replies) return t->final.code == 0 ? NULL : &t->final;
  if (own->code == 0) return NULL;
  return t->each && t->final.code >= 300 && own->code < 300 ? &t->final : own;
}

const smtp_kept *smtp_transaction_success(const smtp_transaction *t, size_t i) {
  const smtp_kept *reply = content_reply(t, i);
  return reply != NULL && reply->code < 300 ? reply : NULL;
}

const smtp_kept *smtp_transaction_refusal(const smtp_transaction *t, size_t i) {
  const smtp_recipient *r = &t->recipients[i];
  const smtp_kept *reply = content_reply(t, i);
  if (!r->accepted) return r->reply.code == 0 ? NULL : &r->reply;
  return t->replies && reply != NULL && reply->code >= 300 ? reply : NULL;
}

static const smtp_kept *first_success(const smtp_transaction *t) {
  size_t i;
  if (t->final.code == 0 || t->chunk.code != 0) return NULL;
  if (t->open && t->n == 0) return t->final.code < 300 ? &t->final : NULL;
  for (i = 0; i < t->n; i++) {
    const smtp_kept *reply = smtp_transaction_success(t, i);
    if (reply != NULL) return t->each ? &t->final : reply;
  }
  return NULL;
}

/* The first of the recipients whose RCPT was refused, else whose content was,
** from 1; 0 where there is none, or the content was refused for others too. */
static size_t first_refused(const smtp_transaction *t) {
  size_t i;
  if (t->accepted > 0 && !t->replies) return 0;
  for (i = 0; i < t->n; i++)
    if (!t->recipients[i].accepted && smtp_transaction_refusal(t, i) != NULL)
      return i + 1;
  for (i = 0; i < t->n; i++)
    if (smtp_transaction_refusal(t, i) != NULL) return i + 1;
  return 0;
}

static void explain(const smtp_transaction *t, smtp_refusal *why) {
  if (t->mail.code != 0) {
    *why = (smtp_refusal){&t->mail, SMTP_PART_MAIL, 0};
    return;
  }
  why->place = first_refused(t);
  why->part = t->replies ? SMTP_PART_FINAL : SMTP_PART_RCPT;
  if (why->place > 0) {
    why->reply = smtp_transaction_refusal(t, why->place - 1);
    return;
  }
  why->part = SMTP_PART_FINAL;
  why->reply = t->chunk.code != 0 ? &t->chunk : &t->final;
  if (why->reply->code != 0) return;
  why->part = SMTP_PART_DATA;
  why->reply = &t->data;
}

smtp_message_verdict smtp_transaction_verdict(const smtp_transaction *t,
                                              const smtp_kept **good,
                                              smtp_refusal *why) {
  if (t->unsure) return SMTP_MESSAGE_OPEN;
  *good = smtp_transaction_done(t) ? first_success(t) : NULL;
  if (*good != NULL) return SMTP_MESSAGE_ACCEPTED;
  if (!smtp_transaction_done(t) && t->chunk.code == 0 &&
      !smtp_transaction_vain(t))
    return SMTP_MESSAGE_OPEN;
  explain(t, why);
  /* No reply refused it: its content was given up. */
  return why->reply->code == 0 ? SMTP_MESSAGE_OPEN : SMTP_MESSAGE_REFUSED;
}

smtp_outcome smtp_transaction_outcome(const smtp_transaction *t,
                                      uint64_t written) {
  size_t i;
  if (!t->each && !t->unsure && t->replies) {
    for (i = 0; i < t->n; i++)
      if (smtp_transaction_success(t, i) != NULL) return SMTP_OUTCOME_PARTIAL;
    /* By LMTP a 421 says that no more will come. */
    if (t->heard > 0 && t->recipients[t->heard - 1].reply.code == 421)
      return SMTP_OUTCOME_NOT_SENT;
  }
  return t->ends != 0 && written >= t->ends ? SMTP_OUTCOME_UNKNOWN
                                            : SMTP_OUTCOME_NOT_SENT;
}
