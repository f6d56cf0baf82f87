/* SPDX-License-Identifier: MIT */
/*
** server.c: the server machine's bytes, events and time. See server.h for
** the contract, server_command.c for what a command does.
*/
#include "server.h"

#include <string.h>

#include "ascii.h"
#include "server_state.h"

/* What is received at once: small while commands come, large in content. */
#define SPACE_MIN 4096
#define SPACE_MAX 131072

/* Input that waits is bounded by the pump, which asks for events between two
** reads. */
#define IN_MAX (SPACE_MAX * 4)

/* So much of a line that is too long is told. */
#define SHOWN_MAX 64

void smtp_server_config_init(smtp_server_config *config) {
  static const smtp_server_config defaults = {
      .limits = {.message_size = 35 * 1024 * 1024,
                 .header = 256 * 1024,
                 .hops = 100,
                 .recipients = 1000,
                 .messages = 1000,
                 .errors = 20,
                 .junk = 100,
                 .line = SMTP_LINE_MAX,
                 .auth_line = SMTP_AUTH_LINE_MAX,
                 .idle_timeout = 300,
                 .command_timeout = 300,
                 .data_rate = 500},
      .iterations = SMTP_SCRAM_ITERATIONS};
  *config = defaults;
  config->hostname = SMTP_LIT("localhost");
  config->greeting = SMTP_LIT("Service ready");
}

smtp_server *smtp_server_new(const smtp_mem *mem,
                             const smtp_server_config *config, double now) {
  smtp_server *s = smtp_mem_new(mem, sizeof *s);
  if (s == NULL) return NULL;
  s->mem = mem;
  s->config = config;
  s->state = ST_CONNECT;
  s->space = SPACE_MIN;
  s->now = s->active = now;
  s->line_since = s->handed = -1;
  s->hold = now;
  smtp_buf_init(&s->in, mem, IN_MAX);
  smtp_buf_init(&s->out, mem, OUT_MAX);
  smtp_buf_init(&s->facts, mem, OUT_MAX);
  smtp_buf_init(&s->mended, mem, 2 * IN_MAX + 4);
  smtp_buf_init(&s->head, mem, (size_t)config->limits.header);
  smtp_buf_init(&s->kept.text, mem, SMTP_REPLY_MAX);
  smtp_buf_init(&s->forward, mem, IN_MAX);
  return s;
}

void smtp_server_free(smtp_server *s) {
  if (s == NULL) return;
  smtp_server_auth_end(s);
  smtp_mem_free(s->mem, s->tls, sizeof *s->tls);
  smtp_buf_clear(&s->head);
  smtp_buf_clear(&s->kept.text);
  smtp_buf_clear(&s->forward);
  smtp_buf_clear(&s->in);
  smtp_buf_clear(&s->out);
  smtp_buf_clear(&s->facts);
  smtp_buf_clear(&s->mended);
  smtp_mem_free(s->mem, s, sizeof *s);
}

bool smtp_server_asks(smtp_server_event_type type) {
  return type >= SMTP_SERVER_CONNECT && type <= SMTP_SERVER_VERB;
}

bool smtp_server_idle(const smtp_server *s) {
  return (s->state & (ST_START | ST_READY | ST_REFUSED)) != 0 &&
         s->asked == SMTP_SERVER_NONE && smtp_buf_length(&s->in) == 0;
}

/* ---- bytes in -------------------------------------------------------- */

int smtp_server_space(smtp_server *s, char **place, size_t *room) {
  int r;
  if (s->error != 0) return s->error;
  r = smtp_buf_reserve(&s->in, s->space, place);
  if (r != 0) return s->error = r;
  *room = s->space;
  return 0;
}

void smtp_server_fed(smtp_server *s, size_t n) {
  if (n == 0) return;
  s->active = s->now;
  if (s->state == ST_CLOSED) return; /* what a refused peer still says */
  smtp_buf_commit(&s->in, n);
  if ((s->state & ST_CONTENT) != 0 && n == s->space && s->space < SPACE_MAX)
    s->space *= 2;
  if (s->state == ST_TLS) {
    s->error = smtp_server_injected(s);
  } else if (!s->spoke && s->why == SMTP_S_NONE) {
    smtp_buf_truncate(&s->out, 0); /* the greeting was not sent */
    s->asked = SMTP_SERVER_NONE;
    s->error = smtp_server_answer(s, SMTP_S_EARLY);
  }
}

