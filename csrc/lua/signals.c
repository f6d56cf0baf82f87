/* SPDX-License-Identifier: MIT */
/* signals.c: the class "smtp.signals": signals as something to wait for. */
#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <signal.h>

#include "../net/signals.h"
#include "open.h"
#include "push.h"
#include "support.h"

#define CLASS "smtp.signals"

static const char *const names[] = {"CHLD", "HUP",  "INT",  "QUIT",
                                    "TERM", "USR1", "USR2", NULL};
static const int numbers[] = {SIGCHLD, SIGHUP,  SIGINT, SIGQUIT,
                              SIGTERM, SIGUSR1, SIGUSR2};

static smtp_signals *check(lua_State *L) {
  smtp_signals *s = luaL_checkudata(L, 1, CLASS);
  luaL_argcheck(L, s->fd >= 0, 1, "it is closed");
  return s;
}

static int signals_close(lua_State *L) {
  smtp_signals_close(luaL_checkudata(L, 1, CLASS));
  return 0;
}

/* core.signals(names) -> signals | nil, message, errno name: "TERM", "INT" ...
** do no more than to make it readable, until it is closed. */
static int signals_new(lua_State *L) {
  int list[sizeof numbers / sizeof *numbers];
  size_t n = 0;
  smtp_signals *s;
  luaL_checktype(L, 1, LUA_TTABLE);
  while (lua_rawgeti(L, 1, (lua_Integer)n + 1) != LUA_TNIL) {
    luaL_argcheck(L, n < sizeof list / sizeof *list, 1, "too many signals");
    list[n++] = numbers[luaL_checkoption(L, -1, NULL, names)];
    lua_pop(L, 1);
  }
  s = smtp_new_object(L, CLASS, sizeof *s);
  if (smtp_signals_open(s, list, n) < 0) return smtp_push_errno(L, errno, NULL);
  return 1;
}

/* signals:take() -> name, or nil if none came */
static int signals_take(lua_State *L) {
  size_t i;
  int number;
  number = smtp_signals_take(check(L));
  for (i = 0; names[i] != NULL; i++) {
    if (numbers[i] != number) continue;
    lua_pushstring(L, names[i]);
    return 1;
  }
  return 0;
}

static int signals_pollfd(lua_State *L) {
  lua_pushinteger(L, check(L)->fd);
  return 1;
}

static int signals_events(lua_State *L) {
  check(L);
  lua_pushliteral(L, "r");
  return 1;
}

static int signals_timeout(lua_State *L) {
  check(L);
  return 0;
}

void smtp_open_signals(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"take", signals_take},     {"pollfd", signals_pollfd},
      {"events", signals_events}, {"timeout", signals_timeout},
      {"close", signals_close},   {NULL, NULL}};
  static const luaL_Reg functions[] = {{"signals", signals_new}, {NULL, NULL}};
  smtp_new_class(L, CLASS, methods, signals_close);
  luaL_setfuncs(L, functions, 0);
}
