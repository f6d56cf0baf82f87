/* SPDX-License-Identifier: MIT */
/*
 * bench/floor_sink: the least that receiving large messages can cost.
 *
 *   floor_sink PORTFILE
 *
 * One connection after another, a blocking socket and a recv of 128 KiB, as
 * large as that of the server under test in content (SPACE_MAX). In
 * commands it does what floor_server does, a line at a time. In the body it
 * looks at nothing but the last five bytes received so far: a sender that
 * waits for its reply has sent nothing behind CRLF.CRLF, so that is enough.
 * The body's bytes are copied out of the kernel and never looked at.
 */
#include "net.h"

#define GREETING "220 floor ESMTP\r\n"
#define EHLO "250-floor\r\n250-PIPELINING\r\n250 8BITMIME\r\n"
#define TAIL 5

static char in[TAIL + 131072]; /* before each recv: the last bytes again */

static ssize_t receive(int fd) {
  ssize_t n;
  do n = recv(fd, in + TAIL, sizeof in - TAIL, 0);
  while (n < 0 && errno == EINTR);
  return n;
}

/* Receives until the bytes end with CRLF.CRLF. 0, or -1 at the end. */
static int body(int fd) {
  memcpy(in, "...\r\n", TAIL); /* the line end of DATA */
  for (;;) {
    ssize_t n = receive(fd);
    if (n <= 0) return -1;
    memmove(in, in + n, TAIL);
    if (memcmp(in, "\r\n.\r\n", TAIL) == 0) return 0;
  }
}

/* Answers every whole command line of n bytes; a group ends with DATA. */
static int commands(int fd, size_t n) {
  const char *p = in + TAIL, *end = p + n;
  while (p < end) {
    const char *newline = memchr(p, '\n', (size_t)(end - p));
    if (!newline) return -1; /* the driver sends whole lines */
    if (*p == 'E' || *p == 'H') {
      send_all(fd, EHLO, sizeof EHLO - 1);
    } else if (*p == 'D') {
      send_all(fd, "354 go\r\n", 8);
      if (body(fd)) return -1;
      send_all(fd, "250 ok\r\n", 8);
      return 0;
    } else if (*p == 'Q') {
      send_all(fd, "221 bye\r\n", 9);
      return -1;
    } else {
      send_all(fd, "250 ok\r\n", 8);
    }
    p = newline + 1;
  }
  return 0;
}

int main(int argc, char **argv) {
  int listener;
  if (argc != 2) return 2;
  listener = listen_and_tell(argv[1]);
  for (;;) {
    int fd = accept(listener, NULL, NULL);
    ssize_t n;
    if (fd < 0) continue;
    send_all(fd, GREETING, sizeof GREETING - 1);
    while ((n = receive(fd)) > 0 && commands(fd, (size_t)n) == 0) continue;
    close(fd);
  }
}
