/* SPDX-License-Identifier: MIT */
/*
** sasl.c: see sasl.h.
**   core.sasl_client(mechanism, options) -> sasl | nil, text
**   core.sasl_server(mechanism, options) -> sasl | nil, text
**   core.scram_keys(password [, options]) -> keys
**   core.base64(bytes), core.unbase64(text), core.equal(a, b), core.random(n)
** Strings of Lua cannot be wiped, so secrets are copied at once and the copies
** wiped when the exchange is closed.
*/
#include "sasl.h"
#include "../core/base64.h"
#include "../core/buf.h"
#include "../net/crypto.h"
#include "push.h"
#include "support.h"

#include <limits.h>

#define CLASS "smtp.sasl"
#define SALT_SIZE 16
#define RANDOM_MAX 65536
#define ITERATIONS_MAX 100000000 /* of stored keys */

typedef struct handle {
  smtp_sasl *sasl; /* NULL when closed */
} handle;

smtp_sasl *smtp_check_sasl_take(lua_State *L, int arg) {
  handle *h = luaL_checkudata(L, arg, CLASS);
  smtp_sasl *sasl = h->sasl;
  if (!sasl) luaL_argerror(L, arg, "the exchange is closed");
  h->sasl = NULL;
  return sasl;
}

static smtp_sasl *checksasl(lua_State *L) {
  handle *h = smtp_check_self(L, CLASS);
  if (!h->sasl) luaL_argerror(L, 1, "the exchange is closed");
  return h->sasl;
}

/* Also __gc and __close. */
static int sasl_close(lua_State *L) {
  handle *h = luaL_checkudata(L, 1, CLASS);
  smtp_sasl *sasl = h->sasl;
  h->sasl = NULL;
  smtp_sasl_free(sasl);
  return 0;
}

/* Pushes a result of the core. What no peer can cause raises. */
static int pushresult(lua_State *L, const smtp_sasl *s, int result) {
  switch (result) {
  case SMTP_SASL_CONTINUE:
    lua_pushliteral(L, "continue");
    smtp_push_slice(L, smtp_sasl_output(s));
    return 2;
  case SMTP_SASL_DONE: lua_pushliteral(L, "done"); return 1;
  case SMTP_SASL_LOOKUP: lua_pushliteral(L, "lookup"); return 1;
  case SMTP_ESYNTAX: return smtp_push_failure(L, smtp_sasl_reason(s), "syntax");
  case SMTP_EAUTH: return smtp_push_failure(L, smtp_sasl_reason(s), "auth");
  case SMTP_ECRYPTO: return smtp_push_failure(L, "OpenSSL failed", "crypto");
  case SMTP_EINVALID: return luaL_error(L, "%s", smtp_sasl_reason(s));
  case SMTP_ENOMEM: return luaL_error(L, "not enough memory");
  default: return luaL_error(L, "called out of order");
  }
}

/* ---- constructors ---- */

static smtp_sasl_binding checkbinding(lua_State *L) {
  smtp_sasl_binding b;
  b.exporter = smtp_option_slice(L, 2, "exporter");
  b.endpoint = smtp_option_slice(L, 2, "endpoint");
  return b;
}

static int unsupported(lua_State *L) {
  return smtp_push_failure(L, "unknown mechanism", NULL);
}

static int core_sasl_client(lua_State *L) {
  static const char *const options[] = {
      "user",     "password", "authzid", "host",  "port",
      "exporter", "endpoint", "unbound", "nonce", NULL};
  unsigned mechanism = smtp_sasl_mechanism(smtp_check_slice(L, 1));
  smtp_sasl_client c;
  handle *h;
  smtp_check_options(L, 2, options);
  c.user = smtp_option_slice(L, 2, "user");
  c.password = smtp_option_slice(L, 2, "password");
  c.authzid = smtp_option_slice(L, 2, "authzid");
  c.host = smtp_option_slice(L, 2, "host");
  c.port = (unsigned)smtp_option_integer(L, 2, "port", 0, 65535, 0);
  c.binding = checkbinding(L);
  c.unbound = smtp_option_boolean(L, 2, "unbound");
  c.nonce = smtp_option_slice(L, 2, "nonce");
  if (mechanism == 0) return unsupported(L);
  h = smtp_new_object(L, CLASS, sizeof *h);
  h->sasl = smtp_sasl_client_new(smtp_mem_libc(), smtp_crypto_openssl(),
                                 mechanism, &c);
  if (!h->sasl) return luaL_error(L, "not enough memory");
  return 1;
}

