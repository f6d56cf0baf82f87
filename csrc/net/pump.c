/* SPDX-License-Identifier: MIT */
/* pump.c: see pump.h for what this promises. */
#include "feature.h"

#include "pump.h"
#include "socket.h"

/* How often the wire is read for the sake of one record with content in it. */
#define WIRE_TURNS 4

void smtp_pump_init(smtp_pump *p, const smtp_machine *verbs, void *m, int fd) {
  p->verbs = verbs;
  p->m = m;
  p->fd = fd;
  p->tls = NULL;
  p->readable = true;
  p->quickack = p->unanswered = false;
}

void smtp_pump_secure(smtp_pump *p, smtp_tls *tls) {
  p->tls = tls;
  p->readable = true;
}

/* ---- writing --------------------------------------------------------- */

/* Writes what TLS has for the wire; results as smtp_pump_flush. */
static int flush_wire(smtp_pump *p) {
  for (;;) {
    smtp_slice out = smtp_tls_peek(p->tls);
    ssize_t n;
    if (out.n == 0) return 0;
    n = smtp_socket_send(p->fd, out.p, out.n);
    if (n < 0) return (int)n;
    smtp_tls_sent(p->tls, (size_t)n);
    p->unanswered = false;
  }
}

static int flush_tls(smtp_pump *p) {
  for (;;) {
    smtp_slice out = p->verbs->peek(p->m);
    ssize_t n = 0;
    int r;
    if (out.n > 0) n = smtp_tls_write(p->tls, out.p, out.n);
    if (n < 0) return (int)n;
    p->verbs->sent(p->m, (size_t)n);
    if (n > 0 && (size_t)n == out.n) continue; /* more fits beside it */
    r = flush_wire(p);
    if (r != 0 || out.n == 0) return r;
    if (n == 0) return SMTP_EBUSY; /* TLS has to hear something first */
  }
}

int smtp_pump_flush(smtp_pump *p) {
  if (p->tls != NULL) return flush_tls(p);
  for (;;) {
    smtp_slice out = p->verbs->peek(p->m);
    ssize_t n;
    if (out.n == 0) return 0;
    n = smtp_socket_send(p->fd, out.p, out.n);
    if (n < 0) return (int)n;
    p->verbs->sent(p->m, (size_t)n);
    p->unanswered = false;
  }
}

bool smtp_pump_waits(const smtp_pump *p) {
  return p->verbs->peek(p->m).n > 0 ||
         (p->tls != NULL && smtp_tls_peek(p->tls).n > 0);
}

/* close_notify, as far as it can be written. */
static void end_tls(smtp_pump *p) {
  if (p->tls == NULL) return;
  smtp_tls_shutdown(p->tls);
  flush_wire(p);
}

void smtp_pump_shutdown(smtp_pump *p) {
  end_tls(p);
  smtp_socket_shutdown(p->fd);
}

void smtp_pump_close(smtp_pump *p) {
  if (p->fd >= 0) {
    end_tls(p);
    smtp_socket_close(p->fd);
  }
  smtp_tls_free(p->tls);
  p->tls = NULL;
  p->fd = -1;
}

/* ---- reading --------------------------------------------------------- */

/* The caller has to wait now, and then there is something to read. An answer
** carries the acknowledgement. Where there is none, our delayed one and the
** peer's Nagle would wait for each other. */
static int wait_for_more(smtp_pump *p) {
  p->readable = true;
  if (p->quickack && p->unanswered) smtp_socket_quickack(p->fd);
  return SMTP_EBUSY;
}

/* A short read took all there was; the poller tells of more. */
static void received(smtp_pump *p, size_t n, size_t room) {
  p->readable = n == room;
  p->unanswered = true;
}

/* Bytes of the wire into TLS: 1, SMTP_EBUSY, or a failure. */
static int receive_wire(smtp_pump *p) {
  char *place;
  size_t room;
  ssize_t n;
  int r;
  if (!p->readable) return wait_for_more(p);
  r = smtp_tls_space(p->tls, &place, &room);
  if (r < 0) return r;
  n = smtp_socket_recv(p->fd, place, room);
  if (n < 0) return (int)n;
  if (n == 0)
    smtp_tls_eof(p->tls);
  else
    smtp_tls_fed(p->tls, (size_t)n);
  received(p, (size_t)n, room);
  return 1;
}

static int receive_tls(smtp_pump *p) {
  int turns = 0;
  for (;;) {
    char *place;
    size_t room;
    ssize_t n;
    int r = p->verbs->space(p->m, &place, &room);
    if (r < 0) return r;
    n = smtp_tls_read(p->tls, place, room);
    if (n > 0) {
      p->verbs->fed(p->m, (size_t)n);
      return 1;
    }
    if (n == SMTP_ECLOSED) {
      p->verbs->eof(p->m);
      return 1;
    }
    if (n != SMTP_EBUSY) return (int)n;
    flush_wire(p); /* what TLS itself answers, such as no_renegotiation */
    if (++turns > WIRE_TURNS) return 1; /* records without content: no end */
    r = receive_wire(p);
    if (r < 0) return r;
  }
}

int smtp_pump_receive(smtp_pump *p) {
  char *place;
  size_t room;
  ssize_t n;
  int r;
  if (p->tls != NULL) return receive_tls(p);
  if (!p->readable) return wait_for_more(p);
  r = p->verbs->space(p->m, &place, &room);
  if (r < 0) return r;
  n = smtp_socket_recv(p->fd, place, room);
  if (n < 0) return (int)n;
  if (n == 0)
    p->verbs->eof(p->m);
  else
    p->verbs->fed(p->m, (size_t)n);
  received(p, (size_t)n, room);
  return 1;
}

int smtp_pump_look(smtp_pump *p) {
  int r;
  p->readable = true;
  r = smtp_pump_receive(p);
  if (r == SMTP_EBUSY) p->readable = false; /* not again before a wait */
  return r;
}

int smtp_pump_handshake(smtp_pump *p) {
  for (;;) {
    int r = smtp_tls_handshake(p->tls);
    int w = flush_wire(p); /* an alert goes out as well */
    if (r == SMTP_TLS_DONE) return 1;
    if (r == SMTP_TLS_NAME) return 0;
    if (r < 0) return r;
    if (w == SMTP_ESYSTEM) return w;
    r = receive_wire(p);
    if (r < 0) return r;
  }
}
