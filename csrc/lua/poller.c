/* SPDX-License-Identifier: MIT */
/*
** poller.c: the class "smtp.poller". Events go into a flat table of the caller,
** which is used again, so that waiting makes no garbage.
*/
#include "poller.h"
#include "../net/clock.h"
#include "../net/poller.h"
#include "support.h"

#include <errno.h>
#include <limits.h>

#define CLASS "smtp.poller"

#define READY_MAX 256 /* of one wait; what is left comes with the next */

typedef struct handle {
  smtp_poller *poller; /* NULL when closed */
} handle;

static smtp_poller *checkpoller(lua_State *L, int arg) {
  handle *h = luaL_checkudata(L, arg, CLASS);
  if (!h->poller) luaL_argerror(L, arg, "the poller is closed");
  return h->poller;
}

static int poller_close(lua_State *L) {
  handle *h = luaL_checkudata(L, 1, CLASS);
  smtp_poller_free(h->poller);
  h->poller = NULL;
  return 0;
}

static int core_poller(lua_State *L) {
  const char *backend = luaL_optstring(L, 1, NULL);
  handle *h = smtp_new_object(L, CLASS, sizeof *h);
  h->poller = smtp_poller_new(backend);
  if (!h->poller) return smtp_push_errno(L, errno, NULL);
  return 1;
}

static int poller_set(lua_State *L) {
  smtp_poller *p = checkpoller(L, 1);
  lua_Integer fd = luaL_checkinteger(L, 2);
  lua_Integer bits = luaL_checkinteger(L, 3);
  luaL_argcheck(L, fd >= 0 && fd < INT_MAX, 2, "not a descriptor");
  luaL_argcheck(L, bits >= 0 && bits <= 7, 3, "0 to 7");
  return smtp_push_result(L, smtp_poller_set(p, (int)fd, (unsigned)bits));
}

static int poller_wait(lua_State *L) {
  smtp_ready ready[READY_MAX];
  smtp_poller *p = checkpoller(L, 1);
  lua_Number timeout = luaL_optnumber(L, 2, -1);
  int i, n;
  luaL_argcheck(L, timeout == timeout, 2, "not a number"); /* NaN */
  luaL_checktype(L, 3, LUA_TTABLE);
  n = smtp_poller_wait(p, timeout, ready, READY_MAX);
  if (n < 0) return smtp_push_errno(L, errno, NULL);
  for (i = 0; i < n; i++) {
    lua_pushinteger(L, ready[i].fd);
    lua_rawseti(L, 3, 2 * i + 1);
    lua_pushinteger(L, ready[i].bits);
    lua_rawseti(L, 3, 2 * i + 2);
  }
  lua_pushinteger(L, n);
  return 1;
}

static int poller_pollfd(lua_State *L) {
  int fd = smtp_poller_fd(checkpoller(L, 1));
  if (fd >= 0) {
    lua_pushinteger(L, fd);
    return 1;
  }
  return smtp_push_failure(L, "this poller has no descriptor", NULL);
}

static int poller_backend(lua_State *L) {
  lua_pushstring(L, smtp_poller_backend(checkpoller(L, 1)));
  return 1;
}

/* core.wait(fd, bits [, seconds]): for one descriptor, without a poller ->
** whether it is ready | nil, message, name */
static int core_wait(lua_State *L) {
  lua_Integer fd = luaL_checkinteger(L, 1);
  lua_Integer bits = luaL_checkinteger(L, 2);
  lua_Number timeout = luaL_optnumber(L, 3, -1);
  int n;
  luaL_argcheck(L, fd >= 0 && fd < INT_MAX, 1, "not a descriptor");
  luaL_argcheck(L, bits >= 1 && bits <= 3, 2, "1 to 3");
  luaL_argcheck(L, timeout == timeout, 3, "not a number"); /* NaN */
  n = smtp_poller_wait_one((int)fd, (unsigned)bits, timeout);
  if (n < 0) return smtp_push_errno(L, errno, NULL);
  lua_pushboolean(L, n > 0);
  return 1;
}

static int core_now(lua_State *L) {
  lua_pushnumber(L, smtp_clock_now());
  return 1;
}

static const luaL_Reg methods[] = {
    {"set", poller_set},       {"wait", poller_wait},
    {"pollfd", poller_pollfd}, {"backend", poller_backend},
    {"close", poller_close},   {NULL, NULL}};

static const luaL_Reg functions[] = {{"poller", core_poller},
                                     {"wait", core_wait},
                                     {"now", core_now},
                                     {NULL, NULL}};

int smtp_open_poller(lua_State *L) {
  smtp_new_class(L, CLASS, methods, poller_close);
  luaL_setfuncs(L, functions, 0);
  return 0;
}
