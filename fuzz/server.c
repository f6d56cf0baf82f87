/* SPDX-License-Identifier: MIT */
/*
** fuzz/server.c: whole sessions of the server machine. Of the input the first
** byte is the configuration, the second the driver's habits, the next eight
** the verdicts, in turn; the rest is what the peer says. It is said whole,
** byte by byte and in random cuts. Each event must be due where a model of
** the session is, each line of a reply well-formed, the number of events
** bounded by the bytes; and the cuts must not change what happens, but for
** illegal pipelining, which is a matter of cuts.
*/
#include <stdlib.h>
#include <string.h>

#include "../csrc/core/ascii.h"
#include "../csrc/core/buf.h"
#include "../csrc/core/dot.h"
#include "../csrc/core/ehlo.h"
#include "../csrc/core/server_state.h"
#include "server_config.h"
#include "server_place.h"
#include "server_text.h"

#define ROOM ((size_t)1 << 26)
#define VERDICTS 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BYTES = 1, WHOLE = 2, CUTS = 3 };

enum habit { EARLY = 1, FAREWELL_TICK = 2, IN_PLACE = 4, PIECES = 8 };

typedef struct run {
  const smtp_server_config *config;
  const uint8_t *verdicts;
  unsigned habits;
  uint32_t seed;
  smtp_server *s;
  double now;
  size_t asked, events, said;
  enum place place;
  bool reset_due, secured;
  size_t failures; /* of AUTH */
  unsigned trusted;
  bool forwarded;             /* of the next message something was told */
  bool binary, prdr, chunked; /* of the message at hand */
  size_t recipients;
  bool refused; /* a message broke a rule: cuts may tell another one */
  smtp_situation why;
  smtp_buf log;     /* what happened, without the borders of BODY */
  smtp_buf told;    /* what REPLY told */
  smtp_buf wire;    /* what was written */
  smtp_buf content; /* of the message at hand */
} run;

/* ---- the driver ------------------------------------------------------ */

static size_t cut(run *r, size_t most) {
  r->seed = r->seed * 1664525u + 1013904223u;
  size_t n = 1 + (r->seed >> 24 & 1 ? r->seed >> 25 & 3 : r->seed >> 20 & 255);
  return n < most ? n : most;
}

static void note(run *r, const char *what, smtp_slice text) {
  CHECK(smtp_buf_append(&r->log, what, 1) == 0);
  CHECK(smtp_buf_append_slice(&r->log, text) == 0);
  CHECK(smtp_buf_append(&r->log, "\n", 1) == 0);
}

static void note_number(run *r, uint64_t n) {
  CHECK(smtp_buf_append_number(&r->log, n) == 0);
  CHECK(smtp_buf_append(&r->log, "\n", 1) == 0);
}

static void drain(run *r) {
  for (;;) {
    smtp_slice out = smtp_server_peek(r->s);
    if (out.n == 0) return;
    if (r->habits & PIECES) out.n = cut(r, out.n);
    CHECK(smtp_buf_append_slice(&r->wire, out) == 0);
    smtp_server_sent(r->s, out.n);
    CHECK(!smtp_server_wary(r->s) || r->config->tls);
  }
}

