/* SPDX-License-Identifier: MIT */
/* mock_rule.c: see mock_rule.h. A wrong table raises; lua/smtp has checked the
** tables of users. */
#include "mock_rule.h"

#include <lauxlib.h>

#include "../mock/text.h"
#include "support.h"

#define CLASS "smtp.mock_rule"

static int rule_free(lua_State *L) {
  smtp_mock_rule **rule = luaL_checkudata(L, 1, CLASS);
  smtp_mock_rule_free(*rule);
  *rule = NULL;
  return 0;
}

static void check(lua_State *L, int result) {
  if (result < 0) luaL_error(L, "not enough memory");
}

/* The text of a field of the table at t, into place; absent: untouched. */
static void text_field(lua_State *L, int t, const char *name,
                       smtp_slice *place) {
  smtp_slice text;
  lua_getfield(L, t, name);
  if (!lua_isnil(L, -1)) {
    text.p = luaL_checklstring(L, -1, &text.n);
    check(L, smtp_text_set(place, text));
  }
  lua_pop(L, 1);
}

static double number_field(lua_State *L, int t, const char *name) {
  double v;
  lua_getfield(L, t, name);
  v = luaL_optnumber(L, -1, 0);
  lua_pop(L, 1);
  luaL_argcheck(L, v >= 0 && v < 9e15, t, name);
  return v;
}

static smtp_mock_wish wish_field(lua_State *L, int t, const char *name) {
  smtp_mock_wish wish = SMTP_MOCK_EITHER;
  lua_getfield(L, t, name);
  if (!lua_isnil(L, -1))
    wish = lua_toboolean(L, -1) ? SMTP_MOCK_YES : SMTP_MOCK_NO;
  lua_pop(L, 1);
  return wish;
}

/* Adds the action in the table on the top. */
static void add_action(lua_State *L, smtp_mock_rule *rule) {
  static const char *const acts[] = {
      "reply", "raw",   "delay", "drip",   "split", "throttle", "hang",
      "close", "reset", "store", "reject", "call",  NULL};
  int t = lua_gettop(L), act;
  double seconds, n;
  smtp_slice text = {"", 0};
  luaL_checktype(L, t, LUA_TTABLE);
  lua_rawgeti(L, t, 1); /* act */
  act = luaL_checkoption(L, -1, NULL, acts);
  seconds = number_field(L, t, "seconds");
  n = number_field(L, t, "n");
  lua_getfield(L, t, "text"); /* act, text */
  if (!lua_isnil(L, -1)) text.p = luaL_checklstring(L, -1, &text.n);
  check(L, smtp_mock_rule_add(rule, (smtp_mock_act)act, seconds, (uint64_t)n,
                              text));
  lua_settop(L, t);
}

static void add_steps(lua_State *L, int arg, smtp_mock_rule *rule) {
  int steps;
  lua_Integer i, j;
  lua_getfield(L, arg, "steps");
  steps = lua_gettop(L);
  luaL_checktype(L, steps, LUA_TTABLE);
  for (i = 1; lua_rawgeti(L, steps, i) == LUA_TTABLE; i++) { /* step */
    check(L, smtp_mock_rule_step(rule));
    for (j = 1; lua_rawgeti(L, -1, j) == LUA_TTABLE; j++) {
      add_action(L, rule);
      lua_pop(L, 1);
    }
    lua_pop(L, 2); /* the nil, step */
  }
  lua_settop(L, steps - 1);
}

smtp_mock_rule **smtp_push_mock_rule(lua_State *L, int arg) {
  static const char *const counts[] = {"always", "first",    "nth", "from",
                                       "every",  "sequence", "new", NULL};
  smtp_mock_rule **rule = smtp_new_object(L, CLASS, sizeof *rule);
  smtp_slice name;
  luaL_checktype(L, arg, LUA_TTABLE);
  lua_getfield(L, arg, "point"); /* rule, point */
  name.p = luaL_checklstring(L, -1, &name.n);
  *rule = smtp_mock_rule_new(smtp_mock_point_of(name));
  if (*rule == NULL) luaL_error(L, "not enough memory");
  if ((*rule)->point == SMTP_MOCK_OTHER)
    check(L, smtp_text_set(&(*rule)->verb, name));
  text_field(L, arg, "from", &(*rule)->from);
  text_field(L, arg, "to", &(*rule)->to);
  text_field(L, arg, "text", &(*rule)->text);
  text_field(L, arg, "user", &(*rule)->user);
  (*rule)->session = (uint64_t)number_field(L, arg, "session");
  (*rule)->tls = wish_field(L, arg, "tls");
  (*rule)->auth = wish_field(L, arg, "auth");
  lua_getfield(L, arg, "count"); /* rule, point, count */
  (*rule)->count = (smtp_mock_count)luaL_checkoption(L, -1, "always", counts);
  (*rule)->n = (uint64_t)number_field(L, arg, "n");
  (*rule)->bytes = (uint64_t)number_field(L, arg, "bytes");
  lua_pop(L, 2);
  add_steps(L, arg, *rule);
  return rule;
}

void smtp_open_mock_rule(lua_State *L) {
  static const luaL_Reg none[] = {{NULL, NULL}};
  smtp_new_class(L, CLASS, none, rule_free);
}
