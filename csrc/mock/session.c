/* SPDX-License-Identifier: MIT */
/*
** session.c: the bytes and the time of a session; see session.h. The machine
** is asked for events, its bytes go out by the plan, and a gate in time holds
** both where a rule delays.
*/
#include "session.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../net/poller.h"
#include "../net/socket.h"
#include "session_state.h"
#include "text.h"

/* How often it goes on before others have their turn. */
#define TURNS 256
#define OUT_MARK 65536

/* How long the peer may go on after our last word. */
#define LINGER 2.0

/* ---- the machine's verbs ---------------------------------------------- */

static int verb_space(void *m, char **place, size_t *room) {
  smtp_mock_session *s = m;
  return smtp_server_space(s->machine, place, room);
}

static void verb_fed(void *m, size_t n) {
  smtp_mock_session *s = m;
  bool early = smtp_server_wary(s->machine);
  s->touched = s->idle_since = s->now;
  s->idle_told = 0;
  smtp_server_fed(s->machine, n);
  if (early) smtp_plan_clear(&s->plan); /* what it says now is its own */
}

static void verb_eof(void *m) {
  smtp_mock_session *s = m;
  s->gone = true;
  smtp_server_eof(s->machine);
}

static smtp_slice verb_peek(void *m) {
  const smtp_mock_session *s = m;
  return smtp_plan_peek(&s->plan, s->now);
}

/* The transcript has each line as it goes out. */
static void tell(smtp_mock_session *s, smtp_slice bytes) {
  smtp_slice line;
  smtp_buf_append_slice(&s->said, bytes);
  while (smtp_buf_line(&s->said, &line)) {
    smtp_mock_record_line(&s->mock->record, s->visit->number, 'S', line);
    smtp_buf_consume(&s->said, line.n);
  }
}

static void verb_sent(void *m, size_t n) {
  smtp_mock_session *s = m;
  smtp_slice bytes = verb_peek(m);
  if (n == 0) return; /* TLS says so when nothing is due */
  bytes.n = n;
  tell(s, bytes);
  s->touched = s->now;
  if (s->point != SMTP_MOCK_IDLE) s->idle_since = s->now;
  smtp_plan_sent(&s->plan, n, s->now);
}

static int verb_next(void *m);
static unsigned verb_may(void *m);
static void verb_lost(void *m);

static const smtp_verbs verbs = {verb_space, verb_fed,  verb_eof, verb_peek,
                                 verb_sent,  verb_next, verb_may, verb_lost};

/* ---- beginning and end ------------------------------------------------ */

static void dispose(smtp_mock_session *s) {
  if (s->ending == RESETS && s->stage == OVER && s->connection.fd >= 0) {
    smtp_socket_abort(s->connection.fd);
    s->connection.fd = -1;
  }
  smtp_connection_close(&s->connection);
  smtp_plan_clear(&s->plan);
  smtp_server_free(s->machine);
  smtp_mock_mail_free(s->mail);
  smtp_text_clear(&s->line);
  smtp_text_clear(&s->address);
  smtp_text_clear(&s->offered);
  smtp_buf_clear(&s->said);
  free(s->to);
  free(s);
}

smtp_mock_session *smtp_mock_session_new(smtp_mock *m, int fd,
                                         const smtp_address *peer, double now) {
  smtp_mock_session *s = calloc(1, sizeof *s);
  if (s == NULL) {
    smtp_socket_close(fd);
    return NULL;
  }
  s->mock = m;
  s->now = s->touched = s->idle_since = now;
  smtp_buf_init(&s->said, smtp_mem_libc(), SIZE_MAX / 2);
  smtp_connection_init(&s->connection, &verbs, s, fd);
  s->connection.quickack = true;
  s->machine = smtp_server_new(smtp_mem_libc(), &m->config, now);
  s->visit = smtp_mock_record_visit(&m->record, m->sessions + 1);
  m->sessions++;
  if (s->machine == NULL || s->visit == NULL) {
    if (s->visit != NULL) s->visit->closed = now;
    dispose(s);
    return NULL;
  }
  smtp_plan_init(&s->plan, s->machine);
  s->visit->opened = now;
  smtp_address_format(peer, s->visit->peer);
  s->visit->port = smtp_address_port(peer);
  if (m->tls != NULL && m->implicit)
    smtp_mock_session_begin(s, SMTP_MOCK_HANDSHAKE, 0, 0);
  return s;
}

