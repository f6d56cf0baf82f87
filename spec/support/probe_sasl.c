/* SPDX-License-Identifier: MIT */
/*
** probe_sasl.c: the group of sasl: one side of an exchange, with inputs at a
** guard page and the allocator of probes. Its cryptography is none: sums that
** are the same each time and that a small change changes, which is enough for
** two sides to understand each other.
*/
#include "../../csrc/core/sasl.h"
#include "probe.h"

#include <string.h>

#define CLASS "probe.sasl"

/* ---- what stands for cryptography ---- */

static size_t size_of(smtp_digest digest) {
  return digest == SMTP_DIGEST_MD5 ? 16 : digest == SMTP_DIGEST_SHA1 ? 20 : 32;
}

static void mix(uint32_t *sum, smtp_slice in) {
  size_t i;
  for (i = 0; i < in.n; i++) *sum = (*sum ^ (unsigned char)in.p[i]) * 16777619u;
  *sum = (*sum ^ (uint32_t)in.n) * 16777619u;
}

static void spread(uint32_t sum, unsigned char *out, size_t n) {
  size_t i;
  for (i = 0; i < n; i++) {
    sum = sum * 1664525u + 1013904223u;
    out[i] = (unsigned char)(sum >> 24);
  }
}

static int fake_hmac(smtp_digest digest, smtp_slice key, smtp_slice in,
                     unsigned char *out) {
  uint32_t sum = 2166136261u;
  mix(&sum, key);
  mix(&sum, in);
  spread(sum, out, size_of(digest));
  return 0;
}

static int fake_digest(smtp_digest digest, smtp_slice in, unsigned char *out) {
  return fake_hmac(digest, SMTP_LIT("digest"), in, out);
}

static int fake_pbkdf2(smtp_digest digest, smtp_slice password, smtp_slice salt,
                       unsigned iterations, unsigned char *out) {
  uint32_t sum = iterations;
  mix(&sum, password);
  mix(&sum, salt);
  spread(sum, out, size_of(digest));
  return 0;
}

static int fake_random(unsigned char *out, size_t n) {
  spread(7, out, n);
  return 0;
}

static bool fake_equal(const void *a, const void *b, size_t n) {
  return memcmp(a, b, n) == 0;
}

/* Fails at the left-th call from now, and at all that follow; < 0: none. */
static lua_Integer left = -1;

static int fails(void) {
  if (left > 0) left--;
  return left == 0;
}

static int broken_hmac(smtp_digest digest, smtp_slice key, smtp_slice in,
                       unsigned char *out) {
  return fails() ? SMTP_ECRYPTO : fake_hmac(digest, key, in, out);
}

static int broken_digest(smtp_digest digest, smtp_slice in,
                         unsigned char *out) {
  return fails() ? SMTP_ECRYPTO : fake_digest(digest, in, out);
}

static int broken_pbkdf2(smtp_digest digest, smtp_slice password,
                         smtp_slice salt, unsigned iterations,
                         unsigned char *out) {
  return fails() ? SMTP_ECRYPTO
                 : fake_pbkdf2(digest, password, salt, iterations, out);
}

static int broken_random(unsigned char *out, size_t n) {
  return fails() ? SMTP_ECRYPTO : fake_random(out, n);
}

static const smtp_crypto crypto = {broken_digest, broken_hmac, broken_pbkdf2,
                                   broken_random, fake_equal};

const smtp_crypto *probe_crypto(void) {
  return &crypto;
}

/* sasl_crypto_fail_at([n]): as fail_at, of the functions above. */
static int crypto_fail_at(lua_State *L) {
  left = luaL_optinteger(L, 1, -1);
  return 0;
}

/* ---- exchanges ---- */

static smtp_sasl **checksasl(lua_State *L) {
  return luaL_checkudata(L, 1, CLASS);
}

static int sasl_free(lua_State *L) {
  smtp_sasl **s = checksasl(L);
  smtp_sasl_free(*s);
  *s = NULL;
  return 0;
}

static int push_result(lua_State *L, smtp_sasl *s, int result) {
  static const char *const names[] = {"continue", "done", "lookup"};
  smtp_slice out = smtp_sasl_output(s);
  if (result < 0) return probe_error(L, result);
  lua_pushstring(L, names[result]);
  lua_pushlstring(L, out.p, out.n);
  return 2;
}

