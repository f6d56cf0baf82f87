/* SPDX-License-Identifier: MIT */
/*
** tls.c: see tls.h for what this promises. OpenSSL reads from and writes to a
** BIO of our own whose two sides are the core's buffers, so that a recv and a
** send work on them directly. Its error queue is empty before each call, and
** no callback does more than look.
*/
#include "feature.h"

#include "tls.h"

#include "../core/buf.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Bytes to read at once: few for commands, more for content; bytes that may
** wait. A record has at most 16 KiB and its overhead. */
#define SPACE_MIN 4096
#define SPACE_MAX 65536
#define WIRE_MAX (1024 * 1024)
#define WAITING_MAX (64 * 1024)
#define RECORD 16384

#define NAME_MAX_LENGTH 255

struct smtp_tls {
  SSL *ssl;
  smtp_buf in, out; /* of the wire */
  size_t space;
  pid_t maker;
  bool eof;
  const char *end; /* the cause, if the peer ended the stream too early */
  bool alert;      /* the peer sent an alert */
  bool begun;      /* a byte of the peer came */
  bool clear;      /* the first byte of the peer is no TLS */
  bool said;       /* we said close_notify */
  bool asks;       /* pauses at the name */
  bool answered, refused;
  int failed; /* SMTP_ECLOSED or SMTP_ETLS, sticky */
  char wanted[NAME_MAX_LENGTH + 1];
  size_t wanted_n;
  char error[SMTP_TLS_TEXT];
};

/* ---- the BIO --------------------------------------------------------- */

static int bio_read(BIO *bio, char *p, size_t n, size_t *got) {
  smtp_tls *t = BIO_get_data(bio);
  smtp_slice have = smtp_buf_data(&t->in);
  BIO_clear_retry_flags(bio);
  if (have.n == 0) {
    if (!t->eof) BIO_set_retry_read(bio);
    return 0;
  }
  *got = have.n < n ? have.n : n;
  memcpy(p, have.p, *got);
  smtp_buf_consume(&t->in, *got);
  return 1;
}

static int bio_write(BIO *bio, const char *p, size_t n, size_t *put) {
  smtp_tls *t = BIO_get_data(bio);
  BIO_clear_retry_flags(bio);
  if (smtp_buf_append(&t->out, p, n) != 0) return 0;
  *put = n;
  return 1;
}

static long bio_ctrl(BIO *bio, int command, long a, void *b) {
  smtp_tls *t = BIO_get_data(bio);
  (void)a, (void)b;
  if (command == BIO_CTRL_FLUSH) return 1;
  return command == BIO_CTRL_EOF ? t->eof && smtp_buf_length(&t->in) == 0 : 0;
}

static BIO_METHOD *method;

static void make_method(void) {
  smtp_tls_prepare();
  method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "smtp");
  if (method == NULL) return;
  BIO_meth_set_read_ex(method, bio_read);
  BIO_meth_set_write_ex(method, bio_write);
  BIO_meth_set_ctrl(method, bio_ctrl);
}

static BIO *new_bio(smtp_tls *t) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  BIO *bio;
  pthread_once(&once, make_method);
  bio = method == NULL ? NULL : BIO_new(method);
  if (bio == NULL) return NULL;
  BIO_set_data(bio, t);
  BIO_set_init(bio, 1);
  return bio;
}

/* ---- the name that a client wants ------------------------------------ */

/* server_name (RFC 6066 section 3): a list with one host_name. */
static void read_name(smtp_tls *t, SSL *ssl) {
  const unsigned char *p;
  size_t n, length;
  t->wanted_n = 0;
  if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &p, &n) != 1)
    return;
  if (n < 5 || p[2] != TLSEXT_NAMETYPE_host_name) return;
  length = (size_t)p[3] << 8 | p[4];
  if (length > n - 5 || length > NAME_MAX_LENGTH) return;
  memcpy(t->wanted, p + 5, length);
  t->wanted_n = length;
}