int smtp_server_feed(smtp_server *s, const char *p, size_t n) {
  while (n > 0) {
    char *place;
    size_t room;
    int r = smtp_server_space(s, &place, &room);
    if (r != 0) return r;
    if (room > n) room = n;
    memcpy(place, p, room);
    smtp_server_fed(s, room);
    p += room;
    n -= room;
  }
  return s->error;
}

void smtp_server_eof(smtp_server *s) {
  s->eof = true;
}

/* ---- bytes out ------------------------------------------------------- */

/* A chunk that was refused is answered when it was read, or never will be. */
static bool is_late(const smtp_server *s) {
  return s->state == ST_CHUNK && s->chunk.refused;
}

smtp_slice smtp_server_peek(const smtp_server *s) {
  static const smtp_slice nothing = {"", 0};
  smtp_slice out = smtp_buf_data(&s->out);
  if (smtp_server_held(s)) return nothing;
  if (is_late(s) && out.n > s->chunk.answered) out.n = s->chunk.answered;
  return out;
}

smtp_slice smtp_server_queued(const smtp_server *s) {
  return smtp_buf_data(&s->out);
}

void smtp_server_sent(smtp_server *s, size_t n) {
  if (n == 0) return;
  smtp_buf_consume(&s->out, n);
  if (is_late(s)) s->chunk.answered -= n;
  if (s->state == ST_TLS) /* a 220 that is partly written stays */
    s->before_tls = n <= s->before_tls ? s->before_tls - n : SIZE_MAX;
  s->spoke = true;
  s->active = s->now;
}

bool smtp_server_wary(const smtp_server *s) {
  return !s->spoke || s->state == ST_TLS;
}

bool smtp_server_paused(const smtp_server *s) {
  return s->state == ST_TLS && smtp_buf_length(&s->out) == 0;
}

bool smtp_server_held(const smtp_server *s) {
  return s->now < s->hold;
}

/* ---- time ------------------------------------------------------------ */

void smtp_server_clock(smtp_server *s, double now) {
  s->now = now;
}

double smtp_server_deadline(const smtp_server *s) {
  const smtp_server_limits *limits = &s->config->limits;
  double idle = limits->idle_timeout, at;
  if (s->state == ST_REFUSED && idle > SMTP_REFUSED_TIMEOUT)
    idle = SMTP_REFUSED_TIMEOUT;
  at = s->active + idle;
  if (smtp_server_held(s)) return s->hold;
  if (s->asked != SMTP_SERVER_NONE || s->handed >= 0 || smtp_server_paused(s))
    return -1; /* the handler's own clock, or that of the handshake */
  if ((s->state & (ST_CONTENT | ST_CHUNKS)) != 0 && limits->data_rate > 0) {
    double due =
        s->body_since + SMTP_DATA_GRACE + (double)s->size / limits->data_rate;
    if (due < at) at = due;
  } else if (s->line_since >= 0 &&
             s->line_since + limits->command_timeout < at) {
    at = s->line_since + limits->command_timeout;
  }
  return at;
}

void smtp_server_tick(smtp_server *s, double now) {
  double at = smtp_server_deadline(s);
  bool held = smtp_server_held(s);
  s->now = now;
  if (held || at < 0 || now < at || s->reported) return;
  /* A peer that does not take the last reply either is left at once. */
  if (s->state == ST_CLOSED)
    smtp_buf_truncate(&s->out, 0);
  else if (smtp_server_answer(s, SMTP_S_TIMEOUT) != 0)
    s->error = SMTP_ENOMEM;
}

void smtp_server_end(smtp_server *s, smtp_situation why, bool now) {
  if (s->state == ST_CLOSED) return;
  s->ending = why;
  if (!now) return;
  if (smtp_server_paused(s)) { /* the peer waits for TLS, not for a reply */
    s->state = ST_CLOSED;
    s->why = why;
    return;
  }
  s->asked = SMTP_SERVER_NONE;
  s->hold = s->now;
  if (smtp_server_answer(s, why) != 0) s->error = SMTP_ENOMEM;
}

/* ---- events ---------------------------------------------------------- */

/* The replies that were written since the last event, as one fact. */
static void fact(smtp_server *s, smtp_server_event *event) {
  event->type = SMTP_SERVER_REPLY;
  event->text = smtp_buf_data(&s->facts);
  smtp_buf_consume(&s->facts, event->text.n);
}

