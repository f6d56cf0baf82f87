/* SPDX-License-Identifier: MIT */
/*
 * bench/crowd: clients in step, for figures that are the same each time.
 *
 *   crowd PORT CONNECTIONS ROUNDS [anew]
 *
 * In each round every connection sends a message of 1 KiB, a command at a
 * time. All send a command before a reply to one is read, so the server
 * finds as many connections ready as there are, however fast it is. With
 * `anew` a round begins with new connections and ends with QUIT.
 */
#include "net.h"

#define CONNECTIONS_MAX 1000
#define MESSAGE 1024
#define LINE 64

static int fds[CONNECTIONS_MAX];
static unsigned long connections;
static char message[MESSAGE + 3];

/* One reply: its last line has a space in the fourth place. */
static void await(int fd) {
  char in[4096];
  size_t size = 0, start = 0;
  for (;;) {
    char *newline;
    ssize_t n = recv(fd, in + size, sizeof in - size, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) die("recv");
    size += (size_t)n;
    while ((newline = memchr(in + start, '\n', size - start)) != NULL) {
      if (in[start] != '2' && in[start] != '3') {
        fprintf(stderr, "crowd: %.*s", (int)size, in);
        exit(1);
      }
      if (in[start + 3] == ' ') return;
      start = (size_t)(newline - in) + 1;
    }
  }
}

static void await_all(void) {
  unsigned long i;
  for (i = 0; i < connections; i++) await(fds[i]);
}

static void say(const char *text, size_t size) {
  unsigned long i;
  for (i = 0; i < connections; i++) send_all(fds[i], text, size);
  await_all();
}

#define SAY(text) say(text, sizeof(text) - 1)

static void open_all(unsigned port) {
  unsigned long i;
  for (i = 0; i < connections; i++) fds[i] = connect_to(port);
  await_all();
  SAY("EHLO crowd.example\r\n");
}

static void close_all(void) {
  unsigned long i;
  SAY("QUIT\r\n");
  for (i = 0; i < connections; i++) close(fds[i]);
}

/* A header, then lines of 62 letters and CRLF. */
static void compose(void) {
  static const char header[] = "From: ada@code.energy\r\nSubject: x\r\n\r\n";
  size_t i;
  memcpy(message, header, sizeof header - 1);
  for (i = sizeof header - 1; i < MESSAGE; i++)
    message[i] = i % LINE == LINE - 2   ? '\r'
                 : i % LINE == LINE - 1 ? '\n'
                                        : 'x';
  memcpy(message + MESSAGE, ".\r\n", 3);
}

int main(int argc, char **argv) {
  unsigned long rounds;
  unsigned port;
  int anew = argc == 5;
  if (argc != 4 && !anew) return 2;
  port = (unsigned)number(argv[1], 65535);
  connections = number(argv[2], CONNECTIONS_MAX);
  rounds = number(argv[3], 1000000);
  compose();
  if (!anew) open_all(port);
  while (rounds-- > 0) {
    if (anew) open_all(port);
    SAY("MAIL FROM:<ada@code.energy>\r\n");
    SAY("RCPT TO:<charles@example.com>\r\n");
    SAY("DATA\r\n");
    say(message, sizeof message);
    if (anew) close_all();
  }
  if (!anew) close_all();
  return 0;
}
