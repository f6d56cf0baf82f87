/* SPDX-License-Identifier: MIT */
/*
** interpreter.c: as much of a Lua interpreter as the specs need, to be linked
** with ThreadSanitizer: preloaded into a plain one it would go on into every
** shell that a spec starts, and crash there.
*/
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
  lua_State *L = luaL_newstate();
  int i, status;
  if (L == NULL || argc < 2) return EXIT_FAILURE;
  luaL_openlibs(L);
  lua_createtable(L, argc, 0); /* arg */
  for (i = 0; i < argc; i++) {
    lua_pushstring(L, argv[i]);
    lua_rawseti(L, -2, i - 1);
  }
  lua_setglobal(L, "arg");
  lua_getglobal(L, "debug");
  lua_getfield(L, -1, "traceback"); /* debug, traceback */
  status = luaL_loadfile(L, argv[1]);
  for (i = 2; i < argc; i++) lua_pushstring(L, argv[i]);
  if (status == LUA_OK) status = lua_pcall(L, argc - 2, 0, 2);
  if (status != LUA_OK) fprintf(stderr, "%s\n", lua_tostring(L, -1));
  lua_close(L);
  return status == LUA_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
