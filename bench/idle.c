/* SPDX-License-Identifier: MIT */
/*
 * bench/idle: connections that say nothing, for the memory that each takes.
 *
 *   idle PORT CONNECTIONS [tls]
 *
 * Opens them one after another and waits for each greeting, behind the TLS
 * handshake if there is one; prints "open"; waits for a line on its standard
 * input, and closes them all.
 */
#include "tls.h"

#define CONNECTIONS_MAX 100000

static int fds[CONNECTIONS_MAX];
static SSL *tls[CONNECTIONS_MAX];

static void greeted(unsigned long i) {
  char in[4096];
  ssize_t n = tls[i] ? (ssize_t)tls_receive(tls[i], in, sizeof in)
                     : recv(fds[i], in, sizeof in, 0);
  if (n <= 0 || in[0] != '2') {
    fprintf(stderr, "idle: connection %lu is not greeted\n", i);
    exit(1);
  }
}

int main(int argc, char **argv) {
  SSL_CTX *ctx = argc == 4 ? tls_context(TLS_client_method()) : NULL;
  unsigned long i, connections;
  unsigned port;
  if (argc != 3 && argc != 4) return 2;
  port = (unsigned)number(argv[1], 65535);
  connections = number(argv[2], CONNECTIONS_MAX);
  for (i = 0; i < connections; i++) {
    if (ctx != NULL)
      tls[i] = tls_connect(ctx, port);
    else
      fds[i] = connect_to(port);
    greeted(i);
  }
  printf("open\n");
  fflush(stdout);
  getchar();
  for (i = 0; i < connections; i++) {
    if (ctx != NULL)
      tls_close(tls[i]);
    else
      close(fds[i]);
  }
  return 0;
}
