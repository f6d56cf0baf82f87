/* SPDX-License-Identifier: MIT */
/*
** support.c: see support.h. The names of errors are those that a caller may
** want to tell apart; another one is "E" and its number.
*/
#include "support.h"

#include <errno.h>
#include <string.h>

void smtp_new_class(lua_State *L, const char *name, const luaL_Reg *methods,
                    lua_CFunction close) {
  if (!luaL_newmetatable(L, name)) { /* the module was loaded before */
    lua_pop(L, 1);
    return;
  }
  lua_newtable(L);      /* mt, methods */
  lua_pushvalue(L, -2); /* mt, methods, mt: for smtp_check_self */
  luaL_setfuncs(L, methods, 1);
  lua_setfield(L, -2, "__index");
  if (close != NULL) {
    lua_pushcfunction(L, close);
    lua_setfield(L, -2, "__gc");
    lua_pushcfunction(L, close);
    lua_setfield(L, -2, "__close");
  }
  lua_pop(L, 1);
}

void *smtp_check_self(lua_State *L, const char *name) {
  void *p = lua_touserdata(L, 1);
  if (p != NULL && lua_getmetatable(L, 1)) {
    bool same = lua_rawequal(L, -1, lua_upvalueindex(1));
    lua_pop(L, 1);
    if (same) return p;
  }
  return luaL_checkudata(L, 1, name); /* raises */
}

void *smtp_new_object(lua_State *L, const char *name, size_t n) {
  void *p = lua_newuserdatauv(L, n, 0);
  memset(p, 0, n);
  luaL_setmetatable(L, name);
  return p;
}

static const struct {
  int error;
  const char *name;
} names[] = {
    {EACCES, "EACCES"},
    {EADDRINUSE, "EADDRINUSE"},
    {EADDRNOTAVAIL, "EADDRNOTAVAIL"},
    {EAFNOSUPPORT, "EAFNOSUPPORT"},
    {EAGAIN, "EAGAIN"},
    {EALREADY, "EALREADY"},
    {EBADF, "EBADF"},
    {ECONNABORTED, "ECONNABORTED"},
    {ECONNREFUSED, "ECONNREFUSED"},
    {ECONNRESET, "ECONNRESET"},
    {EDQUOT, "EDQUOT"},
    {EEXIST, "EEXIST"},
    {EFBIG, "EFBIG"},
    {EHOSTUNREACH, "EHOSTUNREACH"},
    {EINPROGRESS, "EINPROGRESS"},
    {EINVAL, "EINVAL"},
    {EIO, "EIO"},
    {EISCONN, "EISCONN"},
    {EISDIR, "EISDIR"},
    {ELOOP, "ELOOP"},
    {EMFILE, "EMFILE"},
    {EMLINK, "EMLINK"},
    {ENAMETOOLONG, "ENAMETOOLONG"},
    {ENETDOWN, "ENETDOWN"},
    {ENETUNREACH, "ENETUNREACH"},
    {ENFILE, "ENFILE"},
    {ENOBUFS, "ENOBUFS"},
    {ENODEV, "ENODEV"},
    {ENOENT, "ENOENT"},
    {ENOMEM, "ENOMEM"},
    {ENOSPC, "ENOSPC"},
    {ENOSYS, "ENOSYS"},
    {ENOTCONN, "ENOTCONN"},
    {ENOTDIR, "ENOTDIR"},
    {ENOTSOCK, "ENOTSOCK"},
    {ENOTSUP, "ENOTSUP"},
    {EPERM, "EPERM"},
    {EPIPE, "EPIPE"},
    {EPROTOTYPE, "EPROTOTYPE"},
    {EROFS, "EROFS"},
    {ETIMEDOUT, "ETIMEDOUT"},
    {EXDEV, "EXDEV"},
};

static void pusherrorname(lua_State *L, int error) {
  size_t i;
  for (i = 0; i < sizeof names / sizeof *names; i++) {
    if (names[i].error == error) {
      lua_pushstring(L, names[i].name);
      return;
    }
  }
  lua_pushfstring(L, "E%d", error);
}

int smtp_push_errno(lua_State *L, int error, const char *context) {
  lua_pushnil(L);
  if (context)
    lua_pushfstring(L, "%s: %s", context, strerror(error));
  else
    lua_pushstring(L, strerror(error));
  pusherrorname(L, error);
  return 3;
}

int smtp_push_failure(lua_State *L, const char *text, const char *word) {
  lua_pushnil(L);
  lua_pushstring(L, text);
  if (word == NULL) return 2;
  lua_pushstring(L, word);
  return 3;
}

int smtp_push_result(lua_State *L, int result) {
  if (result < 0) return smtp_push_errno(L, errno, NULL);
  lua_pushboolean(L, 1);
  return 1;
}

smtp_slice smtp_check_slice(lua_State *L, int arg) {
  smtp_slice s;
  s.p = luaL_checklstring(L, arg, &s.n);
  return s;
}

unsigned smtp_check_port(lua_State *L, int arg) {
  lua_Integer port = luaL_checkinteger(L, arg);
  luaL_argcheck(L, port >= 0 && port <= 65535, arg, "not a port");
  return (unsigned)port;
}

static bool isamong(const char *key, const char *const *list) {
  for (; *list; list++)
    if (strcmp(key, *list) == 0) return true;
  return false;
}

void smtp_check_options(lua_State *L, int arg, const char *const *list) {
  luaL_checktype(L, arg, LUA_TTABLE);
  lua_pushnil(L);
  while (lua_next(L, arg)) { /* key, value */
    if (lua_type(L, -2) != LUA_TSTRING)
      luaL_argerror(L, arg, "an option has a name");
    if (!isamong(lua_tostring(L, -2), list)) {
      const char *text =
          lua_pushfstring(L, "unknown option '%s'", lua_tostring(L, -2));
      luaL_argerror(L, arg, text);
    }
    lua_pop(L, 1);
  }
}

/* Raises for an option of a wrong type or value. */
static void optionerror(lua_State *L, int arg, const char *name,
                        const char *wanted) {
  const char *text = lua_pushfstring(L, "option '%s' must be %s", name, wanted);
  luaL_argerror(L, arg, text);
}

smtp_slice smtp_option_slice(lua_State *L, int arg, const char *name) {
  smtp_slice s = {NULL, 0};
  int type;
  lua_pushstring(L, name);
  type = lua_rawget(L, arg); /* raw: what __index made nobody would hold */
  if (type != LUA_TNIL && type != LUA_TSTRING)
    optionerror(L, arg, name, "a string");
  if (type == LUA_TSTRING) s.p = lua_tolstring(L, -1, &s.n);
  lua_pop(L, 1); /* the table still holds it */
  return s;
}

lua_Integer smtp_option_integer(lua_State *L, int arg, const char *name,
                                lua_Integer low, lua_Integer high,
                                lua_Integer absent) {
  lua_Integer value = absent;
  int isinteger = 1;
  if (lua_getfield(L, arg, name) != LUA_TNIL) {
    value = lua_tointegerx(L, -1, &isinteger);
    if (!isinteger || value < low || value > high)
      optionerror(L, arg, name, "an integer in its range");
  }
  lua_pop(L, 1);
  return value;
}

bool smtp_option_boolean(lua_State *L, int arg, const char *name) {
  int type = lua_getfield(L, arg, name);
  bool value = lua_toboolean(L, -1);
  if (type != LUA_TNIL && type != LUA_TBOOLEAN)
    optionerror(L, arg, name, "a boolean");
  lua_pop(L, 1);
  return value;
}
