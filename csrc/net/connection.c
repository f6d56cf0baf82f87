/* SPDX-License-Identifier: MIT */
/* connection.c: see connection.h for what this promises. */
#include "feature.h"

#include "connection.h"

#include <errno.h>

#include "poller.h"
#include "socket.h"

/* How often it reads before others have their turn. */
#define READS 32

/* How often the wire is read for the sake of one record with content in it. */
#define WIRE_TURNS 4

void smtp_connection_init(smtp_connection *c, const smtp_verbs *verbs, void *m,
                          int fd) {
  c->verbs = verbs;
  c->m = m;
  c->fd = fd;
  c->tls = NULL;
  c->readable = true;
  c->quickack = c->unanswered = c->lost = c->again = false;
  c->waits = c->reads = 0;
}

void smtp_connection_secure(smtp_connection *c, smtp_tls *tls) {
  c->tls = tls;
  c->readable = true;
}

/* ---- writing --------------------------------------------------------- */

/* Writes what TLS has for the wire; results as smtp_connection_flush. */
static int flush_wire(smtp_connection *c) {
  for (;;) {
    smtp_slice out = smtp_tls_peek(c->tls);
    ssize_t n;
    if (out.n == 0) return 0;
    n = smtp_socket_send(c->fd, out.p, out.n);
    if (n < 0) return (int)n;
    smtp_tls_sent(c->tls, (size_t)n);
    c->unanswered = false;
  }
}

static int flush_tls(smtp_connection *c) {
  for (;;) {
    smtp_slice out = c->verbs->peek(c->m);
    ssize_t n = 0;
    int r;
    if (out.n > 0) n = smtp_tls_write(c->tls, out.p, out.n);
    if (n < 0) return (int)n;
    c->verbs->sent(c->m, (size_t)n);
    if (n > 0 && (size_t)n == out.n) continue; /* more fits beside it */
    r = flush_wire(c);
    if (r != 0 || out.n == 0) return r;
    if (n == 0) return SMTP_EBUSY; /* TLS has to hear something first */
  }
}

int smtp_connection_flush(smtp_connection *c) {
  if (c->tls != NULL) return flush_tls(c);
  for (;;) {
    smtp_slice out = c->verbs->peek(c->m);
    ssize_t n;
    if (out.n == 0) return 0;
    n = smtp_socket_send(c->fd, out.p, out.n);
    if (n < 0) return (int)n;
    c->verbs->sent(c->m, (size_t)n);
    c->unanswered = false;
  }
}

bool smtp_connection_waits(const smtp_connection *c) {
  if (c->lost) return false;
  return c->verbs->peek(c->m).n > 0 ||
         (c->tls != NULL && smtp_tls_peek(c->tls).n > 0);
}

/* close_notify, as far as it can be written. */
static void end_tls(smtp_connection *c) {
  if (c->tls == NULL) return;
  smtp_tls_shutdown(c->tls);
  flush_wire(c);
}

void smtp_connection_shutdown(smtp_connection *c) {
  end_tls(c);
  smtp_socket_shutdown(c->fd);
}

void smtp_connection_close(smtp_connection *c) {
  if (c->fd >= 0) {
    end_tls(c);
    smtp_socket_close(c->fd);
  }
  smtp_tls_free(c->tls);
  c->tls = NULL;
  c->fd = -1;
}

/* ---- reading --------------------------------------------------------- */

/* The caller has to wait now, and then there is something to read. An answer
** carries the acknowledgement. Where there is none, our delayed one and the
** peer's Nagle would wait for each other. */
static int wait_for_more(smtp_connection *c) {
  c->readable = true;
  if (c->quickack && c->unanswered) smtp_socket_quickack(c->fd);
  return SMTP_EBUSY;
}

/* A short read took all there was; the poller tells of more. */
static void received(smtp_connection *c, size_t n, size_t room) {
  c->readable = n == room;
  c->unanswered = true;
}

/* Bytes of the wire into TLS: 1, SMTP_EBUSY, or a failure. */
static int receive_wire(smtp_connection *c) {
  char *place;
  size_t room;
  ssize_t n;
  int r;
  if (!c->readable) return wait_for_more(c);
  r = smtp_tls_space(c->tls, &place, &room);
  if (r < 0) return r;
  n = smtp_socket_recv(c->fd, place, room);
  if (n < 0) return (int)n;
  if (n == 0)
    smtp_tls_eof(c->tls);
  else
    smtp_tls_fed(c->tls, (size_t)n);
  received(c, (size_t)n, room);
  return 1;
}