void smtp_mock_session_free(smtp_mock_session *s, double now) {
  if (now > 0) smtp_mock_session_abandon(s);
  /* A child that was forked has the descriptor as well. */
  if (now > 0 && s->stage != OVER && s->connection.fd >= 0)
    smtp_socket_shutdown(s->connection.fd);
  if (smtp_buf_length(&s->said) > 0) tell(s, SMTP_LIT("\n"));
  s->visit->closed = now > 0 ? now : 1e-9;
  dispose(s);
}

static void because(smtp_mock_session *s, const char *reason) {
  if (s->visit->reason.p != NULL) return;
  smtp_text_set(&s->visit->reason, smtp_text_of(reason));
}

static void watch(smtp_mock_session *s) {
  static const char text[] = "the watchdog ended it: nothing happened behind ";
  smtp_buf b;
  smtp_buf_init(&b, smtp_mem_libc(), 4096);
  smtp_buf_append(&b, text, sizeof text - 1);
  smtp_buf_append_slice(&b, s->line.n > 0 ? s->line : SMTP_LIT("the start"));
  smtp_mock_record_line(&s->mock->record, s->visit->number, '*',
                        smtp_buf_data(&b));
  smtp_mock_record_violation(&s->mock->record, s->visit->number, "watchdog",
                             "RFC 5321 section 4.5.3.2.7", smtp_buf_data(&b));
  smtp_buf_clear(&b);
  because(s, "watchdog");
}

/* ---- TLS -------------------------------------------------------------- */

static void shaken(smtp_mock_session *s) {
  smtp_tls *tls = s->connection.tls;
  SSL *ssl = smtp_tls_ssl(tls);
  unsigned char exporter[SMTP_TLS_BINDING], endpoint[SMTP_TLS_BINDING];
  smtp_sasl_binding binding;
  const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  binding.exporter =
      (smtp_slice){(char *)exporter, smtp_tls_exporter(tls, exporter)};
  binding.endpoint =
      (smtp_slice){(char *)endpoint, smtp_tls_endpoint(tls, endpoint)};
  smtp_text_set(&s->visit->tls_version, smtp_text_of(SSL_get_version(ssl)));
  smtp_text_set(&s->visit->tls_cipher, smtp_text_of(SSL_get_cipher_name(ssl)));
  if (name != NULL) smtp_text_set(&s->visit->tls_name, smtp_text_of(name));
  smtp_server_secured(s->machine, &binding, SMTP_LIT(""));
  smtp_mock_record_line(&s->mock->record, s->visit->number, '*',
                        SMTP_LIT("TLS stands"));
  s->stage = OPEN;
}

static void not_shaken(smtp_mock_session *s, const char *why) {
  smtp_text_set(&s->visit->tls_error, smtp_text_of(why));
  smtp_mock_record_line(&s->mock->record, s->visit->number, '*',
                        smtp_text_of(why));
  because(s, "tls");
  s->stage = OVER;
}

/* Whether the handshake went on. */
static bool shake(smtp_mock_session *s) {
  int r = smtp_connection_handshake(&s->connection);
  if (r == SMTP_EBUSY) return false;
  s->touched = s->now;
  if (r == 1)
    shaken(s);
  else if (r == SMTP_ETLS)
    not_shaken(s, smtp_tls_error(s->connection.tls));
  else
    not_shaken(s, "the connection ended in the handshake");
  return true;
}

static void begin_tls(smtp_mock_session *s) {
  smtp_tls *tls = smtp_tls_new(s->mock->tls, SMTP_LIT(""), SMTP_LIT(""));
  if (tls == NULL) {
    not_shaken(s, "not enough memory");
    return;
  }
  smtp_connection_secure(&s->connection, tls);
  s->stage = SHAKING;
}

