/* SPDX-License-Identifier: MIT */
/*
 * bench/tls.h: the few calls of OpenSSL that the benchmark programs share.
 *
 * TLS 1.3 and nothing else, over blocking sockets, nobody verified. As in
 * net.h a failure ends the program, but for those that a function returns.
 */
#ifndef BENCH_TLS_H
#define BENCH_TLS_H

#include "net.h"
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

static inline void tls_die(const char *what) {
  fprintf(stderr, "%s:\n", what);
  ERR_print_errors_fp(stderr);
  exit(1);
}

static inline SSL_CTX *tls_context(const SSL_METHOD *role) {
  SSL_CTX *ctx = SSL_CTX_new(role);
  if (!ctx || !SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION))
    tls_die("SSL_CTX_new");
  return ctx;
}

/* An engine on the socket fd. */
static inline SSL *tls_on(SSL_CTX *ctx, int fd) {
  const int on = 1;
  SSL *ssl = SSL_new(ctx);
  if (!ssl || !SSL_set_fd(ssl, fd)) tls_die("SSL_new");
  /* tickets and a greeting are two writes, and the second must not wait */
  if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on))
    die("TCP_NODELAY");
  return ssl;
}

/* A new connection whose handshake is done. */
static inline SSL *tls_connect(SSL_CTX *ctx, unsigned port) {
  SSL *ssl = tls_on(ctx, connect_to(port));
  if (SSL_connect(ssl) != 1) tls_die("SSL_connect");
  return ssl;
}

static inline void tls_send(SSL *ssl, const char *data, size_t size) {
  size_t n;
  if (!SSL_write_ex(ssl, data, size, &n) || n != size) tls_die("SSL_write");
}

/* Bytes that were read; 0 at the end, whatever ended it. */
static inline size_t tls_receive(SSL *ssl, char *data, size_t size) {
  size_t n = 0;
  return SSL_read_ex(ssl, data, size, &n) ? n : 0;
}

/* Says close_notify and closes. */
static inline void tls_close(SSL *ssl) {
  int fd = SSL_get_fd(ssl);
  SSL_shutdown(ssl);
  SSL_free(ssl);
  ERR_clear_error();
  close(fd);
}

#endif