static int receive_tls(smtp_connection *c) {
  int turns = 0;
  for (;;) {
    char *place;
    size_t room;
    ssize_t n;
    int r = c->verbs->space(c->m, &place, &room);
    if (r < 0) return r;
    n = smtp_tls_read(c->tls, place, room);
    if (n > 0) {
      c->verbs->fed(c->m, (size_t)n);
      return 1;
    }
    if (n == SMTP_ECLOSED) {
      c->verbs->eof(c->m);
      return 1;
    }
    if (n != SMTP_EBUSY) return (int)n;
    flush_wire(c); /* what TLS itself answers, such as no_renegotiation */
    if (++turns > WIRE_TURNS) return 1; /* records without content: no end */
    r = receive_wire(c);
    if (r < 0) return r;
  }
}

/* Reads once: 1 the machine was fed, or was told the end; SMTP_EBUSY wait for
** reading; SMTP_ESYSTEM; SMTP_ETLS; the machine's failures. */
static int receive(smtp_connection *c) {
  char *place;
  size_t room;
  ssize_t n;
  int r;
  if (c->tls != NULL) return receive_tls(c);
  if (!c->readable) return wait_for_more(c);
  r = c->verbs->space(c->m, &place, &room);
  if (r < 0) return r;
  n = smtp_socket_recv(c->fd, place, room);
  if (n < 0) return (int)n;
  if (n == 0)
    c->verbs->eof(c->m);
  else
    c->verbs->fed(c->m, (size_t)n);
  received(c, (size_t)n, room);
  return 1;
}

/* Reads once even if that seems to be in vain. */
static int look(smtp_connection *c) {
  int r;
  c->readable = true;
  r = receive(c);
  if (r == SMTP_EBUSY) c->readable = false; /* not again before a wait */
  return r;
}

int smtp_connection_handshake(smtp_connection *c) {
  for (;;) {
    int r = smtp_tls_handshake(c->tls);
    int w = flush_wire(c); /* an alert goes out as well */
    if (r == SMTP_TLS_DONE) return 1;
    if (r == SMTP_TLS_NAME) return 0;
    if (r < 0) return r;
    if (w == SMTP_ESYSTEM) return w;
    r = receive_wire(c);
    if (r < 0) return r;
  }
}

/* ---- steps ----------------------------------------------------------- */

/* The stream is broken. A write that failed is told only when there is nothing
** left to read that explains it. */
static int lose(smtp_connection *c, int r, bool writing) {
  int error = errno;
  if (r != SMTP_ESYSTEM && r != SMTP_ETLS) return r;
  if (c->verbs->lost != NULL) {
    c->lost = true;
    c->verbs->lost(c->m);
    return 1;
  }
  if (r == SMTP_ESYSTEM && writing) {
    c->readable = true;
    if (receive(c) > 0) return 1;
  }
  errno = error;
  return r;
}

int smtp_connection_write(smtp_connection *c) {
  unsigned may = c->verbs->may(c->m);
  if ((may & SMTP_MAY_LOOK) != 0 && c->verbs->peek(c->m).n > 0) {
    int r = look(c);
    if (r != SMTP_EBUSY) return r;
  }
  return smtp_connection_flush(c);
}

/* Writes, then reads: 1: the machine may have an event; 0: wait; a failure. */
static int move(smtp_connection *c) {
  unsigned may = c->verbs->may(c->m);
  int r = 0;
  c->waits = 0;
  if (c->lost) return 0;
  if ((may & SMTP_MAY_WRITE) != 0 && smtp_connection_waits(c)) {
    r = smtp_connection_write(c);
    if (r > 0) return 1;
    if (r < 0 && r != SMTP_EBUSY) return lose(c, r, true);
    if (r == 0) {
      may = c->verbs->may(c->m);
      if ((may & SMTP_MAY_READ) == 0) return 1;
    } else {
      c->waits = SMTP_WRITE;
      if ((may & SMTP_MAY_BOTH) == 0) return 0;
    }
  } else if ((may & SMTP_MAY_READ) == 0) {
    return 0;
  }
  if (c->reads >= READS) {
    c->again = true;
    return 0;
  }
  r = receive(c);
  if (r == SMTP_EBUSY) {
    c->waits |= SMTP_READ;
    return 0;
  }
  c->reads++;
  return r > 0 ? 1 : lose(c, r, false);
}

int smtp_connection_step(smtp_connection *c) {
  int r;
  c->again = false;
  do {
    r = c->verbs->next(c->m);
    if (r != 0) return r;
    r = move(c);
  } while (r > 0);
  c->reads = 0;
  return r;
}
