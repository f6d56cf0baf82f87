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
  return &c->due[(c->due_first + i) % c->due_size];
}

/* The command of the reply number i from now, if the command was written. */
static const struct due *open_at(const smtp_client *c, size_t i) {
  const struct due *d = i < c->due_n ? due_at(c, i) : NULL;
  return d != NULL && d->end <= c->written ? d : NULL;
}

size_t smtp_client_outstanding(const smtp_client *c) {
  return c->due_n;
}

static bool in_content(const smtp_client *c) {
  return c->phase == PH_BODY || (c->phase == PH_CHUNKS && c->due_n == 0);
}

smtp_client_step smtp_client_awaits(const smtp_client *c) {
  if (c->error == SMTP_EPROTOCOL) return c->broken_at;
  if (c->phase == PH_GREETING) return SMTP_CLIENT_GREETING;
  return c->due_n == 0 ? SMTP_CLIENT_UNASKED : due_at(c, 0)->step;
}

bool smtp_client_expects(const smtp_client *c) {
  return c->phase == PH_GREETING || open_at(c, 0) != NULL;
}

bool smtp_client_writes_content(const smtp_client *c) {
  size_t i = 0;
  if (in_content(c)) return true;
  while (open_at(c, i) != NULL) i++;
  if (i == c->due_n) return false;
  return (due_at(c, i)->step == SMTP_CLIENT_FINAL ||
          due_at(c, i)->step == SMTP_CLIENT_CHUNK) &&
         (i == 0 || due_at(c, i - 1)->end < c->written);
}

/* Makes room for one more reply, so that adding it cannot fail. */
int smtp_client_due_reserve(smtp_client *c) {
  size_t i, size = c->due_size == 0 ? 8 : c->due_size * 2;
  struct due *ring;
  if (c->due_n < c->due_size) return 0;
  ring = smtp_mem_new(c->mem, size * sizeof *ring);
  if (ring == NULL) return SMTP_ENOMEM;
  for (i = 0; i < c->due_n; i++) ring[i] = *due_at(c, i);
  smtp_mem_free(c->mem, c->due, c->due_size * sizeof *c->due);
  c->due = ring;
  c->due_size = size;
  c->due_first = 0;
  return 0;
}

void smtp_client_due_add(smtp_client *c, smtp_client_step step, size_t before) {
  struct due *d = due_at(c, c->due_n++);
  c->queued += smtp_buf_length(&c->out) - before;
  d->step = step;
  d->lmtp = c->lmtp;
  d->prdr = c->prdr;
  d->end = c->queued;
}

/* Whether more replies to the content follow. By LMTP each accepted recipient
** has one (RFC 2033 section 4.2); by PRDR too, between a 3xx and a last one. */
static bool more_follow(struct smtp_client_transaction *t, const struct due *d,
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
bool smtp_client_note_reply(struct smtp_client_transaction *t,
                            const struct due *d, int code) {
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
  smtp_slice in = smtp_buf_data(&c->in);
  size_t i, n;
  int code = 0;
  if (c->due_n == 0) return false;
  for (i = 0; i < c->due_n; i++)
    if ((i == 0) != (due_at(c, i)->step == SMTP_CLIENT_MAIL)) return false;
  while ((n = first_reply(in, &code)) > 0) {
    if (code < 400 && code != 221) return false;
    in.p += n;
    in.n -= n;
  }
  return true;
}

const char *smtp_client_stray(const smtp_client *c) {
  struct smtp_client_transaction after = c->transaction;
  smtp_slice in = smtp_buf_data(&c->in);
  bool greeting = c->phase == PH_GREETING, content = c->phase == PH_BODY;
  size_t i = 0;
  while (in.n > 0) {
    const struct due *d = open_at(c, i);
    smtp_client_step step = d == NULL ? SMTP_CLIENT_GREETING : d->step;
    int code = 0;
    size_t n;
    if (d == NULL && !greeting) {
      if (i < c->due_n) {
        step = due_at(c, i)->step;
        content = step == SMTP_CLIENT_FINAL || step == SMTP_CLIENT_CHUNK;
      }
      if (may_end(in, content)) return NULL;
      if (i < c->due_n) return SMTP_CLIENT_UNSENT;
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
