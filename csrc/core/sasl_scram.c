/* SPDX-License-Identifier: MIT */
/*
** sasl_scram.c: SCRAM (RFC 5802, RFC 7677), what both sides share.
** AuthMessage is put together from the very bytes that went and came, so that nothing that was read leniently could be signed strictly.
*/
#include "sasl_scram.h"

#include <string.h>

#include "ascii.h"
#include "base64.h"

/* ---- mathematics ---- */

size_t smtp_scram_size(smtp_digest digest) {
  return digest == SMTP_DIGEST_SHA1 ? 20 : 32;
}

int smtp_scram_derive(const smtp_crypto *crypto, smtp_digest digest,
                      smtp_slice password, smtp_slice salt, unsigned iterations,
                      smtp_scram_secrets *secrets) {
  unsigned char salted[SMTP_DIGEST_MAX];
  smtp_slice key = {(const char *)salted, smtp_scram_size(digest)};
  smtp_slice client_key = {(const char *)secrets->client_key, key.n};
  bool ok = crypto->pbkdf2(digest, password, salt, iterations, salted) == 0 &&
            crypto->hmac(digest, key, SMTP_LIT("Client Key"),
                         secrets->client_key) == 0 &&
            crypto->digest(digest, client_key, secrets->stored_key) == 0 &&
            crypto->hmac(digest, key, SMTP_LIT("Server Key"),
                         secrets->server_key) == 0;
  smtp_mem_wipe(salted, sizeof(salted));
  return ok ? 0 : SMTP_ECRYPTO;
}

int smtp_scram_keys(const smtp_crypto *crypto, smtp_digest digest,
                    smtp_slice password, smtp_slice salt, unsigned iterations,
                    unsigned char *stored_key, unsigned char *server_key) {
  smtp_scram_secrets secrets;
  size_t n = smtp_scram_size(digest);
  int result =
      smtp_scram_derive(crypto, digest, password, salt, iterations, &secrets);
  if (result == 0) {
    memcpy(stored_key, secrets.stored_key, n);
    memcpy(server_key, secrets.server_key, n);
  }
  smtp_mem_wipe(&secrets, sizeof(secrets));
  return result;
}

int smtp_scram_sign(const smtp_sasl *s, const unsigned char *key,
                    unsigned char *signature) {
  smtp_slice k = {(const char *)key, smtp_scram_size(s->digest)};
  return s->crypto->hmac(s->digest, k, smtp_buf_data(&s->auth), signature) == 0
             ? 0
             : SMTP_ECRYPTO;
}

/* ---- grammar ---- */

bool smtp_scram_is_text(smtp_slice in) {
  return in.n > 0 && smtp_utf8_valid(in) && !smtp_sasl_has_nul(in);
}

bool smtp_scram_take(smtp_slice *rest, char name, smtp_slice *value) {
  const char *comma;
  size_t n;
  if (rest->n < 2 || rest->p[0] != name || rest->p[1] != '=') return false;
  comma = memchr(rest->p, ',', rest->n);
  n = comma != NULL ? (size_t)(comma - rest->p) : rest->n;
  if (n + 1 == rest->n) return false;
  *value = (smtp_slice){rest->p + 2, n - 2};
  rest->p += n + (comma != NULL);
  rest->n -= n + (comma != NULL);
  return true;
}

int smtp_scram_refuse_m(smtp_sasl *s, smtp_slice rest) {
  if (rest.n < 2 || rest.p[0] != 'm' || rest.p[1] != '=') return 0;
  return smtp_sasl_fail(s, SMTP_EAUTH, "an extension that SCRAM has not");
}

int smtp_scram_skip(smtp_sasl *s, smtp_slice *rest, char stop) {
  smtp_slice value;
  while (rest->n > 0 && rest->p[0] != stop) {
    if (smtp_scram_refuse_m(s, *rest) < 0) return SMTP_EAUTH;
    if (!smtp_ascii_is((unsigned char)rest->p[0], SMTP_ALPHA) ||
        !smtp_scram_take(rest, rest->p[0], &value))
      return smtp_sasl_fail(s, SMTP_ESYNTAX, "not a list of attributes");
  }
  return 0;
}

bool smtp_scram_is_nonce(smtp_slice nonce) {
  size_t i;
  for (i = 0; i < nonce.n; i++)
    if (nonce.p[i] <= ' ' || nonce.p[i] > '~' || nonce.p[i] == ',')
      return false;
  return nonce.n > 0 && nonce.n <= SMTP_SCRAM_NONCE_MAX;
}

int smtp_scram_append_nonce(smtp_sasl *s, smtp_buf *b, smtp_slice given) {
  unsigned char random[SMTP_SCRAM_RANDOM];
  if (given.n > 0) return smtp_buf_append_slice(b, given);
  if (s->crypto->random(random, sizeof(random)) != 0) return SMTP_ECRYPTO;
  return smtp_base64_format(b,
                            (smtp_slice){(const char *)random, sizeof(random)});
}

size_t smtp_scram_binding_size(const smtp_sasl *s) {
  return smtp_sasl_base64_size(s->scram.header + s->scram.binding.n);
}

int smtp_scram_append_binding(smtp_sasl *s, smtp_buf *b) {
  smtp_slice header = smtp_buf_data(&s->client_first);
  smtp_buf whole;
  int result;
  header.n = s->scram.header;
  smtp_buf_init(&whole, s->mem, 0);
  {
    const smtp_slice parts[] = {header, s->scram.binding};
    result = smtp_sasl_join(&whole, parts, 2);
  }
  if (result == 0) result = smtp_base64_format(b, smtp_buf_data(&whole));
  smtp_sasl_wipe(&whole);
  return result;
}

int smtp_scram_parse_digest(const smtp_sasl *s, smtp_slice text,
                            unsigned char *out) {
  size_t n = smtp_scram_size(s->digest);
  smtp_buf b;
  int result;
  if (text.n != smtp_sasl_base64_size(n)) return SMTP_ESYNTAX;
  smtp_buf_init(&b, s->mem, 0);
  result = smtp_sasl_room(&b, n);
  if (result == 0) result = smtp_base64_parse(&b, text);
  /* More bytes than a digest has are beyond the room. */
  if (result == SMTP_ETOOBIG || (result == 0 && smtp_buf_length(&b) != n))
    result = SMTP_ESYNTAX;
  if (result == 0) memcpy(out, smtp_buf_data(&b).p, n);
  smtp_sasl_wipe(&b);
  return result;
}

/* client-first-message-bare. */
static smtp_slice bare(const smtp_sasl *s) {
  smtp_slice first = smtp_buf_data(&s->client_first);
  return (smtp_slice){first.p + s->scram.header, first.n - s->scram.header};
}

smtp_slice smtp_scram_client_nonce(const smtp_sasl *s) {
  smtp_slice rest = bare(s), name, nonce = {"", 0};
  if (smtp_scram_take(&rest, 'n', &name)) smtp_scram_take(&rest, 'r', &nonce);
  return nonce;
}

int smtp_scram_join_auth(smtp_sasl *s, smtp_slice server_first,
                         smtp_slice client_final) {
  const smtp_slice parts[] = {bare(s), SMTP_LIT(","), server_first,
                              SMTP_LIT(","), client_final};
  return smtp_sasl_join(&s->auth, parts, sizeof(parts) / sizeof(parts[0]));
}
