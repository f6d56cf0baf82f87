/* SPDX-License-Identifier: MIT */
/*
** server.c: the events of the server machine. See server.h for the contract,
** server_state.h for its other files.
*/
#include "server.h"

#include <string.h>

#include "ascii.h"
#include "server_state.h"

/* The room for one receive, at first. */
#define SPACE_MIN 4096

/* Input that waits is bounded by the driver, which asks for events between two
** reads. */
#define IN_MAX (131072 * 4)

/* Bytes of a line over the limit to report. */
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
  smtp_server_enter(s, MOVE_OPENED);
  s->space = SPACE_MIN;
  s->now = s->active = now;
  s->line.since = s->content.handed = -1;
  s->hold = now;
  smtp_buf_init(&s->in, mem, IN_MAX);
  smtp_buf_init(&s->out, mem, SMTP_SERVER_OUT_MAX);
  smtp_buf_init(&s->facts, mem, SMTP_SERVER_OUT_MAX);
  smtp_buf_init(&s->content.mended, mem, 2 * IN_MAX + 4);
  smtp_buf_init(&s->content.head, mem, (size_t)config->limits.header);
  smtp_buf_init(&s->auth.kept.text, mem, SMTP_REPLY_MAX);
  smtp_buf_init(&s->forward, mem, IN_MAX);
  return s;
}

void smtp_server_free(smtp_server *s) {
  if (s == NULL) return;
  smtp_server_auth_end(s);
  smtp_mem_free(s->mem, s->tls, sizeof *s->tls);
  smtp_buf_clear(&s->content.head);
  smtp_buf_clear(&s->auth.kept.text);
  smtp_buf_clear(&s->forward);
  smtp_buf_clear(&s->in);
  smtp_buf_clear(&s->out);
  smtp_buf_clear(&s->facts);
  smtp_buf_clear(&s->content.mended);
  smtp_mem_free(s->mem, s, sizeof *s);
}

bool smtp_server_asks(smtp_server_event_type type) {
  return type >= SMTP_SERVER_CONNECT && type <= SMTP_SERVER_VERB;
}

bool smtp_server_idle(const smtp_server *s) {
  return (s->state & (ST_START | ST_READY | ST_REFUSED)) != 0 &&
         s->asked == SMTP_SERVER_NONE && smtp_buf_length(&s->in) == 0;
}

/* ---- events ---------------------------------------------------------- */

/* The replies that were written since the last event, as one fact. */
static void fact(smtp_server *s, smtp_server_event *event) {
  event->type = SMTP_SERVER_REPLY;
  event->text = smtp_buf_data(&s->facts);
  smtp_buf_consume(&s->facts, event->text.n);
}

/* The result of an own decision of the machine; as smtp_server_next. */
static int decided(int code) {
  return code < 0 ? code : 0;
}

/* The refusal of AUTH that waited for a response, whatever that says. */
static int conclude_auth(smtp_server *s) {
  s->asked = SMTP_SERVER_AUTH;
  return decided(smtp_server_decide(s, s->auth.kept.verdict, s->auth.kept.code,
                                    smtp_buf_data(&s->auth.kept.text)));
}

/* A line over the limit is dropped up to its LF, as it comes. */
static int discard(smtp_server *s) {
  smtp_slice data = smtp_buf_data(&s->in);
  size_t i;
  for (i = 0; i < data.n && data.p[i] != '\n'; i++)
    s->line.cr = data.p[i] == '\r';
  if (i == data.n) {
    smtp_buf_consume(&s->in, i);
    return 0;
  }
  smtp_buf_consume(&s->in, i + 1);
  s->line.discarding = false;
  s->line.since = -1;
  if (!s->line.cr) return smtp_server_answer(s, SMTP_S_BARE_LF);
  if (s->state != ST_AUTH) return smtp_server_answer(s, SMTP_S_LINE_LENGTH);
  if (s->auth.refusing) return conclude_auth(s);
  smtp_server_auth_end(s);
  return smtp_server_answer(s, SMTP_S_AUTH_LENGTH);
}

static bool is_auth(smtp_slice line) {
  return smtp_ascii_begins(line, SMTP_LIT("AUTH"));
}

static bool is_bdat(smtp_slice line) {
  return smtp_ascii_begins(line, SMTP_LIT("BDAT"));
}

/* EHLO and HELO, or LHLO, end a message, whatever their verdict. */
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

/* Blanks in a wide sense: a careless or hostile client may use any control, to
** get a secret into a log. */
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