/* ---- steps ------------------------------------------------------------ */

static bool gated(const smtp_mock_session *s) {
  return s->gate > s->now;
}

/* The end that a rule has chosen, once all before it is written. */
static void finish(smtp_mock_session *s) {
  if (s->ending == RESETS) { /* done as it is freed: the poller knows it yet */
    because(s, "reset");
    s->stage = OVER;
    return;
  }
  because(s, "closed by a rule");
  smtp_connection_shutdown(&s->connection);
  s->finish_by = s->now + LINGER;
  s->stage = FINISHING;
}

/* Drops the input until the peer is done as well. */
static bool linger(smtp_mock_session *s) {
  char drop[4096];
  int i;
  for (i = 0; i < TURNS; i++) { /* others have their turn */
    ssize_t n = smtp_socket_recv(s->connection.fd, drop, sizeof drop);
    if (n == SMTP_EBUSY) break;
    if (n <= 0) return false;
  }
  return s->now < s->finish_by;
}

/* The machine's next event, if it may have one now. */
static bool proceed(smtp_mock_session *s) {
  int r;
  if (s->step != NULL && s->call == 0) {
    smtp_mock_session_run(s);
    return true;
  }
  if (s->point == SMTP_MOCK_HANDSHAKE && s->ending == GOES_ON &&
      s->connection.tls == NULL && smtp_plan_done(&s->plan) && s->call == 0) {
    s->point = SMTP_MOCK_CONNECT; /* it was told, and is due now */
    begin_tls(s);
    return true;
  }
  if (s->ending != GOES_ON || s->call != 0 || s->point == SMTP_MOCK_HANDSHAKE)
    return false;
  if (s->body_from < s->body_to) {
    smtp_mock_session_body(s);
    return true;
  }
  r = smtp_server_next(s->machine, &s->event);
  if (r > 0) smtp_mock_session_event(s);
  if (r < 0) { /* it went away while it waited for an answer */
    because(s, "closed");
    s->stage = OVER;
  }
  if (r > 0 && s->event.type == SMTP_SERVER_CLOSE) {
    because(s, s->event.situation == SMTP_S_QUIT   ? "quit"
               : s->event.situation == SMTP_S_NONE ? "closed"
                                                   : "refused");
    s->ending = CLOSES;
  }
  return r != 0;
}

/* Nothing came for as long as a rule waits for. */
static bool check_idle(smtp_mock_session *s) {
  uint64_t now, due;
  if (s->ending != GOES_ON || s->step != NULL || s->call != 0 ||
      s->point == SMTP_MOCK_HANDSHAKE)
    return false;
  now = (uint64_t)((s->now - s->idle_since) * 1000.0);
  due = smtp_mock_idle_after(s->mock, s->idle_told);
  if (due == 0 || now < due) return false;
  s->event.type = SMTP_SERVER_NONE;
  smtp_mock_session_begin(s, SMTP_MOCK_IDLE, s->idle_told, now);
  s->idle_told = now;
  return true;
}

/* So many replies go out before the next command is read. */
static bool is_full(const smtp_mock_session *s) {
  return !s->connection.lost && smtp_server_peek(s->machine).n > OUT_MARK;
}

/* Nothing is left to be written, or nothing can be. */
static bool is_done(const smtp_mock_session *s) {
  return s->connection.lost ||
         (smtp_plan_done(&s->plan) && !smtp_connection_waits(&s->connection));
}

static int verb_next(void *m) {
  smtp_mock_session *s = m;
  if (!gated(s) && !is_full(s) && (proceed(s) || check_idle(s))) return 1;
  if ((s->ending != CLOSES && s->ending != RESETS) || !is_done(s)) return 0;
  finish(s);
  return 1;
}

static unsigned verb_may(void *m) {
  const smtp_mock_session *s = m;
  unsigned may = SMTP_MAY_WRITE;
  if (smtp_server_wary(s->machine) && s->connection.tls == NULL && !s->gone &&
      s->point != SMTP_MOCK_HANDSHAKE)
    may |= SMTP_MAY_LOOK;
  if (!gated(s) && !is_full(s) && s->ending == GOES_ON && s->call == 0 &&
      !smtp_server_paused(s->machine))
    may |= SMTP_MAY_READ;
  return may;
}

