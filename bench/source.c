/* SPDX-License-Identifier: MIT */
/*
 * bench/source: sends large messages faster than any server reads them.
 *
 *   source PORT MESSAGES BYTES [tls]
 *
 * BYTES is rounded down to whole lines; tls is TLS 1.3 from the first byte.
 *
 * smtp-source makes its body through a stdio-like stream, line by line, and
 * is then itself the limit; this sender writes one prepared 1 MiB block (76
 * letters and CRLF, as a base64 attachment has) again and again. Commands
 * go one at a time, each answered before the next, so that any server can
 * be driven. A reply other than 2xx or 3xx ends the program with status 1.
 */
#include "tls.h"

#define BLOCK (1u << 20)
#define LINE 78

static char block[BLOCK];
static int fd;
static SSL *tls; /* or NULL */

static void put(const char *data, size_t size) {
  if (tls)
    tls_send(tls, data, size);
  else
    send_all(fd, data, size);
}

static size_t get(char *data, size_t size) {
  ssize_t n;
  if (tls) {
    size = tls_receive(tls, data, size);
    if (size == 0) tls_die("SSL_read");
    return size;
  }
  do n = recv(fd, data, size, 0);
  while (n < 0 && errno == EINTR);
  if (n <= 0) die("recv");
  return (size_t)n;
}

/* Reads one reply (the peer sends no more than one) and checks its class. */
static void await(void) {
  char in[4096];
  size_t size = 0;
  for (;;) {
    size_t start;
    size += get(in + size, sizeof in - size);
    if (in[size - 1] != '\n') continue;
    for (start = size - 1; start > 0 && in[start - 1] != '\n';) start--;
    if (size - start > 4 && in[start + 3] == ' ') break;
  }
  if (in[0] != '2' && in[0] != '3') {
    fprintf(stderr, "source: %.*s", (int)size, in);
    exit(1);
  }
}

static void command(const char *line, size_t size) {
  put(line, size);
  await();
}

#define COMMAND(line) command(line, sizeof(line) - 1)

static void message(unsigned long bytes) {
  COMMAND("MAIL FROM:<ada@code.energy>\r\n");
  COMMAND("RCPT TO:<charles@example.com>\r\n");
  COMMAND("DATA\r\n");
  put("Subject: bench\r\n\r\n", 18);
  while (bytes > 0) {
    /* whole lines only, so that blocks join without a broken line */
    size_t n = BLOCK - BLOCK % LINE;
    if (n > bytes) n = bytes;
    put(block, n);
    bytes -= n;
  }
  COMMAND(".\r\n");
}

int main(int argc, char **argv) {
  unsigned long messages, bytes;
  unsigned port;
  size_t i;
  if (argc != 4 && argc != 5) return 2;
  port = (unsigned)number(argv[1], 65535);
  if (argc == 5)
    tls = tls_connect(tls_context(TLS_client_method()), port);
  else
    fd = connect_to(port);
  messages = number(argv[2], 1000000);
  bytes = number(argv[3], 1ul << 30);
  bytes -= bytes % LINE;
  for (i = 0; i < BLOCK; i++)
    block[i] = i % LINE == LINE - 2 ? '\r' : i % LINE == LINE - 1 ? '\n' : 'x';
  await();
  COMMAND("EHLO source\r\n");
  while (messages-- > 0) message(bytes);
  COMMAND("QUIT\r\n");
  if (tls)
    tls_close(tls);
  else
    close(fd);
  return 0;
}
