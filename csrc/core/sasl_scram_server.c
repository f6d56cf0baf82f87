/* SPDX-License-Identifier: MIT */
/*
** sasl_scram_server.c: the server of SCRAM (RFC 5802, RFC 9266, RFC 5929).
** An unknown user gets a salt made of our secret and of the name, so that it is
** equal each time, and an exchange of equal length that ends as one with a
** wrong password.
**   client-first = gs2-header [ "m=" ... "," ] "n=" saslname ",r=" nonce
**                  [ "," extensions ]
**   client-final = "c=" base64 ",r=" nonce [ "," extensions ] ",p=" base64
*/
#include <string.h>

#include "base64.h"
#include "sasl_scram.h"

#define SALT_SIZE 16

/* Reads the flag of the client, and checks that it may be (section 6). */
static int check_flag(smtp_sasl *s, const smtp_sasl_gs2 *gs2) {
  bool plus = (s->mechanism & SMTP_SASL_PLUS) != 0;
  const smtp_sasl_binding *b = &s->server.binding;
  if (plus != (gs2->flag == 'p'))
    return smtp_sasl_fail(s, SMTP_EAUTH,
                          plus ? "a -PLUS mechanism, but nothing is bound"
                               : "a binding, but no -PLUS mechanism");
  if (gs2->flag == 'y' && s->server.plus)
    return smtp_sasl_fail(s, SMTP_EAUTH,
                          "the client did not see that -PLUS was offered");
  if (!plus) return 0;
  if (smtp_sasl_same(gs2->binding, SMTP_LIT("tls-exporter")))
    s->scram.binding = b->exporter;
  else if (smtp_sasl_same(gs2->binding, SMTP_LIT("tls-server-end-point")))
    s->scram.binding = b->endpoint;
  if (s->scram.binding.n == 0)
    return smtp_sasl_fail(s, SMTP_EAUTH, "a channel binding that is not there");
  return 0;
}

/* Reads client-first-bare; the names go to s->kept. */
static int parse_first(smtp_sasl *s, smtp_slice rest, smtp_slice authzid) {
  smtp_sasl_credentials *c = &s->credentials;
  smtp_slice user, nonce;
  int result;
  if (smtp_scram_refuse_m(s, rest) < 0) return SMTP_EAUTH;
  if (!smtp_scram_take(&rest, 'n', &user) ||
      !smtp_scram_take(&rest, 'r', &nonce) || !smtp_scram_is_nonce(nonce))
    return smtp_sasl_fail(s, SMTP_ESYNTAX, "not a first message of SCRAM");
  result = smtp_scram_skip(s, &rest, 0);
  if (result < 0) return result;
  result = smtp_sasl_room(&s->kept, user.n + authzid.n);
  if (result == 0) result = smtp_sasl_unescape(&s->kept, user, &c->user);
  if (result == 0 && authzid.n > 0)
    result = smtp_sasl_unescape(&s->kept, authzid, &c->authzid);
  if (result == SMTP_ESYNTAX) s->reason = "not a name of SCRAM";
  return result;
}

static int take_first(smtp_sasl *s, smtp_slice in) {
  smtp_sasl_gs2 gs2;
  int result;
  if (!smtp_scram_is_text(in) || smtp_sasl_gs2_parse(&gs2, in) != 0)
    return smtp_sasl_fail(s, SMTP_ESYNTAX, "not a first message of SCRAM");
  result = check_flag(s, &gs2);
  if (result < 0) return result;
  s->scram.header = gs2.n;
  result =
      parse_first(s, (smtp_slice){in.p + gs2.n, in.n - gs2.n}, gs2.authzid);
  if (result == 0) result = smtp_sasl_join(&s->client_first, &in, 1);
  return result < 0 ? result : SMTP_SASL_LOOKUP;
}

