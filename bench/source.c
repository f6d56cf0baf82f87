/* SPDX-License-Identifier: MIT */
/*
 * bench/source: sends large messages faster than any server reads them.
 *
 *   source PORT MESSAGES BYTES      BYTES is rounded down to whole lines
 *
 * smtp-source makes its body through a stdio-like stream, line by line, and
 * is then itself the limit; this sender writes one prepared 1 MiB block (76
 * letters and CRLF, as a base64 attachment has) again and again. Commands
 * go one at a time, each answered before the next, so that any server can
 * be driven. A reply other than 2xx or 3xx ends the program with status 1.
 */
#include "net.h"

#define BLOCK (1u << 20)
#define LINE 78

static char block[BLOCK];

/* Reads one reply (the peer sends no more than one) and checks its class. */
static void await(int fd) {
  char in[4096];
  size_t size = 0;
  for (;;) {
    size_t start;
    ssize_t n = recv(fd, in + size, sizeof in - size, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) die("recv");
    size += (size_t)n;
    if (in[size - 1] != '\n') continue;
    for (start = size - 1; start > 0 && in[start - 1] != '\n';) start--;
    if (size - start > 4 && in[start + 3] == ' ') break;
  }
  if (in[0] != '2' && in[0] != '3') {
    fprintf(stderr, "source: %.*s", (int)size, in);
    exit(1);
  }
}

static void command(int fd, const char *line, size_t size) {
  send_all(fd, line, size);
  await(fd);
}

#define COMMAND(fd, line) command(fd, line, sizeof(line) - 1)

static void message(int fd, unsigned long bytes) {
  COMMAND(fd, "MAIL FROM:<ada@code.energy>\r\n");
  COMMAND(fd, "RCPT TO:<charles@example.com>\r\n");
  COMMAND(fd, "DATA\r\n");
  send_all(fd, "Subject: bench\r\n\r\n", 18);
  while (bytes > 0) {
    /* whole lines only, so that blocks join without a broken line */
    size_t n = BLOCK - BLOCK % LINE;
    if (n > bytes) n = bytes;
    send_all(fd, block, n);
    bytes -= n;
  }
  COMMAND(fd, ".\r\n");
}

int main(int argc, char **argv) {
  unsigned long messages, bytes;
  size_t i;
  int fd;
  if (argc != 4) return 2;
  fd = connect_to((unsigned)number(argv[1], 65535));
  messages = number(argv[2], 1000000);
  bytes = number(argv[3], 1ul << 30);
  bytes -= bytes % LINE;
  for (i = 0; i < BLOCK; i++)
    block[i] = i % LINE == LINE - 2 ? '\r' : i % LINE == LINE - 1 ? '\n' : 'x';
  await(fd);
  COMMAND(fd, "EHLO source\r\n");
  while (messages-- > 0) message(fd, bytes);
  COMMAND(fd, "QUIT\r\n");
  close(fd);
  return 0;
}
