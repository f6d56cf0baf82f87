/* SPDX-License-Identifier: MIT */
/* client.c: see client.h for what this promises. */
#include "client.h"

#include <string.h>

#include "ascii.h"
#include "client_state.h"

#define SPACE 4096

/* Somebody between us and the server wants them to be read as if they had come
** through TLS (RFC 3207 section 6). */
#define BEHIND_STARTTLS "bytes behind the reply to STARTTLS"

smtp_client *smtp_client_new(const smtp_mem *mem,
                             const smtp_client_config *config) {
  smtp_client *c = smtp_mem_new(mem, sizeof *c);
  if (c == NULL) return NULL;
  c->mem = mem;
  c->config = *config;
  c->phase = PH_GREETING;
  smtp_buf_init(&c->in, mem, IN_MAX);
  smtp_buf_init(&c->out, mem, OUT_MAX);
  smtp_buf_init(&c->chunk, mem, 2 * CHUNK_MAX + 2);
  smtp_reply_init(&c->reply, mem);
  return c;
}

void smtp_client_free(smtp_client *c) {
  if (c == NULL) return;
  smtp_buf_clear(&c->in);
  if (c->phase == PH_AUTH) {
    smtp_buf_consume(&c->out, smtp_buf_length(&c->out));
    smtp_buf_wipe(&c->out);
  }
  smtp_buf_clear(&c->out);
  smtp_buf_clear(&c->chunk);
  smtp_reply_clear(&c->reply);
  smtp_mem_free(c->mem, c->due, c->due_size * sizeof *c->due);
  smtp_mem_free(c->mem, c, sizeof *c);
}

/* ---- bytes ----------------------------------------------------------- */

int smtp_client_space(smtp_client *c, char **place, size_t *room) {
  int r = smtp_buf_reserve(&c->in, SPACE, place);
  if (r == 0) *room = SPACE;
  return r == SMTP_ENOMEM ? (c->error = r) : r;
}

/* A line is needed to make a reply whole; where none is due, a byte tells. */
static void note_fed(smtp_client *c, const char *p, size_t n) {
  if (n > 0 && (memchr(p, '\n', n) != NULL || !smtp_client_expects(c)))
    c->fed = true;
}

void smtp_client_fed(smtp_client *c, size_t n) {
  size_t before = smtp_buf_length(&c->in);
  smtp_buf_commit(&c->in, n);
  if (n > 0) note_fed(c, smtp_buf_data(&c->in).p + before, n);
}

int smtp_client_feed(smtp_client *c, const char *p, size_t n) {
  int r = smtp_buf_append(&c->in, p, n);
  if (r == 0) note_fed(c, p, n);
  return r == SMTP_ENOMEM ? (c->error = r) : r;
}

void smtp_client_eof(smtp_client *c) {
  c->eof = true;
}

smtp_slice smtp_client_peek(const smtp_client *c) {
  return smtp_buf_data(&c->out);
}

void smtp_client_sent(smtp_client *c, size_t n) {
  smtp_buf_consume(&c->out, n);
  c->written += n;
  if (c->phase == PH_AUTH) smtp_buf_wipe(&c->out);
}

uint64_t smtp_client_queued(const smtp_client *c) {
  return c->queued;
}

uint64_t smtp_client_written(const smtp_client *c) {
  return c->written;
}

/* ---- commands -------------------------------------------------------- */

