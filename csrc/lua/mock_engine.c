/* SPDX-License-Identifier: MIT */
/* mock_engine.c: "smtp.mock_engine", which drives mocks that have no thread. */
#include "mock_engine.h"

#include <errno.h>
#include <lauxlib.h>

#include "support.h"

#define ENGINE "smtp.mock_engine"

smtp_engine *smtp_check_mock_engine(lua_State *L, int arg) {
  smtp_engine *e = *(smtp_engine **)luaL_checkudata(L, arg, ENGINE);
  if (e == NULL) luaL_error(L, "the engine was collected");
  return e;
}

/* Its mocks keep it alive, so it is freed behind them. */
static int engine_free(lua_State *L) {
  smtp_engine **e = luaL_checkudata(L, 1, ENGINE);
  smtp_engine_free(*e);
  *e = NULL;
  return 0;
}

static int engine_new(lua_State *L) {
  smtp_engine **e = smtp_new_object(L, ENGINE, sizeof *e);
  *e = smtp_engine_new();
  if (*e == NULL) return smtp_push_errno(L, errno, "mock");
  return 1;
}

/* engine:step() */
static int engine_step(lua_State *L) {
  smtp_engine_step(smtp_check_mock_engine(L, 1));
  return 0;
}

/* engine:pollfd() -> descriptor | nothing, with the poll back-end */
static int engine_pollfd(lua_State *L) {
  int fd = smtp_engine_fd(smtp_check_mock_engine(L, 1));
  if (fd < 0) return 0;
  lua_pushinteger(L, fd);
  return 1;
}

static int engine_events(lua_State *L) {
  lua_pushliteral(L, "r");
  return 1;
}

static int engine_timeout(lua_State *L) {
  double left = smtp_engine_timeout(smtp_check_mock_engine(L, 1));
  if (left < 0) return 0;
  lua_pushnumber(L, left);
  return 1;
}

void smtp_open_mock_engine(lua_State *L) {
  static const luaL_Reg engines[] = {{"step", engine_step},
                                     {"pollfd", engine_pollfd},
                                     {"events", engine_events},
                                     {"timeout", engine_timeout},
                                     {NULL, NULL}};
  smtp_new_class(L, ENGINE, engines, engine_free);
  lua_pushcfunction(L, engine_new);
  lua_setfield(L, -2, "mock_engine");
}