static int core_sasl_server(lua_State *L) {
  static const char *const options[] = {"hostname",    "exporter", "endpoint",
                                        "plus",        "secret",   "iterations",
                                        "certificate", "nonce",    NULL};
  unsigned mechanism = smtp_sasl_mechanism(smtp_check_slice(L, 1));
  smtp_sasl_server c;
  handle *h;
  smtp_check_options(L, 2, options);
  c.hostname = smtp_option_slice(L, 2, "hostname");
  c.binding = checkbinding(L);
  c.plus = smtp_option_boolean(L, 2, "plus");
  c.secret = smtp_option_slice(L, 2, "secret");
  c.iterations = (unsigned)smtp_option_integer(L, 2, "iterations", 1, INT_MAX,
                                               SMTP_SCRAM_ITERATIONS);
  c.certificate = smtp_option_slice(L, 2, "certificate");
  c.nonce = smtp_option_slice(L, 2, "nonce");
  if (mechanism == 0) return unsupported(L);
  h = smtp_new_object(L, CLASS, sizeof *h);
  h->sasl = smtp_sasl_server_new(smtp_mem_libc(), smtp_crypto_openssl(),
                                 mechanism, &c);
  if (!h->sasl) return luaL_error(L, "not enough memory");
  return 1;
}

/* ---- methods ---- */

smtp_sasl_keys smtp_check_sasl_keys(lua_State *L) {
  smtp_sasl_keys keys = {0};
  if (lua_type(L, 2) == LUA_TSTRING) {
    keys.kind = SMTP_SASL_PASSWORD;
    keys.password = smtp_check_slice(L, 2);
  } else if (lua_istable(L, 2)) {
    keys.kind = SMTP_SASL_STORED;
    keys.iterations = (unsigned)smtp_option_integer(
        L, 2, "iterations", 1, ITERATIONS_MAX, SMTP_SCRAM_ITERATIONS);
    keys.salt = smtp_option_slice(L, 2, "salt"); /* last: slices are borrowed */
    keys.stored_key = smtp_option_slice(L, 2, "stored_key");
    keys.server_key = smtp_option_slice(L, 2, "server_key");
  } else if (lua_toboolean(L, 3)) {
    keys.kind = SMTP_SASL_NOBODY_STORED;
  }
  return keys;
}

/* sasl:first() -> bytes | nothing | nil, text, "invalid" or "crypto" */
static int sasl_first(lua_State *L) {
  smtp_sasl *s = checksasl(L);
  int result = smtp_sasl_first(s);
  if (result == 0) return 0;
  if (result == SMTP_EINVALID)
    return smtp_push_failure(L, smtp_sasl_reason(s), "invalid");
  if (result < 0) return pushresult(L, s, result);
  smtp_push_slice(L, smtp_sasl_output(s));
  return 1;
}

static int sasl_next(lua_State *L) {
  smtp_sasl *s = checksasl(L);
  return pushresult(L, s, smtp_sasl_next(s, smtp_check_slice(L, 2)));
}

/* sasl:lookup(password | keys | nil [, stored_work]): with nil, whether the
** users that are there have keys of SCRAM, so that nobody costs the same. */
static int sasl_lookup(lua_State *L) {
  static const char *const options[] = {"mechanism",  "iterations", "salt",
                                        "stored_key", "server_key", NULL};
  smtp_sasl *s = checksasl(L);
  smtp_sasl_keys keys;
  if (!lua_isnoneornil(L, 2) && lua_type(L, 2) != LUA_TSTRING)
    smtp_check_options(L, 2, options);
  keys = smtp_check_sasl_keys(L);
  return pushresult(L, s, smtp_sasl_lookup(s, &keys));
}

static void setslice(lua_State *L, const char *name, smtp_slice value) {
  if (value.n == 0) return;
  smtp_push_slice(L, value);
  lua_setfield(L, -2, name);
}