/* The code that a verdict gives must be the one that is then written. */
static int decide(run *r, const smtp_server_event *e, bool last) {
  static const int codes[] = {250, 220, 354, 251, 299, 421, 450, 452,
                              480, 550, 554, 559, 199, 600, 0,   -1};
  static const smtp_slice texts[] = {
      {"", 0},     {"fine", 4}, {"5.7.1 no", 8}, {"2.0.0 a\nb\r\nc", 12},
      {"a\rb", 3}, {"\0", 1},   {"4.2.2", 5},    {"\xc3\xa9", 2}};
  unsigned v = r->verdicts[r->asked++ % VERDICTS];
  smtp_slice before = smtp_server_peek(r->s), after;
  smtp_verdict verdict = (smtp_verdict)(v % 6);
  smtp_slice text = texts[(v / 6 + v / 96) % 8];
  size_t n = before.n;
  int given = codes[v / 6 % 16], sayable = -1, code;
  if (e->type == SMTP_SERVER_MESSAGE && e->situation == SMTP_S_NONE &&
      verdict == SMTP_VERDICT_REPLY)
    sayable = smtp_server_sayable(r->s, given, text);
  CHECK(smtp_server_peek(r->s).n == n);
  code = smtp_server_decide(r->s, verdict, given, text);
  CHECK(sayable < 0 || code == (sayable ? given : 451));
  CHECK((code >= 200 && code < 300) || code == 354 || code == 334 ||
        (code >= 400 && code < 560));
  after = smtp_server_peek(r->s);
  r->chunked =
      e->type == SMTP_SERVER_DATA && after.n == n; /* no 354, or later */
  if (after.n > n + 4 && memcmp(after.p + n, "353 ", 4) == 0) {
    CHECK(r->prdr && r->recipients > 1 && !r->config->lmtp);
    while (after.p[n++] != '\n') {
    }
  }
  CHECK(after.n > n || after.n == 0 || r->chunked); /* held back */
  if (after.n > 0 && !r->chunked) {
    CHECK(after.n > n + 4 && after.p[n] == '0' + code / 100);
    CHECK(after.p[n + 1] == '0' + code / 10 % 10);
    CHECK(after.p[n + 2] == '0' + code % 10);
  }
  CHECK(!last || smtp_server_decide(r->s, verdict, 250, text) == SMTP_ESTATE);
  note_number(r, (uint64_t)code);
  return code;
}

/* All verdicts that an event asks for; whether one of them was good. */
static bool decide_all(run *r, const smtp_server_event *e) {
  size_t i, n = 1, each = r->recipients + !r->config->lmtp;
  smtp_server_event none;
  bool good = false;
  if (!r->config->lmtp && (!r->prdr || r->recipients < 2)) each = 1;
  if (e->type == SMTP_SERVER_MESSAGE) n = e->replies;
  if (e->type == SMTP_SERVER_MESSAGE && e->situation == SMTP_S_NONE)
    CHECK(n == each);
  CHECK(n == 1 || n == each);
  for (i = 0; i < n; i++) {
    CHECK(smtp_server_next(r->s, &none) == SMTP_ESTATE);
    good = decide(r, e, i + 1 == n) < 400 || good;
  }
  return good;
}

/* ---- events ---------------------------------------------------------- */

static void check_path(run *r, const smtp_server_event *e, bool null) {
  smtp_buf b;
  bool utf8 = (r->config->extensions & SMTP_EXT_SMTPUTF8) != 0;
  CHECK(e->path != NULL && (null || !e->path->null));
  CHECK(!e->path->eightbit || utf8);
  smtp_buf_init(&b, smtp_mem_libc(), ROOM);
  CHECK(smtp_path_format(&b, e->path) == 0);
  note(r, "<", smtp_buf_data(&b));
  note(r, "?", e->params);
  smtp_buf_clear(&b);
}

/* The header that is kept begins the content, up to its empty line. */
static void check_header(const run *r, smtp_slice content) {
  bool whole;
  smtp_slice header = smtp_server_header(r->s, &whole);
  CHECK(whole && header.n <= r->config->limits.header);
  if (r->config->bare_newline == SMTP_BARE_NORMALIZE) return;
  CHECK(header.n <= content.n && memcmp(header.p, content.p, header.n) == 0);
  CHECK(header.n == content.n || header.n > 0);
}

/* The content came; a message that is refused may have come in part. */
static void check_message(run *r, const smtp_server_event *e) {
  smtp_slice content = smtp_buf_data(&r->content);
  bool kept = e->situation == SMTP_S_NONE;
  CHECK(r->place == BODY && content.n <= 2 * e->size + 2);
  if (kept && r->config->bare_newline != SMTP_BARE_RAW && !r->binary)
    check_clean(content, !r->chunked);
  if (kept && (r->config->bare_newline != SMTP_BARE_NORMALIZE || r->binary))
    CHECK(content.n == e->size);
  CHECK(!kept || e->size <= r->config->limits.message_size);
  if (kept) check_header(r, content);
  if (kept) note(r, "B", content);
  note_number(r, e->size);
  note_number(r, e->seen);
  r->refused = r->refused || !kept;
  smtp_buf_truncate(&r->content, 0);
}

