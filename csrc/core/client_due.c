/* SPDX-License-Identifier: MIT */
/*
** client_due.c: the replies that are due, in the order of their commands, and
** whether the received bytes can be these replies. A server with more replies
** than commands is out of step: each of its later replies may be for another
** command. So all replies in the input are compared with all that are due
** before the first reply counts.
*/
#include <string.h>

#include "client_state.h"

static struct due *due_at(const smtp_client *c, size_t i) {
  return &c->due.ring[(c->due.first + i) % c->due.size];
}

/* The command of the reply number i from now, if the command was written. */
static const struct due *open_at(const smtp_client *c, size_t i) {
  const struct due *d = i < c->due.n ? due_at(c, i) : NULL;
  return d != NULL && d->end <= c->io.written ? d : NULL;
}

const struct due *smtp_client_due_first(const smtp_client *c) {
  return c->due.n == 0 ? NULL : due_at(c, 0);
}

void smtp_client_due_drop(smtp_client *c) {
  c->due.first = (c->due.first + 1) % c->due.size;
  if (--c->due.n == 0) c->due.group_ended = false;
}

bool smtp_client_joins(const smtp_client *c) {
  return c->due.n == 0 ||
         (!c->due.group_ended && smtp_client_offered(c, SMTP_EXT_PIPELINING));
}

size_t smtp_client_outstanding(const smtp_client *c) {
  return c->due.n;
}

static bool in_content(const smtp_client *c) {
  return c->state == ST_BODY || (c->state == ST_CHUNKS && c->due.n == 0);
}

smtp_client_step smtp_client_awaits(const smtp_client *c) {
  if (c->failure.code == SMTP_EPROTOCOL) return c->failure.at;
  if (c->state == ST_GREETING) return SMTP_CLIENT_GREETING;
  return c->due.n == 0 ? SMTP_CLIENT_UNASKED : due_at(c, 0)->step;
}

bool smtp_client_expects(const smtp_client *c) {
  return c->state == ST_GREETING || open_at(c, 0) != NULL;
}

bool smtp_client_writes_content(const smtp_client *c) {
  size_t i = 0;
  if (in_content(c)) return true;
  while (open_at(c, i) != NULL) i++;
  if (i == c->due.n) return false;
  return (due_at(c, i)->step == SMTP_CLIENT_FINAL ||
          due_at(c, i)->step == SMTP_CLIENT_CHUNK) &&
         (i == 0 || due_at(c, i - 1)->end < c->io.written);
}

int smtp_client_breach(smtp_client *c, const char *reason) {
  c->failure.at = c->at_hand.step == SMTP_CLIENT_UNASKED ? smtp_client_awaits(c)
                                                         : c->at_hand.step;
  c->failure.reason = reason;
  return c->failure.code = SMTP_EPROTOCOL;
}

/* Makes room for one more reply, so that adding it cannot fail. */
int smtp_client_due_reserve(smtp_client *c) {
  size_t i, size = c->due.size == 0 ? 8 : c->due.size * 2;
  struct due *ring;
  if (c->due.n < c->due.size) return 0;
  ring = smtp_mem_new(c->mem, size * sizeof *ring);
  if (ring == NULL) return SMTP_ENOMEM;
  for (i = 0; i < c->due.n; i++) ring[i] = *due_at(c, i);
  smtp_mem_free(c->mem, c->due.ring, c->due.size * sizeof *c->due.ring);
  c->due.ring = ring;
  c->due.size = size;
  c->due.first = 0;
  return 0;
}

void smtp_client_due_add(smtp_client *c, smtp_client_step step, size_t before) {
  struct due *d = due_at(c, c->due.n++);
  c->io.queued += smtp_buf_length(&c->io.out) - before;
  d->step = step;
  d->lmtp = c->hello.lmtp;
  d->prdr = c->mail.prdr;
  d->end = c->io.queued;
  d->transaction = c->messages.sending;
  if (d->transaction != NULL) d->transaction->due++;
}

/* Whether more replies to the content follow. By LMTP each accepted recipient
** has one (RFC 2033 section 4.2); by PRDR too, between a 3xx and a last one. */
static bool more_follow(struct smtp_client_counts *t, const struct due *d,
                        bool begins) {
  if (t->finals == 0) {
    if (d->lmtp && !begins)
      t->finals = t->accepted > 0 ? t->accepted : 1;
    else if (d->prdr && begins && !d->lmtp)
      t->finals = t->accepted + 2;
    else
      return false;
  }
  return --t->finals > 0;
}