/* The part of a line to report: of AUTH, however it is written, only the
** mechanism, and not even that if the line was cut. */
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

/* Reports a line over the limit by its first bytes, which are there however the
** input was cut. */
static int tell_cut(smtp_server *s, smtp_server_event *event) {
  smtp_slice line = smtp_buf_data(&s->in);
  size_t most = line_limit(s) < SHOWN_MAX ? line_limit(s) : SHOWN_MAX;
  if (line.n > most) line.n = most;
  event->type = SMTP_SERVER_LINE;
  event->text = shown(s, line);
  return 1;
}

/* Asks for a verdict on a command line (intercept); not if it is no command. */
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
  if (s->line.discarding) return discard(s);
  whole = smtp_buf_line(&s->in, &line);
  n = whole ? line.n : smtp_buf_length(&s->in) + 1; /* at least */
  if (!whole && n > 1 && s->line.since < 0) s->line.since = s->now;
  if (n > line_limit(s) && is_bdat(smtp_buf_data(&s->in)))
    return smtp_server_answer(s, SMTP_S_BAD_CHUNK); /* its bytes follow */
  if (n > line_limit(s)) { /* the same, however it was cut */
    s->line.discarding = true;
    s->line.cr = false;
    return s->config->trace ? tell_cut(s, event) : discard(s);
  }
  if (!whole) return 0;
  s->line.since = -1;
  if (s->config->trace &&
      !s->line.traced) { /* told first, read at the next turn */
    s->line.traced = true;
    event->type = SMTP_SERVER_LINE;
    event->text = shown(s, line);
    return 1;
  }
  if (ends_message(s, line)) {
    smtp_server_drop(s);
    event->type = SMTP_SERVER_RESET;
    return 1;
  }
  if (s->config->intercept && !s->line.passed && intercept(s, line, event))
    return 1;
  s->line.traced = s->line.passed = false;
  smtp_buf_consume(&s->in, line.n); /* the bytes stay until the next feed */
  if (line.n < 2 || line.p[line.n - 2] != '\r')
    return smtp_server_answer(s, SMTP_S_BARE_LF);
  line.n -= 2;
  if (s->state != ST_AUTH) return smtp_server_line(s, line, event);
  return s->auth.refusing ? conclude_auth(s)
                          : smtp_server_response(s, line, event);
}

static int close_event(smtp_server *s, smtp_server_event *event) {
  s->stream.reported = true;
  smtp_server_enter(s, MOVE_CLOSE);
  event->type = SMTP_SERVER_CLOSE;
  event->situation = s->why;
  return 1;
}

/* One turn: an event (1), something done (0), nothing to do (2), failure. */
static int turn(smtp_server *s, smtp_server_event *event) {
  size_t before = smtp_buf_length(&s->in);
  bool discarding = s->line.discarding;
  enum state state = s->state;
  int r;
  if (smtp_buf_length(&s->facts) > 0) {
    fact(s, event);
    return 1;
  }
  if (s->due.auth_failed) {
    s->due.auth_failed = false;
    event->type = SMTP_SERVER_AUTH_FAILED;
    return 1;
  }
  if (s->state == ST_CLOSED || smtp_server_held(s)) return 2;
  if (s->due.reset) {
    s->due.reset = false;
    event->type = SMTP_SERVER_RESET;
    return 1;
  }
  if (s->state == ST_TLS) {
    if (!smtp_server_paused(s) || s->starttls.told)
      return 2; /* the 220 first */
    s->starttls.told = true;
    event->type = SMTP_SERVER_STARTTLS;
    return 1;
  }
  if (s->due.judge) {
    s->due.judge = false;
    return smtp_server_judge(s, event);
  }
  r = (s->state & ST_CONTENT) != 0 ? smtp_server_body(s, event)
                                   : command(s, event);
  if (r != 0 || s->state == ST_CLOSED) return r;
  return before == smtp_buf_length(&s->in) && state == s->state &&
                 discarding == s->line.discarding
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
  while (r == 0) {
    r = turn(s, event);
    if (r != 1 || event->type != SMTP_SERVER_DATA || !s->config->accept_data)
      continue;
    memset(event, 0, sizeof *event);
    r = decided(smtp_server_decide(s, SMTP_VERDICT_NONE, 0, SMTP_LIT("")));
  }
  if (r < 0) return s->error = r;
  if (r == 1) return 1;
  if (s->stream.reported || smtp_server_held(s)) return 0;
  return s->stream.eof || s->state == ST_CLOSED ? close_event(s, event) : 0;
}