/* Each value is one that its command has, of a length and without controls. */
static void check_attributes(run *r, const smtp_attributes *told, bool anew) {
  size_t n = 0, i;
  for (i = 0; i < SMTP_ATTRIBUTES; i++) {
    smtp_slice value = told->value[i];
    if (value.p == NULL) continue;
    check_value(value);
    if (i >= SMTP_ATTRIBUTE_LOGIN)
      CHECK(anew == (i <= SMTP_ATTRIBUTE_DESTPORT));
    note_number(r, i);
    note(r, "F", value);
    n++;
  }
  CHECK(n > 0);
}

/* Whether the event may come here, and what it brings. */
static void check_event(run *r, const smtp_server_event *e) {
  enum place p = r->place;
  bool open = p == START || p == READY || p == MAIL || p == RCPT;
  CHECK(p != OVER);
  CHECK(!r->reset_due || e->type == SMTP_SERVER_RESET ||
        e->type == SMTP_SERVER_REPLY || e->type == SMTP_SERVER_CLOSE);
  switch (e->type) {
  case SMTP_SERVER_CONNECT: CHECK(p == NEW); break;
  case SMTP_SERVER_HELO:
    CHECK(open && e->text.n > 0);
    note(r, e->esmtp ? "E" : "H", e->text);
    break;
  case SMTP_SERVER_MAIL:
    CHECK(p == READY && e->mail.size <= r->config->limits.message_size);
    r->binary = e->mail.body == SMTP_BODY_BINARYMIME;
    r->prdr = e->mail.prdr;
    r->recipients = 0;
    check_path(r, e, true);
    break;
  case SMTP_SERVER_RCPT:
    CHECK(p == MAIL || p == RCPT);
    check_path(r, e, false);
    break;
  case SMTP_SERVER_DATA: CHECK(p == RCPT); break;
  case SMTP_SERVER_BODY:
    CHECK(p == BODY && e->text.n > 0);
    CHECK(smtp_buf_append_slice(&r->content, e->text) == 0);
    break;
  case SMTP_SERVER_MESSAGE: check_message(r, e); break;
  case SMTP_SERVER_VRFY:
    CHECK(open && e->text.n > 0);
    note(r, "V", e->text);
    break;
  case SMTP_SERVER_AUTH:
    CHECK(p == READY && e->verb.n > 0 && !e->credentials->verified);
    note(r, "A", e->credentials->user);
    note(r, "P", e->credentials->password);
    note(r, "T", e->credentials->token);
    break;
  case SMTP_SERVER_AUTH_FAILED:
    CHECK(p == READY && ++r->failures <= SMTP_AUTH_FAILURES);
    note(r, "N", e->verb);
    break;
  case SMTP_SERVER_STARTTLS:
    CHECK(p == START || p == READY);
    CHECK(smtp_server_peek(r->s).n == 0 && !r->secured);
    break;
  case SMTP_SERVER_COMMAND:
    CHECK(open && e->verb.n > 0);
    note(r, "C", e->verb);
    note(r, "?", e->text);
    break;
  case SMTP_SERVER_RESET:
    CHECK(p == MAIL || p == RCPT || r->reset_due || r->forwarded ||
          (p == BODY && r->chunked));
    if (p == BODY) smtp_buf_truncate(&r->content, 0);
    note(r, "R", e->verb);
    break;
  case SMTP_SERVER_XCLIENT:
    CHECK(r->trusted & SMTP_FORWARD_XCLIENT && (p == START || p == READY));
    check_attributes(r, e->attributes, true);
    break;
  case SMTP_SERVER_XFORWARD:
    CHECK(r->trusted & SMTP_FORWARD_XFORWARD && (p == START || p == READY));
    check_attributes(r, e->attributes, false);
    break;
  case SMTP_SERVER_LINE:
    CHECK(r->config->trace &&
          (open || p == REFUSED || (p == BODY && r->chunked)));
    check_line(e->text, r->config->limits.line, r->config->auth != 0);
    note(r, "L", e->text);
    break;
  case SMTP_SERVER_REPLY:
    CHECK(r->config->trace && e->text.n > 0);
    CHECK(smtp_buf_append_slice(&r->told, e->text) == 0);
    break;
  default:
    CHECK(e->type == SMTP_SERVER_CLOSE);
    r->why = e->situation;
    break;
  }
}

