/* SPDX-License-Identifier: MIT */
/*
 * bench/floor_server: the least that an SMTP server can do.
 *
 *   floor_server PORTFILE
 *
 * One process, epoll, non-blocking sockets. A turn is one recv and, when
 * there is something to say, one send with all the replies. Of a command it
 * reads the first letter: E or H gets the EHLO reply, D 354, Q 221 and the
 * end, anything else 250. Behind 354 it swallows until CRLF.CRLF, wherever
 * the cuts fall; bytes behind that are commands again. Nothing is checked,
 * stored, limited, timed or handled: what a server costs above this is what
 * it does for its user. On C rows the same program is the client's peer.
 *
 * A peer so far behind that a send does not take everything is cut off; the
 * benchmarks' clients wait for their replies and never come to that.
 */
#define _GNU_SOURCE /* accept4 */
#include "net.h"
#include <sys/epoll.h>

#define GREETING "220 floor ESMTP\r\n"
#define EHLO "250-floor\r\n250-PIPELINING\r\n250 8BITMIME\r\n"

typedef struct connection {
  int fd;
  char verb;          /* first letter of the line so far, or 0 */
  signed char in_end; /* bytes of CRLF.CRLF seen in the body; -1: commands */
} connection;

static const char end_of_data[] = "\r\n.\r\n";
static char in[65536];
static char out[65536];
static size_t out_size;

static int say(const char *text, size_t size) {
  if (size > sizeof out - out_size) return -1;
  memcpy(out + out_size, text, size);
  out_size += size;
  return 0;
}

#define SAY(text) say(text, sizeof(text) - 1)

/* Answers the line whose first letter is known. 0, or -1 to close. */
static int answer(connection *c) {
  char verb = c->verb;
  c->verb = 0;
  switch (verb) {
  case 'E':
  case 'e':
  case 'H':
  case 'h': return SAY(EHLO);
  case 'D':
  case 'd':
    c->in_end = 2; /* the line end of DATA counts as the first CRLF */
    return SAY("354 go\r\n");
  case 'Q':
  case 'q': SAY("221 bye\r\n"); return -1;
  default: return SAY("250 ok\r\n");
  }
}

/* Swallows body bytes; returns where commands begin again, or end. */
static const char *swallow(connection *c, const char *p, const char *end) {
  while (p < end) {
    if (c->in_end == 0) {
      p = memchr(p, '\r', (size_t)(end - p));
      if (!p) return end;
    }
    if (*p == end_of_data[c->in_end]) {
      p++;
      if (++c->in_end == 5) {
        c->in_end = -1;
        return p;
      }
    } else if (c->in_end) {
      c->in_end = 0; /* the byte may itself be a CR: look at it again */
    } else {
      p++;
    }
  }
  return p;
}

/* Goes over one recv and gathers the replies. 0, or -1 to close. */
static int take(connection *c, const char *p, const char *end) {
  while (p < end) {
    const char *newline;
    if (c->in_end >= 0) {
      p = swallow(c, p, end);
      if (c->in_end < 0 && SAY("250 ok\r\n")) return -1;
      continue;
    }
    if (!c->verb) c->verb = *p;
    newline = memchr(p, '\n', (size_t)(end - p));
    if (!newline) return 0;
    p = newline + 1;
    if (answer(c)) return -1;
  }
  return 0;
}

static void turn(connection *c) {
  int closing;
  ssize_t n = recv(c->fd, in, sizeof in, 0);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  out_size = 0;
  closing = n <= 0 || take(c, in, in + n);
  if (out_size && send(c->fd, out, out_size, MSG_NOSIGNAL) != (ssize_t)out_size)
    closing = 1;
  if (closing) {
    close(c->fd);
    free(c);
  }
}

static void greet(int poller, int listener) {
  struct epoll_event event = {0};
  connection *c;
  int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
  if (fd < 0) return;
  c = malloc(sizeof *c);
  if (!c) die("malloc");
  c->fd = fd;
  c->verb = 0;
  c->in_end = -1;
  event.events = EPOLLIN;
  event.data.ptr = c;
  if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event)) die("epoll_ctl");
  if (send(fd, GREETING, sizeof GREETING - 1, MSG_NOSIGNAL) < 0) {
    close(fd);
    free(c);
  }
}

int main(int argc, char **argv) {
  struct epoll_event events[64] = {{0}};
  int poller = epoll_create1(0);
  int listener;
  if (argc != 2) return 2;
  listener = listen_and_tell(argv[1]);
  events[0].events = EPOLLIN; /* data.ptr NULL marks the listener */
  if (epoll_ctl(poller, EPOLL_CTL_ADD, listener, events)) die("epoll_ctl");
  for (;;) {
    int i, n = epoll_wait(poller, events, 64, -1);
    for (i = 0; i < n; i++) {
      if (events[i].data.ptr)
        turn(events[i].data.ptr);
      else
        greet(poller, listener);
    }
  }
}
