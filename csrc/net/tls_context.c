/* SPDX-License-Identifier: MIT */
/* tls_context.c: see tls_context.h for what this promises. */
#include "feature.h"

#include "tls_context.h"

#include "pin.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* A path may not be longer. */
#define PATH_SIZE 4096

/* Ciphers with forward secrecy and authenticated encryption. TLS 1.3 has no
** others and ignores this list. */
#define SERVER_CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"

void smtp_tls_prepare(void) {
  smtp_pin(); /* OpenSSL keeps pointers to functions of ours */
  OPENSSL_init_ssl(OPENSSL_INIT_NO_ATEXIT, NULL);
}

void smtp_tls_explain(char why[SMTP_TLS_TEXT], const char *what) {
  unsigned long error = ERR_peek_last_error();
  const char *reason = ERR_reason_error_string(error);
  if (ERR_SYSTEM_ERROR(error))
    reason = strerror(ERR_GET_REASON(error));
  else if (reason == NULL)
    reason = "no reason was given";
  snprintf(why, SMTP_TLS_TEXT, "%s: %s", what, reason);
  ERR_clear_error();
}

/* ---- PEM, from text or a file ---------------------------------------- */

static bool is_text(smtp_slice pem) {
  static const char mark[] = "-----BEGIN";
  size_t i;
  for (i = 0; i + sizeof mark - 1 <= pem.n; i++)
    if (memcmp(pem.p + i, mark, sizeof mark - 1) == 0) return true;
  return false;
}

static bool to_path(smtp_slice path, char out[PATH_SIZE]) {
  if (path.n >= PATH_SIZE || memchr(path.p, 0, path.n) != NULL) return false;
  memcpy(out, path.p, path.n);
  out[path.n] = '\0';
  return true;
}

/* A reader of PEM; NULL and the error is in OpenSSL's queue. */
static BIO *open_pem(smtp_slice pem) {
  char path[PATH_SIZE];
  if (is_text(pem)) return BIO_new_mem_buf(pem.p, (int)pem.n);
  return to_path(pem, path) ? BIO_new_file(path, "r") : NULL;
}

/* The name of a source in an error. */
static const char *name_of(smtp_slice pem, const char *what,
                           char out[PATH_SIZE]) {
  return !is_text(pem) && to_path(pem, out) ? out : what;
}

/* Keys have no password here: OpenSSL must not ask at a terminal. */
static int no_password(char *buf, int size, int rwflag, void *u) {
  (void)buf, (void)size, (void)rwflag, (void)u;
  return 0;
}

static bool end_of_pem(void) {
  unsigned long error = ERR_peek_last_error();
  bool end = ERR_GET_LIB(error) == ERR_LIB_PEM &&
             ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
  if (end) ERR_clear_error();
  return end;
}

/* The certificate, then its chain. */
static bool use_chain(SSL_CTX *ctx, BIO *in) {
  X509 *x = PEM_read_bio_X509_AUX(in, NULL, no_password, NULL);
  bool ok = x != NULL && SSL_CTX_use_certificate(ctx, x) == 1 &&
            SSL_CTX_clear_chain_certs(ctx) == 1;
  X509_free(x);
  while (ok && (x = PEM_read_bio_X509(in, NULL, no_password, NULL)) != NULL) {
    ok = SSL_CTX_add0_chain_cert(ctx, x) == 1;
    if (!ok) X509_free(x);
  }
  return ok && end_of_pem();
}

/* A failure: OpenSSL's reason, or the missing object if there is none in the
** PEM, for which OpenSSL says "no start line" or "unsupported". */
static bool unusable(smtp_slice pem, const char *what, const char *missing,
                     char why[SMTP_TLS_TEXT]) {
  char path[PATH_SIZE];
  what = name_of(pem, what, path);
  if (missing == NULL)
    smtp_tls_explain(why, what);
  else
    snprintf(why, SMTP_TLS_TEXT, "%.400s: there is no %s in it", what, missing);
  ERR_clear_error();
  return false;
}

static bool use_key(SSL_CTX *ctx, smtp_slice pem, char why[SMTP_TLS_TEXT]) {
  BIO *in = open_pem(pem);
  EVP_PKEY *key =
      in == NULL ? NULL : PEM_read_bio_PrivateKey(in, NULL, no_password, NULL);
  bool ok = key != NULL && SSL_CTX_use_PrivateKey(ctx, key) == 1 &&
            SSL_CTX_check_private_key(ctx) == 1;
  bool missing = in != NULL && key == NULL;
  EVP_PKEY_free(key);
  BIO_free(in);
  return ok || unusable(pem, "the private key",
                        missing ? "private key without a password" : NULL, why);
}

static bool use_certificate(SSL_CTX *ctx, smtp_slice pem,
                            char why[SMTP_TLS_TEXT]) {
  BIO *in = open_pem(pem);
  bool ok = in != NULL && use_chain(ctx, in);
  bool missing = !ok && in != NULL && end_of_pem();
  BIO_free(in);
  return ok ||
         unusable(pem, "the certificate", missing ? "certificate" : NULL, why);
}

