/* SPDX-License-Identifier: MIT */
/*
** sasl_scram_client.c: the client of SCRAM (RFC 5802; channel bindings of RFC
** 9266 and RFC 5929). A server must have extended our nonce, ask for a count of
** iterations that is neither weak nor a way to keep us busy, and know the
** verifier: until its signature was right, the exchange is not complete.
**   server-first = [ "m=" ... "," ] "r=" nonce ",s=" base64 ",i=" number
**                  [ "," extensions ]
**   server-final = ( "e=" error / "v=" base64 ) [ "," extensions ]
*/
#include <string.h>

#include "ascii.h"
#include "base64.h"
#include "sasl_scram.h"

/* The gs2-cb-flag; what is bound goes to s->scram.binding. */
static int choose_binding(smtp_sasl *s, smtp_slice *flag) {
  const smtp_sasl_binding *b = &s->client.binding;
  if ((s->mechanism & SMTP_SASL_PLUS) == 0) {
    *flag = s->client.unbound ? SMTP_LIT("y") : SMTP_LIT("n");
  } else if (b->exporter.n > 0) {
    *flag = SMTP_LIT("p=tls-exporter");
    s->scram.binding = b->exporter;
  } else if (b->endpoint.n > 0) {
    *flag = SMTP_LIT("p=tls-server-end-point");
    s->scram.binding = b->endpoint;
  } else {
    return smtp_sasl_fail(s, SMTP_EINVALID, "there is no channel to bind to");
  }
  return 0;
}

/* Puts client-first into its buffer: gs2-header "n=" user ",r=" nonce. */
static int format_first(smtp_sasl *s, smtp_slice flag) {
  const smtp_sasl_client *c = &s->client;
  smtp_buf *b = &s->client_first;
  smtp_slice escaped;
  int result = smtp_sasl_room(b, flag.n + 3 * c->authzid.n + 3 * c->user.n +
                                     c->nonce.n + SMTP_SCRAM_RANDOM * 2 + 16);
  if (result == 0) result = smtp_buf_append_slice(b, flag);
  if (result == 0) result = smtp_buf_append(b, ",", 1);
  if (c->authzid.n > 0) {
    if (result == 0) result = smtp_buf_append(b, "a=", 2);
    if (result == 0) result = smtp_sasl_escape(b, c->authzid, &escaped);
  }
  if (result == 0) result = smtp_buf_append(b, ",", 1);
  s->scram.header = smtp_buf_length(b);
  if (result == 0) result = smtp_buf_append(b, "n=", 2);
  if (result == 0) result = smtp_sasl_escape(b, c->user, &escaped);
  if (result == 0) result = smtp_buf_append(b, ",r=", 3);
  if (result == 0) result = smtp_scram_append_nonce(s, b, c->nonce);
  return result;
}

static int client_first(smtp_sasl *s) {
  const smtp_sasl_client *c = &s->client;
  smtp_slice flag, message;
  int result;
  if (c->user.n == 0)
    return smtp_sasl_fail(s, SMTP_EINVALID, "a user is missing");
  if (!smtp_scram_is_text(c->user) || smtp_sasl_has_nul(c->password) ||
      (c->authzid.n > 0 && !smtp_scram_is_text(c->authzid)))
    return smtp_sasl_fail(s, SMTP_EINVALID, "SCRAM takes UTF-8 without NUL");
  if (c->nonce.n > 0 && !smtp_scram_is_nonce(c->nonce))
    return smtp_sasl_fail(s, SMTP_EINVALID, "not a nonce");
  result = choose_binding(s, &flag);
  if (result == 0) result = format_first(s, flag);
  if (result < 0) return result;
  message = smtp_buf_data(&s->client_first);
  result = smtp_sasl_join(&s->out, &message, 1);
  return result < 0 ? result : 1;
}

/* posit-number = %x31-39 *DIGIT */
static int parse_iterations(smtp_sasl *s, smtp_slice text, unsigned *count) {
  uint64_t value = 0;
  int result = smtp_ascii_number(text, &value);
  if (result == SMTP_ESYNTAX || text.p[0] == '0')
    return smtp_sasl_fail(s, SMTP_ESYNTAX, "not a count of iterations");
  if (result < 0 || value > SMTP_SCRAM_ITERATIONS_MAX)
    return smtp_sasl_fail(s, SMTP_EAUTH, "too many iterations");
  if (value < SMTP_SCRAM_ITERATIONS_MIN)
    return smtp_sasl_fail(s, SMTP_EAUTH, "too few iterations");
  *count = (unsigned)value;
  return 0;
}

/* Reads server-first; salt is decoded into s->kept. */
static int parse_first(smtp_sasl *s, smtp_slice in, smtp_slice *nonce,
                       unsigned *iterations) {
  smtp_slice rest = in, own = smtp_scram_client_nonce(s), salt, count;
  int result;
  if (!smtp_scram_is_text(in))
    return smtp_sasl_fail(s, SMTP_ESYNTAX, "not a message of SCRAM");
  if (smtp_scram_refuse_m(s, rest) < 0) return SMTP_EAUTH;
  if (!smtp_scram_take(&rest, 'r', nonce) ||
      !smtp_scram_take(&rest, 's', &salt) ||
      !smtp_scram_take(&rest, 'i', &count) || !smtp_scram_is_nonce(*nonce))
    return smtp_sasl_fail(s, SMTP_ESYNTAX, "not a challenge of SCRAM");
  result = smtp_scram_skip(s, &rest, 0);
  if (result == 0) result = parse_iterations(s, count, iterations);
  if (result < 0) return result;
  if (nonce->n <= own.n || memcmp(nonce->p, own.p, own.n) != 0)
    return smtp_sasl_fail(s, SMTP_EAUTH, "the nonce is not ours, extended");
  result = smtp_sasl_room(&s->kept, salt.n);
  if (result == 0) result = smtp_base64_parse(&s->kept, salt);
  if (result == SMTP_ESYNTAX || (result == 0 && smtp_buf_length(&s->kept) == 0))
    return smtp_sasl_fail(s, SMTP_ESYNTAX, "not a salt");
  return result;
}