/* A line over the limit is dropped up to its LF, as it comes. */
static int discard(smtp_server *s) {
  smtp_slice data = smtp_buf_data(&s->in);
  size_t i;
  for (i = 0; i < data.n && data.p[i] != '\n'; i++) s->cr = data.p[i] == '\r';
  if (i == data.n) {
    smtp_buf_consume(&s->in, i);
    return 0;
  }
  smtp_buf_consume(&s->in, i + 1);
  s->discarding = false;
  s->line_since = -1;
  if (!s->cr) return smtp_server_answer(s, SMTP_S_BARE_LF);
  if (s->state != ST_AUTH) return smtp_server_answer(s, SMTP_S_LINE_LENGTH);
  if (s->refusing) /* whatever it says: the verdict stands, and counts */
    return smtp_server_response(s, SMTP_LIT(""), NULL);
  smtp_server_auth_end(s);
  return smtp_server_answer(s, SMTP_S_AUTH_LENGTH);
}

static bool is_auth(smtp_slice line) {
  return smtp_ascii_begins(line, SMTP_LIT("AUTH"));
}

static bool is_bdat(smtp_slice line) {
  return smtp_ascii_begins(line, SMTP_LIT("BDAT"));
}

/* Within a message EHLO and HELO, or LHLO, end it, whatever becomes of them. */
static bool ends_message(const smtp_server *s, smtp_slice line) {
  if (s->state != ST_CHUNKS) return false;
  if (s->config->lmtp) return smtp_ascii_begins(line, SMTP_LIT("LHLO"));
  return smtp_ascii_begins(line, SMTP_LIT("EHLO")) ||
         smtp_ascii_begins(line, SMTP_LIT("HELO"));
}

/* How long the line at hand may be. */
static size_t line_limit(const smtp_server *s) {
  const smtp_server_limits *limits = &s->config->limits;
  bool auth = s->state == ST_AUTH ||
              (s->config->auth != 0 && is_auth(smtp_buf_data(&s->in)));
  return auth && limits->auth_line > limits->line ? limits->auth_line
                                                  : limits->line;
}

/* What separates words for whoever is careless, or wants a secret to be logged. */
static bool is_blank(char c) {
  return (unsigned char)c <= ' ';
}

