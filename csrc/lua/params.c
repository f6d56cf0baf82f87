/* SPDX-License-Identifier: MIT */
/* params.c: see params.h. */
#include "params.h"

#include <lauxlib.h>

#include "../core/ehlo.h"

size_t smtp_check_params(lua_State *L, int t, smtp_param *params) {
  size_t n = 0;
  lua_Integer i, last;
  if (lua_isnoneornil(L, t)) return 0;
  luaL_checktype(L, t, LUA_TTABLE);
  last = (lua_Integer)lua_rawlen(L, t);
  luaL_argcheck(L, last <= 2 * SMTP_PARAMS_MAX, t, "too many parameters");
  for (i = 1; i < last; i += 2) {
    smtp_param *p = &params[n++];
    lua_rawgeti(L, t, i);
    lua_rawgeti(L, t, i + 1); /* key, value */
    p->has_value = lua_type(L, -1) == LUA_TSTRING;
    if (lua_type(L, -2) != LUA_TSTRING ||
        (!p->has_value && lua_type(L, -1) != LUA_TBOOLEAN))
      luaL_argerror(L, t, "a parameter is two strings, or one and true");
    p->key.p = lua_tolstring(L, -2, &p->key.n);
    p->value = (smtp_slice){"", 0};
    if (p->has_value) p->value.p = lua_tolstring(L, -1, &p->value.n);
    lua_pop(L, 2);
  }
  return n;
}

unsigned smtp_keyword_mask(lua_State *L, int t) {
  unsigned mask = 0;
  if (!lua_istable(L, t)) return 0;
  lua_pushnil(L);
  while (lua_next(L, t) != 0) { /* key, value */
    if (lua_type(L, -2) == LUA_TSTRING && lua_toboolean(L, -1)) {
      smtp_slice key;
      key.p = lua_tolstring(L, -2, &key.n);
      mask |= smtp_ehlo_extension(key);
    }
    lua_pop(L, 1);
  }
  return mask;
}