/* When a command is legal, whether others may follow it in its flight (RFC
** 2920 section 3.1), and what it makes of the phase; 0 leaves it. */
static const struct command {
  unsigned phases;
  bool ends_group;
  smtp_client_step step;
  enum phase after;
} commands[SMTP_VERB_COUNT] = {
#define IDLE (PH_START | PH_READY | PH_MAIL | PH_RCPT)
    [SMTP_VERB_OTHER] = {IDLE, true, SMTP_CLIENT_COMMAND, 0},
    [SMTP_VERB_XCLIENT] = {IDLE, true, SMTP_CLIENT_COMMAND, 0},
    [SMTP_VERB_XFORWARD] = {IDLE, true, SMTP_CLIENT_COMMAND, 0},
    [SMTP_VERB_HELO] = {IDLE, true, SMTP_CLIENT_EHLO, 0},
    [SMTP_VERB_EHLO] = {IDLE, true, SMTP_CLIENT_EHLO, 0},
    [SMTP_VERB_LHLO] = {IDLE, true, SMTP_CLIENT_EHLO, 0},
    [SMTP_VERB_MAIL] = {PH_READY | PH_FINAL, false, SMTP_CLIENT_MAIL, PH_MAIL},
    [SMTP_VERB_RCPT] = {PH_MAIL | PH_RCPT, false, SMTP_CLIENT_RCPT, PH_RCPT},
    [SMTP_VERB_DATA] = {PH_RCPT, true, SMTP_CLIENT_DATA, PH_DATA},
    [SMTP_VERB_BDAT] = {0, false, SMTP_CLIENT_FINAL,
                        0}, /* smtp_client_chunks */
    [SMTP_VERB_RSET] = {IDLE | PH_CHUNKS | PH_FINAL, false, SMTP_CLIENT_RSET,
                        0},
    [SMTP_VERB_NOOP] = {IDLE, true, SMTP_CLIENT_COMMAND, 0},
    [SMTP_VERB_VRFY] = {IDLE, true, SMTP_CLIENT_COMMAND, 0},
    [SMTP_VERB_EXPN] = {IDLE, true, SMTP_CLIENT_COMMAND, 0},
    [SMTP_VERB_HELP] = {IDLE, true, SMTP_CLIENT_COMMAND, 0},
    [SMTP_VERB_QUIT] = {IDLE, true, SMTP_CLIENT_QUIT, PH_OVER},
    [SMTP_VERB_STARTTLS] = {PH_READY, true, SMTP_CLIENT_STARTTLS, PH_TLS},
    [SMTP_VERB_AUTH] = {0, true, SMTP_CLIENT_AUTH, 0}, /* smtp_client_auth */
};

/* The one place where a session that must be encrypted is held back until it
** is. */
bool smtp_client_allowed(const smtp_client *c, smtp_verb verb) {
  if (verb == SMTP_VERB_STARTTLS) return !c->secured;
  return !c->config.tls || c->secured || verb == SMTP_VERB_EHLO ||
         verb == SMTP_VERB_LHLO || verb == SMTP_VERB_NOOP ||
         verb == SMTP_VERB_QUIT;
}

bool smtp_client_offered(const smtp_client *c, unsigned extension) {
  return (c->ehlo.extensions & extension) != 0;
}

bool smtp_client_joins(const smtp_client *c) {
  return c->due_n == 0 ||
         (!c->group_ended && smtp_client_offered(c, SMTP_EXT_PIPELINING));
}

/* Where SMTPUTF8 lets UTF-8 be: behind a MAIL that asked for it, and in a VRFY
** or EXPN that does so itself (RFC 6531 sections 3.3 and 3.7.4.2). */
static bool has_utf8(const smtp_client *c, smtp_verb verb, smtp_slice args) {
  smtp_slice word = SMTP_LIT(" SMTPUTF8");
  if (verb == SMTP_VERB_MAIL || verb == SMTP_VERB_RCPT) return c->utf8;
  if (verb != SMTP_VERB_VRFY && verb != SMTP_VERB_EXPN) return false;
  if (args.n < word.n || !smtp_client_offered(c, SMTP_EXT_SMTPUTF8))
    return false;
  return smtp_ascii_equal((smtp_slice){args.p + args.n - word.n, word.n}, word);
}

int smtp_client_submit(smtp_client *c, smtp_slice name, smtp_slice args) {
  smtp_verb verb = smtp_command_verb(name);
  const struct command *rule = &commands[verb];
  size_t before = smtp_buf_length(&c->out);
  int r;
  if (c->error != 0) return c->error;
  if ((rule->phases & (unsigned)c->phase) == 0)
    return c->due_n > 0 && c->phase != PH_OVER ? SMTP_EBUSY : SMTP_ESTATE;
  if (!smtp_client_allowed(c, verb)) return SMTP_ESTATE;
  if (!smtp_client_joins(c) ||
      (c->due_n > 0 && (verb == SMTP_VERB_QUIT || verb == SMTP_VERB_STARTTLS)))
    return SMTP_EBUSY;
  if (verb == SMTP_VERB_STARTTLS && args.n > 0) return SMTP_EINVALID;
  if (name.n > SMTP_LINE_MAX || args.n > SMTP_LINE_MAX - 3 ||
      name.n + args.n + 3 > SMTP_LINE_MAX) /* SP and CRLF */
    return SMTP_EINVALID;
  if (before > OUT_MAX - SMTP_LINE_MAX) return SMTP_EBUSY;
  r = smtp_client_due_reserve(c);
  if (r == 0)
    r = smtp_command_format(&c->out, name, args, has_utf8(c, verb, args));
  if (r != 0) return r;
  smtp_client_due_add(c, rule->step, before);
  c->group_ended = rule->ends_group;
  if (rule->step == SMTP_CLIENT_EHLO) {
    c->esmtp = verb != SMTP_VERB_HELO;
    c->lmtp = verb == SMTP_VERB_LHLO;
  }
  if (rule->after != 0) c->phase = rule->after;
  if (verb == SMTP_VERB_RSET && c->phase != PH_START) c->phase = PH_READY;
  if (verb == SMTP_VERB_RSET) smtp_buf_truncate(&c->chunk, 0);
  return 0;
}