static smtp_slice literal(const char *p, size_t n) {
  smtp_slice s = {p, n};
  return s;
}

/* sasl_new(mechanism, is_server [, secret]): the password or token of a
** client; all else is always the same. nil, "ENOMEM" */
static int sasl_new(lua_State *L) {
  smtp_slice name;
  unsigned mechanism;
  int is_server = lua_toboolean(L, 2);
  smtp_slice channel = literal("channel", 7);
  smtp_sasl **s;
  size_t n;
  const char *secret = luaL_optlstring(L, 3, "pencil", &n);
  name.p = luaL_checklstring(L, 1, &name.n);
  mechanism = smtp_sasl_mechanism(name);
  luaL_argcheck(L, mechanism != 0, 1, "no mechanism");
  s = lua_newuserdatauv(L, sizeof(*s), 0);
  *s = NULL;
  if (luaL_newmetatable(L, CLASS)) {
    lua_pushcfunction(L, sasl_free);
    lua_setfield(L, -2, "__gc");
  }
  lua_setmetatable(L, -2);
  if (is_server) {
    smtp_sasl_server config = {.hostname = literal("mx", 2),
                               .binding = {channel, channel},
                               .secret = literal("salts", 5),
                               .certificate = literal("user", 4)};
    *s = smtp_sasl_server_new(probe_mem(), &crypto, mechanism, &config);
  } else {
    smtp_sasl_client config = {.user = literal("us,er", 5),
                               .password = {secret, n},
                               .authzid = literal("an=other", 8),
                               .host = literal("mx", 2),
                               .port = 25,
                               .binding = {channel, {NULL, 0}}};
    *s = smtp_sasl_client_new(probe_mem(), &crypto, mechanism, &config);
  }
  return *s == NULL ? probe_error(L, SMTP_ENOMEM) : 1;
}

static int sasl_first(lua_State *L) {
  smtp_sasl *s = *checksasl(L);
  int result = smtp_sasl_first(s);
  if (result < 0) return probe_error(L, result);
  if (result == 0) {
    lua_pushboolean(L, 0);
    return 1;
  }
  lua_pushlstring(L, smtp_sasl_output(s).p, smtp_sasl_output(s).n);
  return 1;
}

static int sasl_next(lua_State *L) {
  smtp_sasl *s = *checksasl(L);
  return push_result(L, s, smtp_sasl_next(s, probe_input(L, 2)));
}

/* sasl_lookup(s, password or nil) */
static int sasl_lookup(lua_State *L) {
  smtp_sasl *s = *checksasl(L);
  smtp_sasl_keys keys = {.kind = SMTP_SASL_NOBODY};
  if (!lua_isnoneornil(L, 2)) {
    keys.kind = SMTP_SASL_PASSWORD;
    keys.password = probe_input(L, 2);
  }
  return push_result(L, s, smtp_sasl_lookup(s, &keys));
}

static int sasl_refuse(lua_State *L) {
  smtp_sasl *s = *checksasl(L);
  return push_result(L, s, smtp_sasl_refuse(s));
}

/* sasl_state(s) -> complete, verified, user, the password or token */
static int sasl_state(lua_State *L) {
  smtp_sasl *s = *checksasl(L);
  const smtp_sasl_credentials *c = smtp_sasl_credentials_of(s);
  smtp_slice secret = c->password.n > 0 ? c->password : c->token;
  lua_pushboolean(L, smtp_sasl_complete(s));
  lua_pushboolean(L, c->verified);
  lua_pushlstring(L, c->user.p, c->user.n);
  lua_pushlstring(L, secret.p, secret.n);
  return 4;
}

const luaL_Reg probe_sasl[] = {{"sasl_new", sasl_new},
                               {"sasl_first", sasl_first},
                               {"sasl_next", sasl_next},
                               {"sasl_lookup", sasl_lookup},
                               {"sasl_refuse", sasl_refuse},
                               {"sasl_state", sasl_state},
                               {"sasl_free", sasl_free},
                               {"sasl_crypto_fail_at", crypto_fail_at},
                               {NULL, NULL}};
