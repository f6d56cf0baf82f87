/* SPDX-License-Identifier: MIT */
/*
 * bench/floor_client: the least that a pipelining client can do.
 *
 *   floor_client PORT MESSAGES
 *
 * A blocking socket. For each message two flights, each one write:
 *
 *   MAIL FROM:<ada@code.energy> / RCPT TO:<charles@example.com> / DATA
 *     then 3 replies are read;
 *   1,024 bytes of message / . CRLF
 *     then 1 reply is read.
 *
 * The flights are made once, before the first message. Replies are counted,
 * by their lines with a space in the fourth place, and not looked at else.
 */
#include "net.h"

#define ENVELOPE \
  "MAIL FROM:<ada@code.energy>\r\nRCPT TO:<charles@example.com>\r\nDATA\r\n"
#define HEADER "From: ada@code.energy\r\nSubject: bench\r\n\r\n"
#define MESSAGE 1024
#define LINE 64

static char flight[MESSAGE + 3];
static char in[4096];

/* Reads until count replies have come. */
static void await(int fd, int count) {
  static int column; /* of the next byte in its line */
  static int last;   /* this line is the last of its reply */
  while (count > 0) {
    ssize_t i, n = recv(fd, in, sizeof in, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) die("recv");
    for (i = 0; i < n; i++) {
      if (column == 3) last = in[i] == ' ';
      column++;
      if (in[i] != '\n') continue;
      count -= last;
      column = 0;
    }
  }
}

/* 1,024 bytes: a header, then lines of 62 letters and CRLF. */
static void compose(void) {
  size_t i;
  memcpy(flight, HEADER, sizeof HEADER - 1);
  for (i = sizeof HEADER - 1; i < MESSAGE; i++)
    flight[i] = i % LINE == LINE - 2 ? '\r' : i % LINE == LINE - 1 ? '\n' : 'x';
  memcpy(flight + MESSAGE, ".\r\n", 3);
}

int main(int argc, char **argv) {
  unsigned long messages;
  int fd;
  if (argc != 3) return 2;
  fd = connect_to((unsigned)number(argv[1], 65535));
  messages = number(argv[2], 100000000);
  compose();
  await(fd, 1);
  send_all(fd, "EHLO floor\r\n", 12);
  await(fd, 1);
  while (messages-- > 0) {
    send_all(fd, ENVELOPE, sizeof ENVELOPE - 1);
    await(fd, 3);
    send_all(fd, flight, sizeof flight);
    await(fd, 1);
  }
  send_all(fd, "QUIT\r\n", 6);
  await(fd, 1);
  close(fd);
  return 0;
}