/* Whether a parameter asks for an extension that is offered. */
static bool asks(const smtp_client *c, const smtp_param *params, size_t n,
                 smtp_slice key, unsigned extension) {
  size_t i;
  for (i = 0; i < n; i++)
    if (smtp_ascii_equal(params[i].key, key))
      return smtp_client_offered(c, extension);
  return false;
}

int smtp_client_submit_path(smtp_client *c, smtp_verb verb,
                            const smtp_path *path, const smtp_param *params,
                            size_t n) {
  bool before = c->utf8;
  smtp_buf args;
  size_t i;
  int r;
  if (c->error != 0) return c->error;
  if (verb == SMTP_VERB_MAIL)
    c->utf8 = asks(c, params, n, SMTP_LIT("SMTPUTF8"), SMTP_EXT_SMTPUTF8);
  smtp_buf_init(&args, c->mem, SMTP_LINE_MAX);
  r = smtp_buf_append_slice(&args, verb == SMTP_VERB_MAIL ? SMTP_LIT("FROM:")
                                                          : SMTP_LIT("TO:"));
  if (r == 0) r = smtp_path_format(&args, path);
  for (i = 0; r == 0 && i < n; i++) r = smtp_param_format(&args, &params[i]);
  if (r == SMTP_ETOOBIG) r = SMTP_EINVALID;
  if (r == 0)
    r = smtp_client_submit(c, smtp_command_name(verb), smtp_buf_data(&args));
  if (r != 0)
    c->utf8 = before;
  else if (verb == SMTP_VERB_MAIL)
    c->prdr = asks(c, params, n, SMTP_LIT("PRDR"), SMTP_EXT_PRDR);
  smtp_buf_clear(&args);
  return r;
}

/* ---- replies --------------------------------------------------------- */

int smtp_client_breach(smtp_client *c, const char *reason) {
  c->broken_at =
      c->answered == SMTP_CLIENT_UNASKED ? smtp_client_awaits(c) : c->answered;
  c->reason = reason;
  return c->error = SMTP_EPROTOCOL;
}

static void learn(smtp_client *c) {
  smtp_slice text = smtp_reply_text(&c->reply);
  size_t i = 0;
  bool first = true;
  memset(&c->ehlo, 0, sizeof c->ehlo);
  while (c->esmtp && i < text.n) {
    size_t from = i;
    while (i < text.n && text.p[i] != '\n') i++;
    if (!first)
      smtp_ehlo_learn(&c->ehlo, (smtp_slice){text.p + from, i - from});
    first = false;
    i++;
  }
  c->ehlo.extensions &= ~c->config.disable;
}

/* What a reply changes. Only its first digit decides (RFC 5321 4.2.1). */
static int proceed(smtp_client *c, smtp_client_step step) {
  int digit = c->reply.code / 100;
  switch (step) {
  case SMTP_CLIENT_GREETING: c->phase = PH_START; break;
  case SMTP_CLIENT_EHLO:
    if (digit != 2) break;
    learn(c);
    c->phase = PH_READY;
    break;
  case SMTP_CLIENT_MAIL:
    if (digit != 2 && c->due_n == 0) c->phase = PH_READY;
    break;
  case SMTP_CLIENT_DATA:
    if (digit == 2) return smtp_client_breach(c, "a 2xx reply to DATA");
    if (digit == 3) return smtp_client_content_due(c);
    c->phase = PH_RCPT;
    break;
  case SMTP_CLIENT_STARTTLS:
    if (digit != 2) c->phase = PH_READY;
    break;
  case SMTP_CLIENT_AUTH: return smtp_client_auth_reply(c);
  case SMTP_CLIENT_RECIPIENT: /* PRDR begins with a 3xx, and has no other */
    if (digit == 3 && c->transaction.finals != c->transaction.accepted + 1)
      return smtp_client_breach(c, "a 3xx reply for a recipient");
    break;
  case SMTP_CLIENT_CHUNK:
    if (digit == 3) return smtp_client_breach(c, "a 3xx reply to a chunk");
    break;
  case SMTP_CLIENT_FINAL:
    if (digit == 3)
      return smtp_client_breach(c, "a 3xx reply to the end of the content");
    if (c->phase == PH_FINAL) c->phase = PH_READY;
    break;
  default: break;
  }
  return 0;
}

