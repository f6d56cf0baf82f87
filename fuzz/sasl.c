/* SPDX-License-Identifier: MIT */
/*
** fuzz/sasl.c: any bytes as the messages of a peer. The first byte chooses the
** mechanism, the side, the keys that a look-up finds and whether comparisons
** say yes; what follows is parted by 0xff: a client takes its user and its
** password first, and each further piece is a message.
**
** Nobody is verified who is not there or whose comparison failed, a client
** believes no server whose signature was not compared, a failure stays, and
** what is written has an end.
*/
#include <stdlib.h>
#include <string.h>

#include "../csrc/core/sasl.h"

#define CHECK(condition) ((condition) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool agrees; /* what comparisons say */
static bool compared;

/* ---- what stands for cryptography ---- */

static int fake_hmac(smtp_digest digest, smtp_slice key, smtp_slice in,
                     unsigned char *out) {
  size_t i, n = digest == SMTP_DIGEST_MD5    ? 16
                : digest == SMTP_DIGEST_SHA1 ? 20
                                             : 32;
  unsigned sum = 1;
  for (i = 0; i < key.n; i++) sum = sum * 31 + (unsigned char)key.p[i];
  for (i = 0; i < in.n; i++) sum = sum * 31 + (unsigned char)in.p[i];
  for (i = 0; i < n; i++) out[i] = (unsigned char)(sum >> (i % 24));
  return 0;
}

static int fake_digest(smtp_digest digest, smtp_slice in, unsigned char *out) {
  return fake_hmac(digest, SMTP_LIT(""), in, out);
}

static int fake_pbkdf2(smtp_digest digest, smtp_slice password, smtp_slice salt,
                       unsigned iterations, unsigned char *out) {
  CHECK(iterations >= SMTP_SCRAM_ITERATIONS_MIN);
  CHECK(iterations <= SMTP_SCRAM_ITERATIONS_MAX);
  return fake_hmac(digest, password, salt, out);
}

static int fake_random(unsigned char *out, size_t n) {
  memset(out, 7, n);
  return 0;
}

static bool fake_equal(const void *a, const void *b, size_t n) {
  const unsigned char *x = a, *y = b;
  unsigned all = 0;
  while (n-- > 0) all |= (unsigned)*x++ ^ *y++; /* reads all, as the true one */
  compared = true;
  return agrees || all > 255;
}

static const smtp_crypto crypto = {fake_digest, fake_hmac, fake_pbkdf2,
                                   fake_random, fake_equal};

/* ---- exchanges ---- */

/* The next piece, in memory that ends with it, and that the caller frees. */
static char *take(smtp_slice *rest, smtp_slice *piece) {
  const char *end = rest->n > 0 ? memchr(rest->p, 0xff, rest->n) : NULL;
  size_t n = end != NULL ? (size_t)(end - rest->p) : rest->n;
  char *copy = malloc(n + (n == 0));
  CHECK(copy != NULL);
  if (n > 0) memcpy(copy, rest->p, n);
  *piece = (smtp_slice){copy, n};
  if (rest->n > 0) {
    rest->p += n + (end != NULL);
    rest->n -= n + (end != NULL);
  }
  return copy;
}

/* The facts that hold after each call, whatever it gave. */
static void check(smtp_sasl *s, unsigned mechanism, int result) {
  const smtp_sasl_credentials *c = smtp_sasl_credentials_of(s);
  CHECK(smtp_sasl_output(s).n <= 2 * SMTP_SASL_MAX);
  CHECK(smtp_sasl_problem(s).n <= SMTP_SASL_MAX);
  CHECK(c->user.n <= SMTP_SASL_MAX && c->password.n <= SMTP_SASL_MAX);
  CHECK(c->authzid.n <= SMTP_SASL_MAX && c->token.n <= SMTP_SASL_MAX);
  CHECK(!c->verified || result == SMTP_SASL_DONE);
  CHECK(!c->verified || mechanism == SMTP_SASL_EXTERNAL ||
        (agrees && compared && (mechanism & SMTP_SASL_LOOKUPS) != 0));
  if (result >= 0) return;
  CHECK(result == SMTP_ESYNTAX || result == SMTP_EAUTH ||
        result == SMTP_EINVALID);
  CHECK(smtp_sasl_reason(s)[0] != 0);
  CHECK(smtp_sasl_output(s).n == 0);
  CHECK(smtp_sasl_next(s, SMTP_LIT("")) == result);
}