/* The model moved: so may the machine, and it is where the model is, but for a
** RESET or a CLOSE that it has still to tell. */
static void check_place(const run *r, enum place before) {
  unsigned may = states[r->place] | ST_CLOSED;
  if (r->s->due.reset) may |= ST_START | ST_READY | ST_SKIP | ST_TLS;
  CHECK(before == r->place || leads(before, r->place));
  CHECK((may & r->s->state) != 0);
}

/* Where the session stands after the event, or its verdict. */
static void move(run *r, const smtp_server_event *e, bool good) {
  static const smtp_sasl_binding nothing = {{"", 0}, {"", 0}};
  bool within = r->place == MAIL || r->place == RCPT;
  switch (e->type) {
  case SMTP_SERVER_CONNECT: r->place = good ? START : REFUSED; break;
  case SMTP_SERVER_HELO:
    if (!good) break;
    r->reset_due = within || r->forwarded;
    r->place = READY;
    break;
  case SMTP_SERVER_MAIL: r->place = good ? MAIL : READY; break;
  case SMTP_SERVER_RCPT:
    r->place = good ? RCPT : r->place;
    r->recipients += good;
    break;
  case SMTP_SERVER_DATA: r->place = good ? BODY : RCPT; break;
  case SMTP_SERVER_MESSAGE:
  case SMTP_SERVER_RESET:
    if (r->place != START) r->place = READY; /* after XFORWARD alone */
    r->reset_due = r->forwarded = false;
    break;
  case SMTP_SERVER_XCLIENT:
    r->place = NEW;
    r->forwarded = false;
    break;
  case SMTP_SERVER_XFORWARD: r->forwarded = true; break;
  case SMTP_SERVER_STARTTLS:
    CHECK(smtp_server_secured(r->s, &nothing, (smtp_slice){"", 0}) == 0);
    r->secured = true;
    r->place = START;
    break;
  case SMTP_SERVER_CLOSE: r->place = OVER; break;
  default: break;
  }
}

/* A delay of ours is over when the clock says so; nothing else is near. */
static bool end_hold(run *r) {
  double at = smtp_server_deadline(r->s);
  if (at <= r->now || at > r->now + 1) return false;
  CHECK(smtp_server_peek(r->s).n == 0);
  r->now = at;
  smtp_server_tick(r->s, at);
  return true;
}

static void work(run *r) {
  smtp_server_event e;
  int got;
  do {
    while ((got = smtp_server_next(r->s, &e)) == 1) {
      enum place before = r->place;
      bool good = false;
      CHECK(++r->events <= 6 * r->said + 8);
      check_event(r, &e);
      if (smtp_server_asks(e.type)) good = decide_all(r, &e);
      move(r, &e, good);
      check_place(r, before);
    }
    CHECK(got == 0);
    if (r->said == 0 && r->habits & EARLY) return;
    drain(r);
  } while (end_hold(r) || smtp_server_paused(r->s));
}

static void say(run *r, const char *p, size_t n) {
  char *copy = malloc(n); /* so that nobody keeps a pointer to it */
  CHECK(copy != NULL);
  memcpy(copy, p, n);
  r->said += n;
  smtp_server_clock(r->s, r->now);
  while (r->habits & IN_PLACE && n > 0) {
    char *place;
    size_t room;
    CHECK(smtp_server_space(r->s, &place, &room) == 0 && room > 0);
    room = room < n ? room : n;
    memcpy(place, copy, room);
    smtp_server_fed(r->s, room);
    n -= room;
    memmove(copy, copy + room, n);
  }
  CHECK(smtp_server_feed(r->s, copy, n) == 0);
  free(copy);
  work(r);
}

