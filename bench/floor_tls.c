/* SPDX-License-Identifier: MIT */
/*
 * bench/floor_tls: the least that a server can do under TLS 1.3.
 *
 *   floor_tls PORTFILE CERTIFICATE      PEM, with its key in it
 *
 * One connection after another, blocking. It makes the handshake, sends one
 * ticket (as servers do, for later sessions) and a greeting; so much is a
 * connection of S5a. In commands and bodies it does what floor_sink does,
 * behind SSL_read: the body is decrypted into a buffer and not looked at but
 * for its last five bytes. OpenSSL reads ahead, several records a recv.
 */
#include "tls.h"

#define GREETING "220 floor ESMTP\r\n"
#define EHLO "250-floor\r\n250-PIPELINING\r\n250 8BITMIME\r\n"
#define TAIL 5
#define AHEAD 65536

static char in[TAIL + 65536]; /* before each read: the last bytes again */

#define SAY(ssl, text) tls_send(ssl, text, sizeof(text) - 1)

static size_t receive(SSL *ssl) {
  return tls_receive(ssl, in + TAIL, sizeof in - TAIL);
}

/* Receives until the bytes end with CRLF.CRLF. 0, or -1 at the end. */
static int body(SSL *ssl) {
  memcpy(in, "...\r\n", TAIL); /* the line end of DATA */
  for (;;) {
    size_t n = receive(ssl);
    if (n == 0) return -1;
    memmove(in, in + n, TAIL);
    if (memcmp(in, "\r\n.\r\n", TAIL) == 0) return 0;
  }
}

/* Answers a command: the driver sends one, whole, and waits. 0, or -1. */
static int answer(SSL *ssl) {
  switch (in[TAIL]) {
  case 'E': SAY(ssl, EHLO); return 0;
  case 'D':
    SAY(ssl, "354 go\r\n");
    if (body(ssl)) return -1;
    SAY(ssl, "250 ok\r\n");
    return 0;
  case 'Q': SAY(ssl, "221 bye\r\n"); return -1;
  default: SAY(ssl, "250 ok\r\n"); return 0;
  }
}

static SSL_CTX *server_context(const char *certificate) {
  SSL_CTX *ctx = tls_context(TLS_server_method());
  if (SSL_CTX_use_certificate_chain_file(ctx, certificate) != 1 ||
      SSL_CTX_use_PrivateKey_file(ctx, certificate, SSL_FILETYPE_PEM) != 1)
    tls_die(certificate);
  SSL_CTX_set_num_tickets(ctx, 1);
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_read_ahead(ctx, 1);
  SSL_CTX_set_default_read_buffer_len(ctx, AHEAD);
  return ctx;
}

int main(int argc, char **argv) {
  SSL_CTX *ctx;
  int listener;
  if (argc != 3) return 2;
  ctx = server_context(argv[2]);
  listener = listen_and_tell(argv[1]);
  for (;;) {
    int fd = accept(listener, NULL, NULL);
    SSL *ssl;
    if (fd < 0) continue;
    ssl = tls_on(ctx, fd);
    if (SSL_accept(ssl) == 1) {
      SAY(ssl, GREETING);
      while (receive(ssl) > 0 && answer(ssl) == 0) continue;
    }
    tls_close(ssl);
  }
}