/* Makes the proof, and the signature that v= must be. */
static int prove(smtp_sasl *s, unsigned iterations, unsigned char *proof) {
  size_t i, n = smtp_scram_size(s->digest);
  smtp_scram_secrets secrets;
  int result = smtp_scram_derive(s->crypto, s->digest, s->client.password,
                                 smtp_buf_data(&s->kept), iterations, &secrets);
  if (result == 0) result = smtp_scram_sign(s, secrets.stored_key, proof);
  if (result == 0)
    result = smtp_scram_sign(s, secrets.server_key, s->scram.signature);
  for (i = 0; i < n && result == 0; i++) proof[i] ^= secrets.client_key[i];
  smtp_mem_wipe(&secrets, sizeof(secrets));
  return result;
}

/* client-final = "c=" base64 ",r=" nonce ",p=" base64 */
static int answer(smtp_sasl *s, smtp_slice in) {
  unsigned char proof[SMTP_DIGEST_MAX];
  smtp_slice nonce, p = {(const char *)proof, smtp_scram_size(s->digest)};
  smtp_buf *b = &s->out;
  unsigned iterations = 0;
  int result = parse_first(s, in, &nonce, &iterations);
  if (result < 0) return result;
  result = smtp_sasl_room(b, smtp_scram_binding_size(s) + nonce.n +
                                 smtp_sasl_base64_size(p.n) + 8);
  if (result == 0) result = smtp_buf_append(b, "c=", 2);
  if (result == 0) result = smtp_scram_append_binding(s, b);
  if (result == 0) result = smtp_buf_append(b, ",r=", 3);
  if (result == 0) result = smtp_buf_append_slice(b, nonce);
  if (result == 0) result = smtp_scram_join_auth(s, in, smtp_buf_data(b));
  if (result == 0) result = prove(s, iterations, proof);
  if (result == 0) result = smtp_buf_append(b, ",p=", 3);
  if (result == 0) result = smtp_base64_format(b, p);
  smtp_mem_wipe(proof, sizeof(proof));
  return result;
}

/* server-error-value, of which only these may come (RFC 5802 section 7) */
static int server_error(smtp_sasl *s, smtp_slice error) {
#define ERROR(name) \
  { {name, sizeof(name) - 1}, "the server says " name }
  static const struct {
    smtp_slice name;
    const char *reason;
  } errors[] = {ERROR("invalid-encoding"),
                ERROR("extensions-not-supported"),
                ERROR("invalid-proof"),
                ERROR("channel-bindings-dont-match"),
                ERROR("server-does-support-channel-binding"),
                ERROR("channel-binding-not-supported"),
                ERROR("unsupported-channel-binding-type"),
                ERROR("unknown-user"),
                ERROR("invalid-username-encoding"),
                ERROR("no-resources"),
                ERROR("other-error")};
#undef ERROR
  size_t i;
  for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
    if (smtp_sasl_same(errors[i].name, error))
      return smtp_sasl_fail(s, SMTP_EAUTH, errors[i].reason);
  return smtp_sasl_fail(s, SMTP_EAUTH, "the server says an unknown error");
}

static int check_final(smtp_sasl *s, smtp_slice in) {
  unsigned char signature[SMTP_DIGEST_MAX];
  smtp_slice rest = in, value;
  bool right;
  int result;
  if (!smtp_scram_is_text(in))
    return smtp_sasl_fail(s, SMTP_ESYNTAX, "not a message of SCRAM");
  if (smtp_scram_take(&rest, 'e', &value)) return server_error(s, value);
  if (!smtp_scram_take(&rest, 'v', &value))
    return smtp_sasl_fail(s, SMTP_ESYNTAX, "no signature of the server");
  result = smtp_scram_skip(s, &rest, 0);
  if (result < 0) return result;
  result = smtp_scram_parse_digest(s, value, signature);
  if (result == SMTP_ESYNTAX)
    return smtp_sasl_fail(s, result, "no signature of the server");
  if (result < 0) return result;
  right = s->crypto->equal(signature, s->scram.signature,
                           smtp_scram_size(s->digest));
  smtp_mem_wipe(signature, sizeof(signature));
  if (!right)
    return smtp_sasl_fail(s, SMTP_EAUTH, "the server's signature is wrong");
  s->complete = true;
  return SMTP_SASL_CONTINUE;
}

static int client_next(smtp_sasl *s, smtp_slice in) {
  switch (s->step++) {
  case 0: return answer(s, in);
  case 1: return check_final(s, in);
  default: return smtp_sasl_fail(s, SMTP_ESYNTAX, "a challenge after the last");
  }
}

const smtp_sasl_side smtp_sasl_scram_client = {client_first, client_next, NULL,
                                               NULL};