/* ---- replies --------------------------------------------------------- */

static void check_wire(const run *r) {
  smtp_slice wire = smtp_buf_data(&r->wire), told = smtp_buf_data(&r->told);
  int code = 0;
  if (r->config->trace && r->why != SMTP_S_EARLY)
    CHECK(wire.n == told.n && memcmp(wire.p, told.p, wire.n) == 0);
  while (wire.n > 0) {
    size_t n = check_reply_line(wire, &code);
    wire.p += n;
    wire.n -= n;
  }
  CHECK(code == 0);
}

/* ---- a session ------------------------------------------------------- */

static void open_run(run *r, const smtp_server_config *config,
                     const uint8_t *data) {
  memset(r, 0, sizeof *r);
  r->config = config;
  r->habits = data[1];
  r->seed = data[1];
  r->verdicts = data + 2;
  smtp_buf_init(&r->log, smtp_mem_libc(), ROOM);
  smtp_buf_init(&r->told, smtp_mem_libc(), ROOM);
  smtp_buf_init(&r->wire, smtp_mem_libc(), ROOM);
  smtp_buf_init(&r->content, smtp_mem_libc(), ROOM);
  r->s = smtp_server_new(smtp_mem_libc(), config, 0);
  CHECK(r->s != NULL);
  r->trusted = data[1] & 128 ? config->forwarding : 0;
  smtp_server_trust(r->s, r->trusted);
}

static void close_run(run *r) {
  smtp_server_free(r->s);
  smtp_buf_clear(&r->log);
  smtp_buf_clear(&r->told);
  smtp_buf_clear(&r->wire);
  smtp_buf_clear(&r->content);
}

/* The peer goes away, or is silent for too long. */
static void farewell(run *r) {
  smtp_server_event e;
  if (r->habits & FAREWELL_TICK) {
    double at = smtp_server_deadline(r->s);
    CHECK(at > r->now);
    r->now = at;
    smtp_server_tick(r->s, at);
  } else {
    smtp_server_eof(r->s);
  }
  work(r);
  CHECK(r->place == OVER && smtp_server_next(r->s, &e) == 0);
  smtp_server_tick(r->s, r->now + 1e6);
  CHECK(smtp_server_next(r->s, &e) == 0);
}

static void play(run *r, int way, const char *p, size_t n) {
  work(r);
  while (n > 0) {
    size_t here = way == WHOLE ? n : way == BYTES ? 1 : cut(r, n);
    say(r, p, here);
    p += here;
    n -= here;
  }
  r->habits &= ~(unsigned)EARLY;
  drain(r);
  farewell(r);
  check_wire(r);
}

/* Two ways of cutting are one session. Of a message that broke several rules
** the first to be seen is told, and one far too big may end it all. */
static void check_same(const run *a, const run *b) {
  smtp_slice x = smtp_buf_data(&a->log), y = smtp_buf_data(&b->log);
  if (a->why == SMTP_S_PIPELINING || b->why == SMTP_S_PIPELINING) return;
  if (a->why == SMTP_S_EARLY || b->why == SMTP_S_EARLY) return;
  if (a->refused || b->refused) return;
  if (a->why == SMTP_S_TOO_BIG || b->why == SMTP_S_TOO_BIG) return;
  CHECK(a->why == b->why);
  CHECK(x.n == y.n && memcmp(x.p, y.p, x.n) == 0);
  x = smtp_buf_data(&a->wire);
  y = smtp_buf_data(&b->wire);
  CHECK(x.n == y.n && memcmp(x.p, y.p, x.n) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  smtp_server_config config;
  run runs[3];
  int i;
  if (size < 2 + VERDICTS || size > 100000) return 0;
  configure(&config, data[0], data[1]);
  for (i = 0; i < 3; i++) {
    open_run(&runs[i], &config, data);
    play(&runs[i], BYTES + i, (const char *)data + 2 + VERDICTS,
         size - 2 - VERDICTS);
  }
  check_same(&runs[0], &runs[1]);
  check_same(&runs[0], &runs[2]);
  for (i = 0; i < 3; i++) close_run(&runs[i]);
  return 0;
}