static int astray(smtp_client *c, const char *reason) {
  c->astray = true;
  return smtp_client_breach(c, reason);
}

/* A reply although nothing is due, or before what it answers was written: a
** 421, or a refusal of content that is still under way; both end the session.
** `reason` is what any other reply is. */
static int early(smtp_client *c, smtp_client_event *event, bool content,
                 const char *reason) {
  bool refusal = content && c->reply.code >= 400;
  if (!refusal && (c->reply.code != 421 || c->phase == PH_OVER))
    return astray(c, reason);
  event->step = refusal ? SMTP_CLIENT_FINAL : SMTP_CLIENT_UNASKED;
  c->phase = PH_OVER;
  return 1;
}

static int answer(smtp_client *c, smtp_client_event *event) {
  const struct due *d = c->due_n == 0 ? NULL : &c->due[c->due_first];
  int r;
  if (c->phase == PH_GREETING) {
    event->step = SMTP_CLIENT_GREETING;
  } else if (d == NULL) {
    return early(c, event, c->phase == PH_BODY, SMTP_CLIENT_NOT_ASKED);
  } else if (d->end > c->written) {
    return early(c, event,
                 d->step == SMTP_CLIENT_FINAL || d->step == SMTP_CLIENT_CHUNK,
                 SMTP_CLIENT_UNSENT);
  } else if (!smtp_client_note_reply(&c->transaction, d, c->reply.code)) {
    event->step = SMTP_CLIENT_RECIPIENT;
  } else {
    event->step = d->step;
    c->due_first = (c->due_first + 1) % c->due_size;
    if (--c->due_n == 0) c->group_ended = false;
  }
  c->answered = event->step;
  r = proceed(c, event->step);
  if (r != 0) return r;
  if (c->reply.code == 421) c->phase = PH_OVER;
  return 1;
}

static smtp_status status_of(const smtp_client *c) {
  smtp_status none = {0, 0, 0};
  return smtp_client_offered(c, SMTP_EXT_ENHANCEDSTATUSCODES)
             ? smtp_reply_status(&c->reply)
             : none;
}

/* The next whole reply: 1, 0 if there is none, or a failure. */
static int read_reply(smtp_client *c) {
  int r = smtp_reply_feed(&c->reply, &c->in);
  if (r == 0 && c->eof) {
    r = smtp_reply_end(&c->reply);
    if (r == 0) r = SMTP_ECLOSED;
  }
  if (r == SMTP_EPROTOCOL) return smtp_client_breach(c, c->reply.error);
  return r < 0 ? (c->error = r) : r;
}

int smtp_client_next(smtp_client *c, smtp_client_event *event) {
  const char *stray;
  int r;
  memset(event, 0, sizeof *event);
  c->answered = SMTP_CLIENT_UNASKED;
  if (c->replied) {
    smtp_reply_clear(&c->reply);
    c->replied = false;
  }
  if (c->error != 0) return c->error;
  if (smtp_client_paused(c) && smtp_buf_length(&c->in) > 0)
    return smtp_client_breach(c, BEHIND_STARTTLS);
  if (c->fed && c->phase != PH_OVER) {
    stray = smtp_client_stray(c);
    if (stray != NULL) return astray(c, stray);
  }
  c->fed = false;
  r = read_reply(c);
  if (r <= 0) return r;
  c->replied = true;
  event->reply = &c->reply;
  r = answer(c, event);
  if (r < 0) return c->error = r;
  if (smtp_client_paused(c) && smtp_buf_length(&c->in) > 0)
    return smtp_client_breach(c, BEHIND_STARTTLS);
  if (event->step != SMTP_CLIENT_EHLO) event->status = status_of(c);
  return 1;
}

const char *smtp_client_reason(const smtp_client *c) {
  return c->reason == NULL ? "" : c->reason;
}

const smtp_reply *smtp_client_said(const smtp_client *c, smtp_status *status) {
  if (c->error != SMTP_EPROTOCOL || !c->reply.differs) return NULL;
  *status = status_of(c);
  return &c->reply;
}

bool smtp_client_in_step(const smtp_client *c) {
  return !c->astray;
}

bool smtp_client_usable(const smtp_client *c) {
  return c->error == 0 && !c->eof && (c->phase & IDLE) != 0 &&
         smtp_buf_length(&c->in) == 0;
}
