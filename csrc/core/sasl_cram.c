/* SPDX-License-Identifier: MIT */
/*
** sasl_cram.c: CRAM-MD5 (RFC 2195). The server says a msg-id that nobody can
** foresee, the client gives "user SP digest", the digest being the HMAC-MD5 of
** the msg-id under the password in 32 lower case hexadecimal digits. So the
** server needs the password itself: other keys are as none.
*/
#include "sasl_mechanism.h"

#define MD5_SIZE 16
#define HEX_SIZE (2 * MD5_SIZE)
#define NUMBER_MAX 20 /* digits of a number of 64 bits */

/* The digest of challenge, as hexadecimal digits: 0, SMTP_ECRYPTO. */
static int respond(const smtp_sasl *s, smtp_slice password,
                   smtp_slice challenge, char hex[HEX_SIZE]) {
  static const char digits[] = "0123456789abcdef";
  unsigned char mac[SMTP_DIGEST_MAX];
  size_t i;
  if (s->crypto->hmac(SMTP_DIGEST_MD5, password, challenge, mac) != 0)
    return SMTP_ECRYPTO;
  for (i = 0; i < MD5_SIZE; i++) {
    hex[2 * i] = digits[mac[i] >> 4];
    hex[2 * i + 1] = digits[mac[i] & 15];
  }
  smtp_mem_wipe(mac, sizeof(mac));
  return 0;
}

static int client_first(smtp_sasl *s) {
  if (s->client.user.n == 0)
    return smtp_sasl_fail(s, SMTP_EINVALID, "a user is missing");
  if (smtp_sasl_has_control(s->client.user) ||
      smtp_sasl_has_nul(s->client.password))
    return smtp_sasl_fail(s, SMTP_EINVALID, "CRAM-MD5 carries no controls");
  return 0;
}

/* An empty challenge would make the answer the same each time. */
static int client_next(smtp_sasl *s, smtp_slice in) {
  char hex[HEX_SIZE];
  const smtp_slice parts[] = {s->client.user, SMTP_LIT(" "), {hex, HEX_SIZE}};
  int result;
  if (s->step++ > 0 || in.n == 0)
    return smtp_sasl_fail(s, SMTP_ESYNTAX, "not a challenge of CRAM-MD5");
  result = respond(s, s->client.password, in, hex);
  if (result == 0) result = smtp_sasl_join(&s->out, parts, 3);
  smtp_mem_wipe(hex, sizeof(hex));
  return result;
}

/* The left side of the msg-id, two numbers with a dot, into b. */
static int append_unique(smtp_sasl *s, smtp_buf *b) {
  uint64_t numbers[2];
  int result;
  if (s->server.nonce.n > 0) return smtp_buf_append_slice(b, s->server.nonce);
  if (s->crypto->random((unsigned char *)numbers, sizeof(numbers)) != 0)
    return SMTP_ECRYPTO;
  result = smtp_buf_append_number(b, numbers[0]);
  if (result == 0) result = smtp_buf_append(b, ".", 1);
  if (result == 0) result = smtp_buf_append_number(b, numbers[1]);
  return result;
}

static int server_first(smtp_sasl *s) {
  smtp_slice host = s->server.hostname;
  smtp_slice nonce = s->server.nonce;
  smtp_buf *b = &s->server_first; /* the output goes, this stays */
  smtp_slice challenge;
  int result;
  if (host.n == 0) host = SMTP_LIT("localhost");
  if (host.n > SMTP_SASL_MAX || nonce.n > SMTP_SASL_MAX)
    return smtp_sasl_fail(s, SMTP_EINVALID, "the hostname is too long");
  result = smtp_sasl_room(b, 2 * NUMBER_MAX + 4 + nonce.n + host.n);
  if (result == 0) result = smtp_buf_append(b, "<", 1);
  if (result == 0) result = append_unique(s, b);
  if (result == 0) result = smtp_buf_append(b, "@", 1);
  if (result == 0) result = smtp_buf_append_slice(b, host);
  if (result == 0) result = smtp_buf_append(b, ">", 1);
  challenge = smtp_buf_data(b);
  if (result == 0) result = smtp_sasl_join(&s->out, &challenge, 1);
  if (result < 0) return result;
  s->step = 1;
  return 1;
}

static bool is_hex(smtp_slice text) {
  size_t i;
  for (i = 0; i < text.n; i++) {
    char c = text.p[i];
    if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f')) return false;
  }
  return true;
}

static int server_next(smtp_sasl *s, smtp_slice in) {
  size_t user;
  int result;
  if (s->step != 1)
    return smtp_sasl_fail(s, SMTP_ESYNTAX, "CRAM-MD5 begins with a challenge");
  s->step = 2;
  if (in.n < HEX_SIZE + 2)
    return smtp_sasl_fail(s, SMTP_ESYNTAX, "not a user and a digest");
  result = smtp_sasl_join(&s->kept, &in, 1);
  if (result < 0) return result;
  in = smtp_buf_data(&s->kept);
  user = in.n - HEX_SIZE - 1;
  s->credentials.user = (smtp_slice){in.p, user};
  s->response = (smtp_slice){in.p + user + 1, HEX_SIZE};
  if (in.p[user] != ' ' || !is_hex(s->response))
    return smtp_sasl_fail(s, SMTP_ESYNTAX, "not a user and a digest");
  return SMTP_SASL_LOOKUP;
}

/* A digest is made and compared for unknown users too. */
static int server_lookup(smtp_sasl *s, const smtp_sasl_keys *keys) {
  bool known = keys->kind == SMTP_SASL_PASSWORD;
  smtp_slice password = known ? keys->password : SMTP_LIT("0123456789abcdef");
  char hex[HEX_SIZE];
  bool equal;
  if (respond(s, password, smtp_buf_data(&s->server_first), hex) != 0)
    return SMTP_ECRYPTO;
  equal = s->crypto->equal(hex, s->response.p, HEX_SIZE);
  smtp_mem_wipe(hex, sizeof(hex));
  if (!equal || !known)
    return smtp_sasl_fail(s, SMTP_EAUTH, "the user or the password is wrong");
  s->credentials.verified = true;
  return SMTP_SASL_DONE;
}

const smtp_sasl_side smtp_sasl_cram_client = {client_first, client_next, NULL,
                                              NULL};
const smtp_sasl_side smtp_sasl_cram_server = {server_first, server_next,
                                              server_lookup, NULL};