/* A mechanism that there is, or the name of another one (RFC 4422 section 3.1);
** in its place a careless client may have put the response. */
static bool is_mechanism(smtp_slice word) {
  size_t i;
  if (smtp_sasl_mechanism(word) != 0) return true;
  for (i = 0; i < word.n; i++) {
    char c = word.p[i];
    if (!(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && c != '-' &&
        c != '_')
      return false;
  }
  return word.n > 0 && word.n <= 20;
}

/* What may be told of a line: of AUTH, however it is written, no more than the
** mechanism, and not even that where the line was cut. */
static smtp_slice shown(const smtp_server *s, smtp_slice line) {
  size_t verb = 0, from, to;
  if (s->state == ST_AUTH) return SMTP_LIT("***");
  while (verb < line.n && is_blank(line.p[verb])) verb++;
  if (!is_auth((smtp_slice){line.p + verb, line.n - verb})) return line;
  from = verb + 4;
  while (from < line.n && is_blank(line.p[from])) from++;
  to = from;
  while (to < line.n && !is_blank(line.p[to])) to++;
  if (from == verb + 4 || line.p[line.n - 1] != '\n' ||
      !is_mechanism((smtp_slice){line.p + from, to - from}))
    to = verb + 4;
  else if (line.n - to <= 2) /* nothing behind it but the end of the line */
    return line;
  return (smtp_slice){line.p, to};
}

/* A line that is too long is told of by its first bytes, which are there
** however it was cut. */
static int tell_cut(smtp_server *s, smtp_server_event *event) {
  smtp_slice line = smtp_buf_data(&s->in);
  size_t most = line_limit(s) < SHOWN_MAX ? line_limit(s) : SHOWN_MAX;
  if (line.n > most) line.n = most;
  event->type = SMTP_SERVER_LINE;
  event->text = shown(s, line);
  return 1;
}

/* Asks whether somebody else answers the command; not if it is none. */
static bool intercept(smtp_server *s, smtp_slice line,
                      smtp_server_event *event) {
  smtp_command c;
  smtp_slice text = {line.p, line.n - 2};
  if (line.n < 2 || text.p[text.n] != '\r') return false;
  if (s->state == ST_AUTH ||
      smtp_command_parse(&c, text, s->config->strict) != 0)
    return false;
  if (c.verb == SMTP_VERB_BDAT) return false; /* its bytes must be read */
  event->type = s->asked = SMTP_SERVER_VERB;
  event->verb = c.name;
  event->text = c.args;
  event->more = smtp_buf_length(&s->in) > line.n;
  return true;
}

/* Reads one command; as smtp_server_next. */
static int command(smtp_server *s, smtp_server_event *event) {
  smtp_slice line;
  bool whole;
  size_t n;
  if (s->ending != SMTP_S_NONE && (s->state & ST_TRANSACTION) == 0)
    return smtp_server_answer(s, s->ending);
  if (s->discarding) return discard(s);
  whole = smtp_buf_line(&s->in, &line);
  n = whole ? line.n : smtp_buf_length(&s->in) + 1; /* at least */
  if (!whole && n > 1 && s->line_since < 0) s->line_since = s->now;
  if (n > line_limit(s) && is_bdat(smtp_buf_data(&s->in)))
    return smtp_server_answer(s, SMTP_S_BAD_CHUNK); /* its bytes follow */
  if (n > line_limit(s)) { /* the same, however it was cut */
    s->discarding = true;
    s->cr = false;
    return s->config->trace ? tell_cut(s, event) : discard(s);
  }
  if (!whole) return 0;
  s->line_since = -1;
  if (s->config->trace && !s->traced) { /* told first, read at the next turn */
    s->traced = true;
    event->type = SMTP_SERVER_LINE;
    event->text = shown(s, line);
    return 1;
  }
  if (ends_message(s, line)) {
    smtp_server_drop(s);
    event->type = SMTP_SERVER_RESET;
    return 1;
  }
  if (s->config->intercept && !s->passed && intercept(s, line, event)) return 1;
  s->traced = s->passed = false;
  smtp_buf_consume(&s->in, line.n); /* the bytes stay until the next feed */
  if (line.n < 2 || line.p[line.n - 2] != '\r')
    return smtp_server_answer(s, SMTP_S_BARE_LF);
  line.n -= 2;
  return s->state == ST_AUTH ? smtp_server_response(s, line, event)
                             : smtp_server_line(s, line, event);
}

static int close_event(smtp_server *s, smtp_server_event *event) {
  s->reported = true;
  s->state = ST_CLOSED;
  event->type = SMTP_SERVER_CLOSE;
  event->situation = s->why;
  return 1;
}

/* One turn: an event (1), something done (0), nothing to do (2), failure. */
static int turn(smtp_server *s, smtp_server_event *event) {
  size_t before = smtp_buf_length(&s->in);
  bool discarding = s->discarding;
  enum state state = s->state;
  int r;
  if (smtp_buf_length(&s->facts) > 0) {
    fact(s, event);
    return 1;
  }
  if (s->failure_due) {
    s->failure_due = false;
    event->type = SMTP_SERVER_AUTH_FAILED;
    return 1;
  }
  if (s->state == ST_CLOSED || smtp_server_held(s)) return 2;
  if (s->reset_due) {
    s->reset_due = false;
    event->type = SMTP_SERVER_RESET;
    return 1;
  }
  if (s->state == ST_TLS) {
    if (!smtp_server_paused(s) || s->told_tls) return 2; /* the 220 first */
    s->told_tls = true;
    event->type = SMTP_SERVER_STARTTLS;
    return 1;
  }
  if (s->judging) {
    s->judging = false;
    return smtp_server_judge(s, event);
  }
  r = (s->state & ST_CONTENT) != 0 ? smtp_server_body(s, event)
                                   : command(s, event);
  if (r != 0 || s->state == ST_CLOSED) return r;
  return before == smtp_buf_length(&s->in) && state == s->state &&
                 discarding == s->discarding
             ? 2
             : 0;
}

int smtp_server_next(smtp_server *s, smtp_server_event *event) {
  int r = 0;
  memset(event, 0, sizeof *event);
  if (s->error != 0) return s->error;
  if (s->asked != SMTP_SERVER_NONE) return SMTP_ESTATE;
  if (s->state == ST_CONNECT) {
    event->type = s->asked = SMTP_SERVER_CONNECT;
    return 1;
  }
  while (r == 0) r = turn(s, event);
  if (r < 0) return s->error = r;
  if (r == 1) return 1;
  if (s->reported || smtp_server_held(s)) return 0;
  return s->eof || s->state == ST_CLOSED ? close_event(s, event) : 0;
}