static bool use_identity(SSL_CTX *ctx, const smtp_tls_config *c,
                         char why[SMTP_TLS_TEXT]) {
  return use_certificate(ctx, c->cert, why) &&
         use_key(ctx, c->key.n > 0 ? c->key : c->cert, why);
}

/* ---- whom to trust --------------------------------------------------- */

/* PEM text into the store; at least one. */
static bool trust_text(SSL_CTX *ctx, smtp_slice pem) {
  X509_STORE *store = SSL_CTX_get_cert_store(ctx);
  BIO *in = open_pem(pem);
  bool ok = in != NULL, some = false;
  X509 *x;
  while (ok && (x = PEM_read_bio_X509(in, NULL, no_password, NULL)) != NULL) {
    ok = X509_STORE_add_cert(store, x) == 1;
    X509_free(x);
    some = true;
  }
  BIO_free(in);
  return ok && some && end_of_pem();
}

/* Sends the names of the trusted authorities to clients. */
static void name_authorities(SSL_CTX *ctx) {
  STACK_OF(X509_OBJECT) *all =
      X509_STORE_get0_objects(SSL_CTX_get_cert_store(ctx));
  int i;
  for (i = 0; i < sk_X509_OBJECT_num(all); i++) {
    X509 *x = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(all, i));
    if (x != NULL) SSL_CTX_add_client_CA(ctx, x);
  }
}

static bool trust(SSL_CTX *ctx, const smtp_tls_config *c,
                  char why[SMTP_TLS_TEXT]) {
  char path[PATH_SIZE];
  struct stat st;
  bool ok;
  if (c->ca.n == 0) {
    if (!c->server) SSL_CTX_set_default_verify_paths(ctx);
    return true;
  }
  if (!is_text(c->ca) && to_path(c->ca, path) && stat(path, &st) == 0 &&
      S_ISDIR(st.st_mode))
    ok = SSL_CTX_load_verify_dir(ctx, path) == 1;
  else
    ok = trust_text(ctx, c->ca);
  if (!ok)
    return unusable(c->ca, "the trusted certificates",
                    end_of_pem() ? "certificate" : NULL, why);
  if (c->server) name_authorities(ctx);
  return true;
}

/* ---- rules ----------------------------------------------------------- */

/* ALPN is "smtp", or absent: a connection for a server of another protocol is
** refused (the ALPACA attack). */
static int select_alpn(SSL *ssl, const unsigned char **out, unsigned char *n,
                       const unsigned char *in, unsigned in_n, void *arg) {
  static const unsigned char ours[] = "\4smtp";
  unsigned char *chosen;
  (void)ssl, (void)arg;
  if (SSL_select_next_proto(&chosen, n, ours, sizeof ours - 1, in, in_n) !=
      OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

/* An optional certificate never ends a handshake; its fault stays as the result
** of the verification. */
static int pass_any(int ok, X509_STORE_CTX *store) {
  (void)ok, (void)store;
  return 1;
}

static bool set_server_rules(SSL_CTX *ctx, const smtp_tls_config *c) {
  unsigned char id[16]; /* sessions of one context are not those of another */
  int mode = SSL_VERIFY_PEER;
  if (RAND_bytes(id, sizeof id) != 1 ||
      SSL_CTX_set_session_id_context(ctx, id, sizeof id) != 1 ||
      SSL_CTX_set_cipher_list(ctx, SERVER_CIPHERS) != 1)
    return false;
  SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE |
                               SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_alpn_select_cb(ctx, select_alpn, NULL);
  SSL_CTX_set_mode(ctx, SSL_MODE_NO_AUTO_CHAIN); /* the chain is as given */
  SSL_CTX_set_num_tickets(ctx, 1);
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF); /* tickets only */
  if (c->client == SMTP_TLS_REQUIRED) mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  if (c->client != SMTP_TLS_UNASKED)
    SSL_CTX_set_verify(ctx, mode,
                       c->client == SMTP_TLS_OPTIONAL ? pass_any : NULL);
  return true;
}

static bool set_rules(SSL_CTX *ctx, const smtp_tls_config *c) {
  SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
                            SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                            SSL_MODE_RELEASE_BUFFERS);
  if (SSL_CTX_set_min_proto_version(ctx, c->tls13 ? TLS1_3_VERSION
                                                  : TLS1_2_VERSION) != 1)
    return false;
  if (c->server) return set_server_rules(ctx, c);
  SSL_CTX_set_verify(ctx, c->verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
  /* This alone does nothing: tls_dane.h. */
  return SSL_CTX_dane_enable(ctx) == 1 &&
         SSL_CTX_set_alpn_protos(ctx, (const unsigned char *)"\4smtp", 5) == 0;
}

SSL_CTX *smtp_tls_context_new(const smtp_tls_config *c,
                              char why[SMTP_TLS_TEXT]) {
  SSL_CTX *ctx;
  ERR_clear_error();
  ctx = SSL_CTX_new(c->server ? TLS_server_method() : TLS_client_method());
  if (ctx == NULL || !set_rules(ctx, c)) {
    smtp_tls_explain(why, "TLS");
  } else if ((c->cert.n == 0 || use_identity(ctx, c, why)) &&
             trust(ctx, c, why)) {
    ERR_clear_error();
    return ctx;
  }
  SSL_CTX_free(ctx);
  return NULL;
}