/* server-first = "r=" nonce ",s=" base64 ",i=" number */
static int challenge(smtp_sasl *s, smtp_slice salt, unsigned iterations) {
  smtp_slice nonce = smtp_scram_client_nonce(s), first;
  smtp_buf *b = &s->server_first;
  int result;
  if (s->server.nonce.n > 0 && !smtp_scram_is_nonce(s->server.nonce))
    return smtp_sasl_fail(s, SMTP_EINVALID, "not a nonce");
  result =
      smtp_sasl_room(b, nonce.n + s->server.nonce.n + SMTP_SCRAM_RANDOM * 2 +
                            smtp_sasl_base64_size(salt.n) + 32);
  if (result == 0) result = smtp_buf_append(b, "r=", 2);
  if (result == 0) result = smtp_buf_append_slice(b, nonce);
  if (result == 0) result = smtp_scram_append_nonce(s, b, s->server.nonce);
  if (result == 0) result = smtp_buf_append(b, ",s=", 3);
  if (result == 0) result = smtp_base64_format(b, salt);
  if (result == 0) result = smtp_buf_append(b, ",i=", 3);
  if (result == 0) result = smtp_buf_append_number(b, iterations);
  first = smtp_buf_data(b);
  if (result == 0) result = smtp_sasl_join(&s->out, &first, 1);
  return result < 0 ? result : SMTP_SASL_CONTINUE;
}

/* Stored keys must be of this mechanism: others are our caller's mistake, not
** the user's. */
static bool fits(const smtp_sasl *s, const smtp_sasl_keys *keys) {
  size_t n = smtp_scram_size(s->digest);
  return keys->stored_key.n == n && keys->server_key.n == n &&
         keys->salt.n > 0 && keys->salt.n <= SMTP_SASL_MAX / 2 &&
         keys->iterations > 0;
}

/* The keys of a password; for nobody those of made_up, which is of no use to
** a client since nobody's proof fails. */
static int derive(smtp_sasl *s, const smtp_sasl_keys *keys, smtp_slice salt,
                  smtp_slice made_up) {
  bool known = keys->kind == SMTP_SASL_PASSWORD;
  return smtp_scram_keys(s->crypto, s->digest, known ? keys->password : made_up,
                         salt, s->server.iterations, s->scram.stored_key,
                         s->scram.server_key);
}

static int server_lookup(smtp_sasl *s, const smtp_sasl_keys *keys) {
  unsigned char made_up[SMTP_DIGEST_MAX];
  smtp_slice all = {(const char *)made_up, sizeof(made_up)};
  smtp_slice salt = {(const char *)made_up, SALT_SIZE};
  size_t n = smtp_scram_size(s->digest);
  unsigned iterations = s->server.iterations;
  int result = 0;

  s->step = 1;
  s->scram.nobody =
      keys->kind == SMTP_SASL_NOBODY || keys->kind == SMTP_SASL_NOBODY_STORED;
  if (keys->kind == SMTP_SASL_STORED && !fits(s, keys))
    return smtp_sasl_fail(s, SMTP_EINVALID, "not keys of this mechanism");
  if (s->crypto->hmac(SMTP_DIGEST_SHA256, s->server.secret, s->credentials.user,
                      made_up) != 0)
    return SMTP_ECRYPTO;
  if (keys->kind == SMTP_SASL_STORED) {
    memcpy(s->scram.stored_key, keys->stored_key.p, n);
    memcpy(s->scram.server_key, keys->server_key.p, n);
    salt = keys->salt;
    iterations = keys->iterations;
  } else if (keys->kind == SMTP_SASL_NOBODY_STORED) {
    memcpy(s->scram.stored_key, made_up, n);
    memcpy(s->scram.server_key, made_up, n);
  } else {
    result = derive(s, keys, salt, all);
  }
  if (result == 0) result = challenge(s, salt, iterations);
  smtp_mem_wipe(made_up, sizeof(made_up));
  return result;
}

/* ---- client-final ---- */

/* c= must say what client-first said, and the data of our own channel. */
static int check_binding(smtp_sasl *s, smtp_slice value) {
  smtp_buf b;
  bool same = false;
  int result;
  smtp_buf_init(&b, s->mem, 0);
  result = smtp_sasl_room(&b, smtp_scram_binding_size(s));
  if (result == 0) result = smtp_scram_append_binding(s, &b);
  if (result == 0)
    same = smtp_buf_length(&b) == value.n &&
           s->crypto->equal(smtp_buf_data(&b).p, value.p, value.n);
  smtp_sasl_wipe(&b);
  if (result < 0) return result;
  if (!same)
    return smtp_sasl_fail(s, SMTP_EAUTH, "the channel bindings differ");
  return 0;
}