static int on_hello(SSL *ssl, int *alert, void *arg) {
  smtp_tls *t = SSL_get_app_data(ssl);
  (void)arg;
  if (!t->answered) read_name(t, ssl);
  if (t->refused) {
    *alert = SSL_AD_UNRECOGNIZED_NAME;
    return SSL_CLIENT_HELLO_ERROR;
  }
  return t->asks && !t->answered && t->wanted_n > 0 ? SSL_CLIENT_HELLO_RETRY
                                                    : SSL_CLIENT_HELLO_SUCCESS;
}

void smtp_tls_ask_name(smtp_tls *t) {
  t->asks = true;
}

smtp_slice smtp_tls_wanted(const smtp_tls *t) {
  return (smtp_slice){t->wanted, t->wanted_n};
}

void smtp_tls_choose(smtp_tls *t, SSL_CTX *ctx, bool refuse) {
  t->answered = true;
  t->refused = refuse;
  if (ctx != NULL) SSL_set_SSL_CTX(t->ssl, ctx);
}

/* ---- birth and death ------------------------------------------------- */

/* Sets the name of the server. It is never matched against a CN, and "*" stands
** for a whole label only (RFC 6125 section 6.4). */
static bool set_name(smtp_tls *t, smtp_slice name) {
  X509_VERIFY_PARAM *param = SSL_get0_param(t->ssl);
  char text[NAME_MAX_LENGTH + 1];
  if (name.n == 0) return true;
  if (name.n > NAME_MAX_LENGTH || memchr(name.p, 0, name.n) != NULL)
    return false;
  memcpy(text, name.p, name.n);
  text[name.n] = '\0';
  if (X509_VERIFY_PARAM_set1_ip_asc(param, text) == 1) return true;
  ERR_clear_error();
  X509_VERIFY_PARAM_set_hostflags(param,
                                  X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                      X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  return X509_VERIFY_PARAM_set1_host(param, text, name.n) == 1 &&
         SSL_set_tlsext_host_name(t->ssl, text) == 1;
}

static void resume(smtp_tls *t, smtp_slice session) {
  const unsigned char *p = (const unsigned char *)session.p;
  SSL_SESSION *s;
  if (session.n == 0) return;
  s = d2i_SSL_SESSION(NULL, &p, (long)session.n);
  if (s != NULL) SSL_set_session(t->ssl, s);
  SSL_SESSION_free(s);
  ERR_clear_error();
}

smtp_tls *smtp_tls_new(SSL_CTX *ctx, smtp_slice name, smtp_slice session) {
  const smtp_mem *mem = smtp_mem_libc();
  smtp_tls *t = smtp_mem_new(mem, sizeof *t);
  BIO *bio = NULL;
  if (t == NULL) return NULL;
  smtp_buf_init(&t->in, mem, WIRE_MAX);
  smtp_buf_init(&t->out, mem, WIRE_MAX);
  t->space = SPACE_MIN;
  t->maker = getpid();
  ERR_clear_error();
  t->ssl = SSL_new(ctx);
  if (t->ssl != NULL) bio = new_bio(t);
  if (bio == NULL || !set_name(t, name)) {
    BIO_free(bio);
    smtp_tls_free(t);
    return NULL;
  }
  SSL_set_bio(t->ssl, bio, bio);
  SSL_set_app_data(t->ssl, t);
  if (SSL_is_server(t->ssl)) {
    SSL_CTX_set_client_hello_cb(ctx, on_hello, NULL);
    SSL_set_accept_state(t->ssl);
  } else {
    resume(t, session);
    SSL_set_connect_state(t->ssl);
  }
  return t;
}

void smtp_tls_free(smtp_tls *t) {
  if (t == NULL) return;
  SSL_free(t->ssl);
  smtp_buf_clear(&t->in);
  smtp_buf_clear(&t->out);
  smtp_mem_wipe(t, sizeof *t);
  smtp_mem_free(smtp_mem_libc(), t, sizeof *t);
}

/* ---- the wire -------------------------------------------------------- */

/* ContentType of a record is 20 to 23 (RFC 8446 section 5.1); no reply of SMTP
** and no command begins so. */
static void look(smtp_tls *t, const char *p) {
  if (t->begun) return;
  t->begun = true;
  t->clear = p[0] < 20 || p[0] > 23;
}

int smtp_tls_space(smtp_tls *t, char **place, size_t *room) {
  int r = smtp_buf_reserve(&t->in, t->space, place);
  if (r == 0) *room = t->space;
  return r;
}

void smtp_tls_fed(smtp_tls *t, size_t n) {
  size_t before = smtp_buf_length(&t->in);
  if (n == 0) return;
  smtp_buf_commit(&t->in, n);
  if (n == t->space && t->space < SPACE_MAX) t->space *= 2;
  look(t, smtp_buf_data(&t->in).p + before);
}

int smtp_tls_feed(smtp_tls *t, const char *p, size_t n) {
  int r = smtp_buf_append(&t->in, p, n);
  if (r == 0 && n > 0) look(t, p);
  return r;
}

void smtp_tls_eof(smtp_tls *t) {
  t->eof = true;
}

smtp_slice smtp_tls_peek(const smtp_tls *t) {
  return smtp_buf_data(&t->out);
}

void smtp_tls_sent(smtp_tls *t, size_t n) {
  smtp_buf_consume(&t->out, n);
}

/* ---- handshake and data ---------------------------------------------- */

static int ended(smtp_tls *t, const char *what, const char *how) {
  t->end = how;
  snprintf(t->error, sizeof t->error, "%s: the peer ended the stream", what);
  ERR_clear_error();
  return t->failed = SMTP_ETLS;
}

/* The stream is unusable from now on: keeps the sentence about its failure. An
** alert or clear text of the peer counts before the end of the stream. */
static int broken(smtp_tls *t, const char *what) {
  if (t->clear)
    snprintf(t->error, sizeof t->error, "%s: the peer does not speak TLS",
             what);
  else if (SSL_get_verify_result(t->ssl) != X509_V_OK &&
           ERR_GET_REASON(ERR_peek_last_error()) ==
               SSL_R_CERTIFICATE_VERIFY_FAILED)
    snprintf(t->error, sizeof t->error, "%s: the certificate: %s", what,
             X509_verify_cert_error_string(SSL_get_verify_result(t->ssl)));
  else if (t->eof && smtp_buf_length(&t->in) == 0)
    return ended(t, what, "the connection ended without close_notify");
  else {
    t->alert = ERR_GET_REASON(ERR_peek_last_error()) >= SSL_AD_REASON_OFFSET;
    smtp_tls_explain(t->error, what);
  }
  ERR_clear_error();
  return t->failed = SMTP_ETLS;
}

/* The result of a call of SSL. */
static int outcome(smtp_tls *t, int r, const char *what) {
  switch (SSL_get_error(t->ssl, r)) {
  case SSL_ERROR_WANT_READ:
  case SSL_ERROR_WANT_WRITE: return SMTP_EBUSY;
  case SSL_ERROR_ZERO_RETURN: return t->failed = SMTP_ECLOSED;
  default: return broken(t, what);
  }
}

int smtp_tls_handshake(smtp_tls *t) {
  int r;
  if (t->failed != 0) return SMTP_ETLS;
  ERR_clear_error();
  if (t->clear) return broken(t, "TLS handshake"); /* it may never say more */
  r = SSL_do_handshake(t->ssl);
  if (r == 1) return SMTP_TLS_DONE;
  if (SSL_get_error(t->ssl, r) == SSL_ERROR_WANT_CLIENT_HELLO_CB)
    return SMTP_TLS_NAME;
  r = outcome(t, r, "TLS handshake");
  if (r == SMTP_ECLOSED)
    r = ended(t, "TLS handshake", "close_notify came within the handshake");
  return r == SMTP_EBUSY ? SMTP_TLS_MORE : r;
}

ssize_t smtp_tls_read(smtp_tls *t, char *p, size_t n) {
  size_t all = 0;
  if (t->failed != 0) return t->failed;
  while (all < n) {
    size_t got = 0;
    int r;
    ERR_clear_error();
    r = SSL_read_ex(t->ssl, p + all, n - all, &got);
    if (r != 1) {
      r = outcome(t, r, "TLS");
      return all > 0 ? (ssize_t)all : r;
    }
    all += got;
  }
  return (ssize_t)all;
}

ssize_t smtp_tls_write(smtp_tls *t, const char *p, size_t n) {
  size_t all = 0;
  if (t->failed == SMTP_ETLS || t->said) return SMTP_ETLS;
  while (all < n && smtp_buf_length(&t->out) < WAITING_MAX) {
    size_t piece = n - all < RECORD ? n - all : RECORD, put = 0;
    int r;
    ERR_clear_error();
    r = SSL_write_ex(t->ssl, p + all, piece, &put);
    if (r != 1) {
      r = outcome(t, r, "TLS");
      return r == SMTP_EBUSY ? (ssize_t)all : SMTP_ETLS;
    }
    all += put;
  }
  return (ssize_t)all;
}

void smtp_tls_shutdown(smtp_tls *t) {
  if (t->maker != getpid()) {
    smtp_buf_consume(&t->out, smtp_buf_length(&t->out));
    return;
  }
  if (t->said || t->failed == SMTP_ETLS || !SSL_is_init_finished(t->ssl))
    return;
  t->said = true;
  ERR_clear_error();
  SSL_shutdown(t->ssl);
  ERR_clear_error();
}

/* ---- what is known --------------------------------------------------- */

const char *smtp_tls_error(const smtp_tls *t) {
  return t->error;
}

const char *smtp_tls_end(const smtp_tls *t) {
  return t->end;
}

bool smtp_tls_is_alert(const smtp_tls *t) {
  return t->alert;
}

bool smtp_tls_is_clear(const smtp_tls *t) {
  return t->clear;
}

SSL *smtp_tls_ssl(const smtp_tls *t) {
  return t->ssl;
}

const char *smtp_tls_distrust(const smtp_tls *t) {
  long result = SSL_get_verify_result(t->ssl);
  return result == X509_V_OK ? NULL : X509_verify_cert_error_string(result);
}

const char *smtp_tls_distrust_word(const smtp_tls *t) {
  switch (SSL_get_verify_result(t->ssl)) {
  case X509_V_OK: return NULL;
  case X509_V_ERR_HOSTNAME_MISMATCH:
  case X509_V_ERR_IP_ADDRESS_MISMATCH: return "name";
  case X509_V_ERR_CERT_NOT_YET_VALID:
  case X509_V_ERR_CERT_HAS_EXPIRED: return "date";
  case X509_V_ERR_DANE_NO_MATCH: return "dane";
  default: return "certificate";
  }
}

size_t smtp_tls_exporter(const smtp_tls *t,
                         unsigned char out[SMTP_TLS_BINDING]) {
  static const char label[] = "EXPORTER-Channel-Binding";
  int r;
  if (SSL_version(t->ssl) != TLS1_3_VERSION) return 0;
  ERR_clear_error();
  r = SSL_export_keying_material(t->ssl, out, 32, label, sizeof label - 1, NULL,
                                 0, 0);
  ERR_clear_error();
  return r == 1 ? 32 : 0;
}

/* The digest of the server's certificate by the hash of its signature, but
** SHA-256 in place of MD5 and SHA-1. */
size_t smtp_tls_endpoint(const smtp_tls *t,
                         unsigned char out[SMTP_TLS_BINDING]) {
  X509 *x = SSL_is_server(t->ssl) ? SSL_get_certificate(t->ssl)
                                  : SSL_get0_peer_certificate(t->ssl);
  int hash = NID_undef;
  unsigned n = 0;
  const EVP_MD *md;
  if (x == NULL || X509_get_signature_info(x, &hash, NULL, NULL, NULL) != 1)
    return 0;
  if (hash == NID_md5 || hash == NID_sha1) hash = NID_sha256;
  md = EVP_get_digestbynid(hash);
  if (md == NULL || EVP_MD_get_size(md) > SMTP_TLS_BINDING ||
      X509_digest(x, md, out, &n) != 1)
    n = 0;
  ERR_clear_error();
  return n;
}

unsigned char *smtp_tls_session(const smtp_tls *t, size_t *n) {
  SSL_SESSION *s = SSL_get1_session(t->ssl);
  unsigned char *out = NULL;
  int length = -1;
  ERR_clear_error();
  if (s != NULL && SSL_SESSION_is_resumable(s))
    length = i2d_SSL_SESSION(s, &out);
  SSL_SESSION_free(s);
  ERR_clear_error();
  *n = length > 0 ? (size_t)length : 0;
  return length > 0 ? out : NULL;
}
