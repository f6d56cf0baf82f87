/* SPDX-License-Identifier: MIT */
/*
** dkim.c: DKIM for Lua: "smtp.dkim_body", which joins the canonical form of a
** body with its hash; "smtp.dkim_key", a private key; canonical header fields
** and verification. lua/smtp/message/dkim decides what to sign and how.
*/
#include <lauxlib.h>
#include <lua.h>

#include "../mime/dkim_canon.h"
#include "../net/dkim.h"
#include "open.h"
#include "push.h"
#include "support.h"

#define BODY "smtp.dkim_body"
#define KEY "smtp.dkim_key"
#define FIELD_MAX ((size_t)1 << 24)

static const char *const canons[] = {"simple", "relaxed", NULL};
static const char *const algorithms[] = {"rsa-sha256", "ed25519-sha256", NULL};

static int fail(lua_State *L, int result) {
  return luaL_error(L, result == SMTP_ENOMEM ? "not enough memory"
                                             : "OpenSSL failed");
}

/* ---- the hash of a body ---- */

typedef struct body {
  smtp_dkim_hash *hash; /* NULL once finished */
  uint64_t limit;       /* bytes of the canonical form that are hashed */
  uint64_t count;       /* bytes that it had so far */
  smtp_dkim_body canon;
} body;

static int body_write(void *ctx, smtp_slice bytes) {
  body *b = ctx;
  uint64_t left = b->count < b->limit ? b->limit - b->count : 0;
  b->count += bytes.n;
  if (bytes.n > left) bytes.n = (size_t)left;
  return bytes.n > 0 ? smtp_dkim_hash_feed(b->hash, bytes) : 0;
}

/* core.dkim_body("simple" | "relaxed" [, limit]) */
static int body_new(lua_State *L) {
  int canon = luaL_checkoption(L, 1, NULL, canons);
  lua_Integer limit = luaL_optinteger(L, 2, -1);
  body *b = smtp_new_object(L, BODY, sizeof *b);
  b->limit = limit < 0 ? UINT64_MAX : (uint64_t)limit;
  smtp_dkim_body_init(&b->canon, (smtp_dkim_canon)canon, body_write, b);
  b->hash = smtp_dkim_hash_new();
  return b->hash != NULL ? 1 : fail(L, SMTP_ECRYPTO);
}

static int body_free(lua_State *L) {
  body *b = luaL_checkudata(L, 1, BODY);
  smtp_dkim_hash_free(b->hash);
  b->hash = NULL;
  return 0;
}

static body *checkbody(lua_State *L) {
  body *b = smtp_check_self(L, BODY);
  if (b->hash == NULL) luaL_error(L, "the body was finished");
  return b;
}

/* body:feed(bytes) */
static int body_feed(lua_State *L) {
  body *b = checkbody(L);
  int result = smtp_dkim_body_feed(&b->canon, smtp_check_slice(L, 2));
  return result == 0 ? 0 : fail(L, result);
}

/* body:finish() -> hash, bytes of the canonical form; once */
static int body_finish(lua_State *L) {
  body *b = checkbody(L);
  unsigned char hash[SMTP_DKIM_HASH_SIZE];
  int result = smtp_dkim_body_finish(&b->canon);
  if (result == 0) result = smtp_dkim_hash_finish(b->hash, hash);
  smtp_dkim_hash_free(b->hash);
  b->hash = NULL;
  if (result != 0) return fail(L, result);
  lua_pushlstring(L, (const char *)hash, sizeof hash);
  lua_pushinteger(L, (lua_Integer)b->count);
  return 2;
}

/* ---- header fields ---- */

/* core.dkim_header(canon, field) -> its canonical form with CRLF | nothing */
static int header(lua_State *L) {
  int canon = luaL_checkoption(L, 1, NULL, canons);
  smtp_slice field = smtp_check_slice(L, 2);
  smtp_buf *out = smtp_push_buffer(L, FIELD_MAX);
  int result = smtp_dkim_header(out, (smtp_dkim_canon)canon, field);
  if (result == SMTP_ENOMEM) return fail(L, result);
  if (result == SMTP_ETOOBIG) return luaL_error(L, "the field is too long");
  if (result != 0) return 0;
  return smtp_push_bytes(L, out);
}

/* ---- keys ---- */

typedef struct key {
  smtp_dkim_key *key;
} key;

/* core.dkim_key(pem) -> key | nil, sentence */
static int key_new(lua_State *L) {
  smtp_slice pem = smtp_check_slice(L, 1);
  const char *why = NULL;
  key *k = smtp_new_object(L, KEY, sizeof *k);
  k->key = smtp_dkim_key_new(pem, &why);
  if (k->key != NULL) return 1;
  return smtp_push_failure(L, why, NULL);
}

static int key_close(lua_State *L) {
  key *k = luaL_checkudata(L, 1, KEY);
  smtp_dkim_key_free(k->key);
  k->key = NULL;
  return 0;
}

static key *checkkey(lua_State *L) {
  key *k = smtp_check_self(L, KEY);
  if (k->key == NULL) luaL_error(L, "the key was closed");
  return k;
}

/* key:algorithm() -> "rsa-sha256" | "ed25519-sha256" */
static int key_algorithm(lua_State *L) {
  lua_pushstring(L, algorithms[smtp_dkim_key_algorithm(checkkey(L)->key)]);
  return 1;
}

/* key:sign(bytes) -> signature */
static int key_sign(lua_State *L) {
  key *k = checkkey(L);
  unsigned char signature[SMTP_DKIM_SIGNATURE_MAX];
  size_t n;
  int result = smtp_dkim_sign(k->key, smtp_check_slice(L, 2), signature, &n);
  if (result != 0) return fail(L, result);
  lua_pushlstring(L, (const char *)signature, n);
  return 1;
}

/*
** core.dkim_verify(algorithm, key, signature, bytes) -> true | false (it is
** not the signature) | nil, sentence (it is no key that may be used)
*/
static int verify(lua_State *L) {
  int algorithm = luaL_checkoption(L, 1, NULL, algorithms);
  smtp_slice public = smtp_check_slice(L, 2);
  smtp_slice signature = smtp_check_slice(L, 3), bytes = smtp_check_slice(L, 4);
  const char *why = NULL;
  int result = smtp_dkim_verify((smtp_dkim_algorithm)algorithm, public,
                                signature, bytes, &why);
  if (result == SMTP_EINVALID) return smtp_push_failure(L, why, NULL);
  lua_pushboolean(L, result == 0);
  return 1;
}

void smtp_open_dkim(lua_State *L) {
  static const luaL_Reg functions[] = {{"dkim_body", body_new},
                                       {"dkim_header", header},
                                       {"dkim_key", key_new},
                                       {"dkim_verify", verify},
                                       {NULL, NULL}};
  static const luaL_Reg body_methods[] = {
      {"feed", body_feed}, {"finish", body_finish}, {NULL, NULL}};
  static const luaL_Reg key_methods[] = {{"sign", key_sign},
                                         {"algorithm", key_algorithm},
                                         {"close", key_close},
                                         {NULL, NULL}};
  smtp_new_class(L, BODY, body_methods, body_free);
  smtp_new_class(L, KEY, key_methods, key_close);
  luaL_setfuncs(L, functions, 0);
}
