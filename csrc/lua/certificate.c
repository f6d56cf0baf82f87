/* SPDX-License-Identifier: MIT */
/*
** certificate.c: core.certificate { common_name, names, addresses, emails, ca,
** purpose, issuer, issuer_key, not_before, not_after } -> certificate, key (both
** PEM) | nil, sentence. Times are seconds from now. See lua/smtp/authority.lua.
*/
#include "../net/certificate.h"

#include <lauxlib.h>
#include <lua.h>

#include "open.h"
#include "push.h"
#include "support.h"

#define NAMES_MAX 32
#define PEM_MAX 65536

/* The strings of an array; the table keeps them. */
static size_t read_names(lua_State *L, const char *key, smtp_slice *list) {
  size_t n = 0;
  lua_Integer i;
  lua_getfield(L, 1, key);
  if (!lua_isnil(L, -1)) {
    luaL_checktype(L, -1, LUA_TTABLE);
    for (i = 1; lua_rawgeti(L, -1, i) == LUA_TSTRING; i++) {
      luaL_argcheck(L, n < NAMES_MAX, 1, "too many names");
      list[n].p = lua_tolstring(L, -1, &list[n].n);
      n++;
      lua_pop(L, 1);
    }
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return n;
}

static smtp_slice text(lua_State *L, const char *key) {
  smtp_slice s = smtp_option_slice(L, 1, key);
  return s.p == NULL ? (smtp_slice){"", 0} : s;
}

static smtp_certificate_purpose purpose(lua_State *L) {
  static const char *const names[] = {"both", "server", "client", NULL};
  int i;
  lua_getfield(L, 1, "purpose");
  i = luaL_checkoption(L, -1, "both", names);
  lua_pop(L, 1);
  return (smtp_certificate_purpose)i;
}

static int push_made(lua_State *L, int e, smtp_buf *certificate,
                     smtp_buf *key) {
  if (e == SMTP_ENOMEM) return luaL_error(L, "not enough memory");
  if (e != 0) {
    lua_pushnil(L);
    lua_pushstring(L, e == SMTP_EINVALID
                          ? "an address or the issuer is none"
                          : "OpenSSL cannot make this certificate");
    return 2;
  }
  smtp_push_slice(L, smtp_buf_data(certificate));
  smtp_push_slice(L, smtp_buf_data(key));
  return 2;
}

static int core_certificate(lua_State *L) {
  static const char *const options[] = {
      "common_name", "names",      "addresses",  "emails",    "ca", "purpose",
      "issuer",      "issuer_key", "not_before", "not_after", NULL};
  static const lua_Integer far = 100LL * 366 * 86400;
  smtp_slice names[NAMES_MAX], addresses[NAMES_MAX], emails[NAMES_MAX];
  smtp_certificate_request r = {0};
  smtp_buf certificate, key;
  int e;
  lua_settop(L, 1);
  smtp_check_options(L, 1, options);
  r.common_name = text(L, "common_name");
  r.names = (smtp_certificate_names){names, read_names(L, "names", names)};
  r.addresses = (smtp_certificate_names){addresses,
                                         read_names(L, "addresses", addresses)};
  r.emails = (smtp_certificate_names){emails, read_names(L, "emails", emails)};
  r.ca = smtp_option_boolean(L, 1, "ca");
  r.purpose = purpose(L);
  r.issuer = text(L, "issuer");
  r.issuer_key = text(L, "issuer_key");
  r.not_before = smtp_option_integer(L, 1, "not_before", -far, far, -86400);
  r.not_after = smtp_option_integer(L, 1, "not_after", -far, far, 30 * 86400);
  /* Memory of Lua's own, so that an error in Lua loses nothing. */
  smtp_buf_init(&certificate, NULL, PEM_MAX);
  certificate.p = lua_newuserdatauv(L, PEM_MAX, 0);
  certificate.size = PEM_MAX;
  smtp_buf_init(&key, NULL, PEM_MAX);
  key.p = lua_newuserdatauv(L, PEM_MAX, 0);
  key.size = PEM_MAX;
  e = smtp_certificate_make(&r, &certificate, &key);
  return push_made(L, e, &certificate, &key);
}

void smtp_open_certificate(lua_State *L) {
  lua_pushcfunction(L, core_certificate);
  lua_setfield(L, -2, "certificate");
}
