/* SPDX-License-Identifier: MIT */
/* file.c: files and folders by their names; see net/file.h. */
#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <string.h>

#include "../net/file.h"
#include "open.h"
#include "support.h"

/* The path at arg, which may not hold a NUL. */
static const char *checkpath(lua_State *L, int arg) {
  smtp_slice path = smtp_check_slice(L, arg);
  luaL_argcheck(L, memchr(path.p, 0, path.n) == NULL, arg,
                "a path without NUL");
  return path.p;
}

/* core.mkdir(path) -> true (made) | false (there already) | nil, message, errno
** name; for Maildirs, which only their owner may read. */
static int make_folder(lua_State *L) {
  const char *path = checkpath(L, 1);
  int r = smtp_file_folder(path);
  if (r < 0) return smtp_push_errno(L, errno, path);
  lua_pushboolean(L, r);
  return 1;
}

/* core.file_mark(path) -> size, a string that another content of the file
** changes | nil, message, errno name */
static int file_mark(lua_State *L) {
  const char *path = checkpath(L, 1);
  smtp_file_mark mark;
  memset(&mark, 0, sizeof mark);
  if (smtp_file_look(path, &mark) < 0) {
    if (errno == EINVAL)
      return smtp_push_failure(L, "not a regular file", "EINVAL");
    return smtp_push_errno(L, errno, path);
  }
  lua_pushinteger(L, (lua_Integer)mark.size);
  lua_pushlstring(L, (const char *)&mark, sizeof mark);
  return 2;
}

void smtp_open_file(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"mkdir", make_folder}, {"file_mark", file_mark}, {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