static void run_client(unsigned mechanism, smtp_slice rest) {
  smtp_sasl_client config;
  smtp_slice piece;
  smtp_sasl *s;
  char *user, *password, *message;
  int result;

  memset(&config, 0, sizeof(config));
  user = take(&rest, &config.user);
  password = take(&rest, &config.password);
  config.authzid = config.user;
  config.binding.exporter = SMTP_LIT("channel");
  s = smtp_sasl_client_new(smtp_mem_libc(), &crypto, mechanism, &config);
  free(user);
  free(password);
  CHECK(s != NULL);
  result = smtp_sasl_first(s);
  check(s, mechanism, result);
  CHECK(smtp_sasl_output(s).n <= SMTP_SASL_MAX);
  while (result >= 0 && rest.n > 0) {
    message = take(&rest, &piece);
    result = smtp_sasl_next(s, piece);
    check(s, mechanism, result);
    CHECK(result <= SMTP_SASL_CONTINUE);
    if ((mechanism & SMTP_SASL_SCRAM) != 0 && smtp_sasl_complete(s))
      CHECK(agrees && compared);
    free(message);
  }
  CHECK(result >= 0 || !smtp_sasl_complete(s));
  smtp_sasl_free(s);
}

static int answer(smtp_sasl *s, unsigned choice) {
  smtp_sasl_keys keys;
  memset(&keys, 0, sizeof(keys));
  keys.kind = choice & 1   ? SMTP_SASL_PASSWORD
              : choice & 2 ? SMTP_SASL_NOBODY_STORED
                           : SMTP_SASL_NOBODY;
  keys.password = SMTP_LIT("pencil");
  return smtp_sasl_lookup(s, &keys);
}

static void run_server(unsigned mechanism, unsigned choice, smtp_slice rest) {
  smtp_sasl_server config;
  smtp_slice piece;
  smtp_sasl *s;
  char *message;
  int result = 0;

  memset(&config, 0, sizeof(config));
  config.hostname = SMTP_LIT("mx");
  config.binding.exporter = SMTP_LIT("channel");
  config.secret = SMTP_LIT("secret");
  config.certificate = SMTP_LIT("user");
  s = smtp_sasl_server_new(smtp_mem_libc(), &crypto, mechanism, &config);
  CHECK(s != NULL);
  if (choice & 2) result = smtp_sasl_first(s);
  check(s, mechanism, result);
  while (result >= 0 && rest.n > 0) {
    message = take(&rest, &piece);
    result = smtp_sasl_next(s, piece);
    check(s, mechanism, result);
    free(message);
    if (result == SMTP_SASL_LOOKUP) {
      result = answer(s, choice);
      check(s, mechanism, result);
    }
    if (result != SMTP_SASL_DONE) continue;
    CHECK((choice & 1) != 0 || mechanism == SMTP_SASL_EXTERNAL ||
          !smtp_sasl_credentials_of(s)->verified);
    if (smtp_sasl_refuse(s) == SMTP_SASL_DONE) break;
    CHECK(smtp_sasl_output(s).n > 0);
    CHECK(smtp_sasl_next(s, SMTP_LIT("")) == SMTP_EAUTH);
    break;
  }
  smtp_sasl_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  smtp_slice rest;
  unsigned mechanism;
  if (size == 0 || (data[0] & 15) > 9) return 0;
  mechanism = 1U << (data[0] & 15);
  CHECK(smtp_sasl_mechanism(smtp_sasl_name(mechanism)) == mechanism);
  agrees = (data[0] & 32) != 0;
  compared = false;
  rest = (smtp_slice){(const char *)data + 1, size - 1};
  if (data[0] & 16)
    run_server(mechanism, data[0] >> 6, rest);
  else
    run_client(mechanism, rest);
  return 0;
}