/* Only the first digit of a reply decides (RFC 5321 section 4.2.1). */
bool smtp_client_note_reply(struct smtp_client_counts *t, const struct due *d,
                            int code) {
  int digit = code / 100;
  switch (d->step) {
  case SMTP_CLIENT_MAIL:
    t->accepted = 0;
    t->refused = digit != 2;
    return true;
  case SMTP_CLIENT_RCPT: t->accepted += digit == 2 && !t->refused; return true;
  case SMTP_CLIENT_FINAL: return !more_follow(t, d, digit == 3);
  default: return true;
  }
}

/* ---- the bytes at hand ----------------------------------------------- */

/* The length of the reply at the front of in, and its code; 0 if the reply is
** incomplete. */
static size_t first_reply(smtp_slice in, int *code) {
  size_t at = 0;
  for (;;) {
    smtp_slice line = {in.p + at, in.n - at};
    const char *lf = line.n > 0 ? memchr(line.p, '\n', line.n) : NULL;
    if (lf == NULL) return 0;
    line.n = (size_t)(lf - line.p) + 1;
    at += line.n;
    *code = smtp_reply_code(line);
    if (*code == 0 || line.p[3] != '-') return at;
  }
}

/* Whether bytes without a command may be the 421 that ends a session (RFC 5321
** section 3.8), or a refusal of content during its transfer. */
static bool may_end(smtp_slice in, bool content) {
  if (content && (in.p[0] == '4' || in.p[0] == '5')) return true;
  return memcmp(in.p, "421", in.n < 3 ? in.n : 3) == 0;
}

/* Whether the bytes after a reply are ignored: the session ends with this
** reply, or goes on under TLS. */
static bool ends(smtp_client_step step, int code) {
  if (code == 421 || step == SMTP_CLIENT_QUIT) return true;
  if (step == SMTP_CLIENT_GREETING) return code >= 400;
  return step == SMTP_CLIENT_STARTTLS && code / 100 == 2;
}

/* Whether the replies at hand are refusals, all of them, and one message is
** under way: then nobody has it, whichever command each reply answers. Postfix
** reads the chunk of a BDAT that it refuses as commands, for one, and says 221,
** which accepts nothing either, when it has enough. */
static bool all_refuse(const smtp_client *c) {
  smtp_slice in = smtp_buf_data(&c->io.in);
  size_t i, n;
  int code = 0;
  if (c->due.n == 0) return false;
  for (i = 0; i < c->due.n; i++)
    if ((i == 0) != (due_at(c, i)->step == SMTP_CLIENT_MAIL)) return false;
  while ((n = first_reply(in, &code)) > 0) {
    if (code < 400 && code != 221) return false;
    in.p += n;
    in.n -= n;
  }
  return true;
}

const char *smtp_client_stray(const smtp_client *c) {
  struct smtp_client_counts after = c->due.counts;
  smtp_slice in = smtp_buf_data(&c->io.in);
  bool greeting = c->state == ST_GREETING, content = c->state == ST_BODY;
  size_t i = 0;
  while (in.n > 0) {
    const struct due *d = open_at(c, i);
    smtp_client_step step = d == NULL ? SMTP_CLIENT_GREETING : d->step;
    int code = 0;
    size_t n;
    if (d == NULL && !greeting) {
      if (i < c->due.n) {
        step = due_at(c, i)->step;
        content = step == SMTP_CLIENT_FINAL || step == SMTP_CLIENT_CHUNK;
      }
      if (may_end(in, content)) return NULL;
      if (i < c->due.n) return SMTP_CLIENT_UNSENT;
      return all_refuse(c) ? NULL : SMTP_CLIENT_NOT_ASKED;
    }
    n = first_reply(in, &code);
    if (n == 0 || code == 0 || ends(step, code)) return NULL;
    greeting = false;
    if (d != NULL && smtp_client_note_reply(&after, d, code)) i++;
    content = step == SMTP_CLIENT_DATA && code / 100 == 3;
    in.p += n;
    in.n -= n;
  }
  return NULL;
}
