/* SPDX-License-Identifier: MIT */
/* pump.c: see pump.h for what this promises. */
#include "feature.h"

#include "pump.h"
#include "socket.h"

void smtp_pump_init(smtp_pump *p, const smtp_machine *verbs, void *m, int fd) {
  p->verbs = verbs;
  p->m = m;
  p->fd = fd;
  p->readable = true;
  p->quickack = p->unanswered = false;
}

int smtp_pump_flush(smtp_pump *p) {
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

int smtp_pump_receive(smtp_pump *p) {
  char *place;
  size_t room;
  ssize_t n;
  int r;
  if (!p->readable) {
    p->readable = true; /* the caller waits now, and then it is */
    /* An answer carries the acknowledgement. Where there is none, our delayed
    ** one and the peer's Nagle would wait for each other. */
    if (p->quickack && p->unanswered) smtp_socket_quickack(p->fd);
    return SMTP_EBUSY;
  }
  r = p->verbs->space(p->m, &place, &room);
  if (r < 0) return r;
  n = smtp_socket_recv(p->fd, place, room);
  if (n < 0) return (int)n;
  if (n == 0)
    p->verbs->eof(p->m);
  else
    p->verbs->fed(p->m, (size_t)n);
  /* A short read took all there was; the poller tells of more. */
  p->readable = (size_t)n == room;
  p->unanswered = true;
  return 1;
}