static void verb_lost(void *m) {
  smtp_mock_session *s = m;
  smtp_plan_clear(&s->plan);
  smtp_server_eof(s->machine);
  smtp_server_sent(s->machine, smtp_server_peek(s->machine).n);
  s->gate = 0;
  s->step = NULL;
  if (s->ending != GOES_ON) s->stage = OVER;
}

/* A session that hangs is left by a peer all the same. */
static bool drain(smtp_mock_session *s) {
  char drop[4096];
  ssize_t n;
  int i = 0;
  if (s->point == SMTP_MOCK_BODY) return true; /* its writes shall block */
  s->waits |= SMTP_READ;
  do n = smtp_socket_recv(s->connection.fd, drop, sizeof drop);
  while (n > 0 && ++i < TURNS);
  return n > 0 || n == SMTP_EBUSY;
}

bool smtp_mock_session_step(smtp_mock_session *s, double now) {
  int turns, r;
  s->now = now;
  s->waits = 0;
  smtp_server_clock(s->machine, now);
  if (s->gate < (double)INFINITY && s->gate > s->touched)
    s->touched = s->gate < now ? s->gate : now; /* the delay was ours */
  if (smtp_plan_due(&s->plan) > s->touched)     /* and so is a slow reply */
    s->touched = smtp_plan_due(&s->plan) < now ? smtp_plan_due(&s->plan) : now;
  if (now - s->touched > s->mock->watchdog && s->call == 0 &&
      s->stage != FINISHING) {
    if (s->ending == GOES_ON) watch(s);
    because(s, "watchdog");
    return false;
  }
  for (turns = 0; turns < TURNS; turns++) {
    if (s->stage == OVER) return false;
    if (s->stage == FINISHING) {
      s->waits = SMTP_READ;
      return linger(s);
    }
    if (s->stage == SHAKING) {
      if (shake(s)) continue;
      s->waits =
          SMTP_READ | (smtp_connection_waits(&s->connection) ? SMTP_WRITE : 0);
      return true;
    }
    r = smtp_connection_step(&s->connection);
    if (r < 0) verb_lost(s);
    if (r != 0) continue;
    s->waits = s->connection.waits;
    if (s->connection.again) break;
    return s->ending == HANGS ? drain(s) : true;
  }
  s->waits |= SMTP_READ | SMTP_WRITE; /* it is at it again at once */
  return true;
}

unsigned smtp_mock_session_waits(const smtp_mock_session *s) {
  return s->waits;
}

static double sooner(double a, double b) {
  return b >= 0 && (a < 0 || b < a) ? b : a;
}

double smtp_mock_session_due(const smtp_mock_session *s) {
  double due = s->touched + s->mock->watchdog;
  if (s->call != 0) return -1;
  if (s->stage == FINISHING) return s->finish_by;
  if (s->gate > s->now && s->gate < (double)INFINITY)
    due = sooner(due, s->gate);
  if ((s->waits & SMTP_WRITE) == 0) due = sooner(due, smtp_plan_due(&s->plan));
  if (s->stage == OPEN && s->ending == GOES_ON && !gated(s) &&
      s->point != SMTP_MOCK_HANDSHAKE) {
    uint64_t ms = smtp_mock_idle_after(s->mock, s->idle_told);
    if (ms > 0) due = sooner(due, s->idle_since + (double)ms / 1000.0);
  }
  return due;
}

bool smtp_mock_session_idle(const smtp_mock_session *s) {
  if (s->stage == FINISHING) return true;
  if (s->ending == HANGS) return smtp_plan_done(&s->plan);
  return s->stage == OPEN && s->ending == GOES_ON && s->step == NULL &&
         !gated(s) && smtp_plan_done(&s->plan) && smtp_server_idle(s->machine);
}

int smtp_mock_session_fd(const smtp_mock_session *s) {
  return s->connection.fd;
}