/* The nonce as server-first said it. */
static smtp_slice whole_nonce(const smtp_sasl *s) {
  smtp_slice rest = smtp_buf_data(&s->server_first);
  smtp_slice nonce = {"", 0};
  smtp_scram_take(&rest, 'r', &nonce);
  return nonce;
}

/* Reads client-final; what comes before ",p=" goes into AuthMessage. */
static int parse_final(smtp_sasl *s, smtp_slice in, unsigned char *proof) {
  smtp_slice rest = in, unproved = in, binding, nonce, value;
  int result;
  if (!smtp_scram_is_text(in) || !smtp_scram_take(&rest, 'c', &binding) ||
      !smtp_scram_take(&rest, 'r', &nonce))
    return smtp_sasl_fail(s, SMTP_ESYNTAX, "not a last message of SCRAM");
  result = smtp_scram_skip(s, &rest, 'p');
  if (result < 0) return result;
  unproved.n -= rest.n + 1;
  if (!smtp_scram_take(&rest, 'p', &value) || rest.n > 0)
    return smtp_sasl_fail(s, SMTP_ESYNTAX, "not a last message of SCRAM");
  result = smtp_scram_parse_digest(s, value, proof);
  if (result == SMTP_ESYNTAX)
    return smtp_sasl_fail(s, result, "not a proof of SCRAM");
  if (result == 0) result = check_binding(s, binding);
  if (result < 0) return result;
  if (!smtp_sasl_same(nonce, whole_nonce(s)))
    return smtp_sasl_fail(s, SMTP_EAUTH, "the nonce is not the one we gave");
  return smtp_scram_join_auth(s, smtp_buf_data(&s->server_first), unproved);
}

/* Whether proof is that of the StoredKey; and our signature, always. */
static int verify(smtp_sasl *s, unsigned char *proof, bool *right) {
  unsigned char signature[SMTP_DIGEST_MAX], stored_key[SMTP_DIGEST_MAX];
  size_t i, n = smtp_scram_size(s->digest);
  smtp_slice client_key = {(const char *)proof, n};
  int result = smtp_scram_sign(s, s->scram.stored_key, signature);
  for (i = 0; i < n && result == 0; i++) proof[i] ^= signature[i];
  if (result == 0 && s->crypto->digest(s->digest, client_key, stored_key) != 0)
    result = SMTP_ECRYPTO;
  if (result == 0)
    result = smtp_scram_sign(s, s->scram.server_key, s->scram.signature);
  *right = result == 0 &&
           s->crypto->equal(stored_key, s->scram.stored_key, n) &&
           !s->scram.nobody;
  smtp_mem_wipe(signature, sizeof(signature));
  smtp_mem_wipe(stored_key, sizeof(stored_key));
  return result;
}

/* server-final = "v=" base64 */
static int take_final(smtp_sasl *s, smtp_slice in) {
  unsigned char proof[SMTP_DIGEST_MAX];
  smtp_slice signature = {(const char *)s->scram.signature,
                          smtp_scram_size(s->digest)};
  bool right = false;
  int result;
  result = parse_final(s, in, proof);
  if (result == 0) result = verify(s, proof, &right);
  smtp_mem_wipe(proof, sizeof(proof));
  if (result < 0) return result;
  if (!right)
    return smtp_sasl_fail(s, SMTP_EAUTH, "the user or the password is wrong");
  s->step = 2;
  result = smtp_sasl_room(&s->out, smtp_sasl_base64_size(signature.n) + 2);
  if (result == 0) result = smtp_buf_append(&s->out, "v=", 2);
  if (result == 0) result = smtp_base64_format(&s->out, signature);
  return result < 0 ? result : SMTP_SASL_CONTINUE;
}

static int server_next(smtp_sasl *s, smtp_slice in) {
  switch (s->step) {
  case 0: return take_first(s, in);
  case 1: return take_final(s, in);
  default:
    if (in.n > 0)
      return smtp_sasl_fail(s, SMTP_ESYNTAX, "a message after the last");
    s->credentials.verified = true;
    return SMTP_SASL_DONE;
  }
}

const smtp_sasl_side smtp_sasl_scram_server = {NULL, server_next, server_lookup,
                                               NULL};