/* sasl:credentials() -> { user, authzid, password, token, verified }; what is
** empty is left out. */
static int sasl_credentials(lua_State *L) {
  const smtp_sasl_credentials *c = smtp_sasl_credentials_of(checksasl(L));
  lua_createtable(L, 0, 5);
  setslice(L, "user", c->user);
  setslice(L, "authzid", c->authzid);
  setslice(L, "password", c->password);
  setslice(L, "token", c->token);
  if (c->verified) {
    lua_pushboolean(L, 1);
    lua_setfield(L, -2, "verified");
  }
  return 1;
}

static int sasl_refuse(lua_State *L) {
  smtp_sasl *s = checksasl(L);
  return pushresult(L, s, smtp_sasl_refuse(s));
}

static int sasl_complete(lua_State *L) {
  lua_pushboolean(L, smtp_sasl_complete(checksasl(L)));
  return 1;
}

static int sasl_problem(lua_State *L) {
  smtp_push_slice(L, smtp_sasl_problem(checksasl(L)));
  return 1;
}

/* sasl:takes_words() -> whether next takes a challenge that is not base64 */
static int sasl_takes_words(lua_State *L) {
  lua_pushboolean(L, smtp_sasl_takes_words(checksasl(L)));
  return 1;
}

static int sasl_mechanism(lua_State *L) {
  smtp_push_slice(L, smtp_sasl_name(smtp_sasl_mechanism_of(checksasl(L))));
  return 1;
}

/* ---- functions ---- */

/* Pushes keys: the digests are of n bytes. */
static void pushkeys(lua_State *L, const unsigned char *stored_key,
                     const unsigned char *server_key, size_t n) {
  lua_pushlstring(L, (const char *)stored_key, n);
  lua_setfield(L, -2, "stored_key");
  lua_pushlstring(L, (const char *)server_key, n);
  lua_setfield(L, -2, "server_key");
}

/* core.scram_keys(password [, { mechanism, iterations, salt }]) ->
** { mechanism, iterations, salt, stored_key, server_key } */
static int core_scram_keys(lua_State *L) {
  static const char *const options[] = {"mechanism", "iterations", "salt",
                                        NULL};
  const smtp_crypto *crypto = smtp_crypto_openssl();
  unsigned char random[SALT_SIZE];
  unsigned char stored_key[SMTP_DIGEST_MAX], server_key[SMTP_DIGEST_MAX];
  smtp_slice password = smtp_check_slice(L, 1), name, salt;
  lua_Integer iterations;
  bool sha1;
  lua_settop(L, 2);
  if (lua_isnil(L, 2)) {
    lua_newtable(L);
    lua_replace(L, 2);
  }
  smtp_check_options(L, 2, options);
  name = smtp_option_slice(L, 2, "mechanism");
  salt = smtp_option_slice(L, 2, "salt");
  iterations = smtp_option_integer(L, 2, "iterations", 1, INT_MAX,
                                   SMTP_SCRAM_ITERATIONS);
  if (!name.p) name = smtp_sasl_name(SMTP_SASL_SCRAM_SHA_256);
  sha1 = smtp_sasl_mechanism(name) == SMTP_SASL_SCRAM_SHA_1;
  luaL_argcheck(L, sha1 || smtp_sasl_mechanism(name) == SMTP_SASL_SCRAM_SHA_256,
                2, "mechanism must be SCRAM-SHA-1 or SCRAM-SHA-256");
  luaL_argcheck(L, !salt.p || salt.n > 0, 2, "the salt is empty");
  if (!salt.p) {
    if (crypto->random(random, sizeof random) != 0)
      return luaL_error(L, "OpenSSL failed");
    salt = (smtp_slice){(const char *)random, sizeof random};
  }
  if (smtp_scram_keys(crypto, sha1 ? SMTP_DIGEST_SHA1 : SMTP_DIGEST_SHA256,
                      password, salt, (unsigned)iterations, stored_key,
                      server_key) != 0)
    return luaL_error(L, "OpenSSL failed");
  lua_createtable(L, 0, 5);
  smtp_push_slice(L, smtp_sasl_name(sha1 ? SMTP_SASL_SCRAM_SHA_1
                                         : SMTP_SASL_SCRAM_SHA_256));
  lua_setfield(L, -2, "mechanism");
  lua_pushinteger(L, iterations);
  lua_setfield(L, -2, "iterations");
  smtp_push_slice(L, salt);
  lua_setfield(L, -2, "salt");
  pushkeys(L, stored_key, server_key, sha1 ? 20 : 32);
  return 1;
}

