/* SPDX-License-Identifier: MIT */
/*
 * bench/shake: makes TLS 1.3 connections, for the sake of their handshakes.
 *
 *   shake PORT CONNECTIONS
 *
 * One after another; none resumes another. Each waits for the greeting, says
 * close_notify and waits until the server has closed too, so that its work
 * on one connection never runs into the next.
 */
#include "tls.h"

static void connection(SSL_CTX *ctx, unsigned port) {
  char in[4096];
  SSL *ssl = tls_connect(ctx, port);
  size_t n = tls_receive(ssl, in, sizeof in);
  if (n == 0 || in[0] != '2' || SSL_session_reused(ssl)) {
    fprintf(stderr, "shake: not greeted: %.*s\n", (int)n, in);
    exit(1);
  }
  SSL_shutdown(ssl);
  while (tls_receive(ssl, in, sizeof in) > 0) continue;
  tls_close(ssl);
}

int main(int argc, char **argv) {
  SSL_CTX *ctx = tls_context(TLS_client_method());
  unsigned long connections;
  unsigned port;
  if (argc != 3) return 2;
  port = (unsigned)number(argv[1], 65535);
  connections = number(argv[2], 1000000);
  while (connections-- > 0) connection(ctx, port);
  return 0;
}