/* A buffer of n bytes whose storage is a userdata that is pushed: it cannot
** grow, and an error of Lua does not lose it. */
static smtp_buf pushbuf(lua_State *L, size_t n) {
  smtp_buf b;
  smtp_buf_init(&b, smtp_mem_libc(), n);
  b.p = lua_newuserdatauv(L, n, 0);
  b.size = n;
  return b;
}

/* Pushes what is in b, and wipes it: it may have been a password. */
static int pushwiped(lua_State *L, smtp_buf *b) {
  smtp_push_slice(L, smtp_buf_data(b));
  smtp_mem_wipe(b->p, b->size);
  return 1;
}

static int core_base64(lua_State *L) {
  smtp_slice in = smtp_check_slice(L, 1);
  smtp_buf b = pushbuf(L, in.n / 3 * 4 + 4);
  if (smtp_base64_format(&b, in) != 0) return luaL_error(L, "too long");
  return pushwiped(L, &b);
}

/* core.unbase64(text) -> bytes | nil */
static int core_unbase64(lua_State *L) {
  smtp_slice in = smtp_check_slice(L, 1);
  smtp_buf b = pushbuf(L, in.n / 4 * 3 + 3);
  if (smtp_base64_parse(&b, in) == 0) return pushwiped(L, &b);
  smtp_mem_wipe(b.p, b.size);
  lua_pushnil(L);
  return 1;
}

/* core.equal(a, b): of digests, so that the time does not tell how much of a
** secret was guessed. */
static int core_equal(lua_State *L) {
  const smtp_crypto *crypto = smtp_crypto_openssl();
  smtp_slice a = smtp_check_slice(L, 1), b = smtp_check_slice(L, 2);
  unsigned char x[SMTP_DIGEST_MAX], y[SMTP_DIGEST_MAX];
  if (crypto->digest(SMTP_DIGEST_SHA256, a, x) != 0 ||
      crypto->digest(SMTP_DIGEST_SHA256, b, y) != 0)
    return luaL_error(L, "OpenSSL failed");
  lua_pushboolean(L, crypto->equal(x, y, sizeof x) && a.n == b.n);
  return 1;
}

static int core_random(lua_State *L) {
  lua_Integer n = luaL_checkinteger(L, 1);
  luaL_Buffer b;
  char *p;
  luaL_argcheck(L, n >= 0 && n <= RANDOM_MAX, 1, "not a number of bytes");
  p = luaL_buffinitsize(L, &b, (size_t)n);
  if (smtp_crypto_openssl()->random((unsigned char *)p, (size_t)n) != 0)
    return luaL_error(L, "OpenSSL failed");
  luaL_pushresultsize(&b, (size_t)n);
  return 1;
}

static const luaL_Reg methods[] = {{"first", sasl_first},
                                   {"next", sasl_next},
                                   {"lookup", sasl_lookup},
                                   {"credentials", sasl_credentials},
                                   {"refuse", sasl_refuse},
                                   {"complete", sasl_complete},
                                   {"problem", sasl_problem},
                                   {"mechanism", sasl_mechanism},
                                   {"takes_words", sasl_takes_words},
                                   {"close", sasl_close},
                                   {NULL, NULL}};

static const luaL_Reg functions[] = {
    {"sasl_client", core_sasl_client}, {"sasl_server", core_sasl_server},
    {"scram_keys", core_scram_keys},   {"base64", core_base64},
    {"unbase64", core_unbase64},       {"equal", core_equal},
    {"random", core_random},           {NULL, NULL}};

void smtp_open_sasl(lua_State *L) {
  smtp_new_class(L, CLASS, methods, sasl_close);
  luaL_setfuncs(L, functions, 0);
}
