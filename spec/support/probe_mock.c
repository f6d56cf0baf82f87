/* SPDX-License-Identifier: MIT */
/* probe_mock.c: the parts of csrc/mock that need no system: globs, plans. */
#include "../../csrc/mock/plan.h"
#include "../../csrc/mock/rule.h"
#include "probe.h"

/* mock_glob(glob, text) -> whether it is of the glob */
static int mock_glob(lua_State *L) {
  smtp_slice glob = probe_input(L, 1), text = probe_input(L, 2);
  lua_pushboolean(L, smtp_mock_glob(glob, text));
  return 1;
}

/* A range of the machine's output: { text | false, size, seconds, once }, the
** one at index of the table at 1. */
static int add(lua_State *L, smtp_plan *plan, uint64_t from,
               lua_Integer index) {
  smtp_slice text = {NULL, 0};
  smtp_mock_pace pace;
  PROBE_POISON(pace);
  int r;
  lua_rawgeti(L, 1, index);
  lua_rawgeti(L, -1, 1);
  lua_rawgeti(L, -2, 2);
  lua_rawgeti(L, -3, 3);
  lua_rawgeti(L, -4, 4);
  if (lua_isstring(L, -4)) text.p = lua_tolstring(L, -4, &text.n);
  pace.size = (size_t)luaL_checkinteger(L, -3);
  pace.seconds = luaL_checknumber(L, -2);
  pace.once = lua_toboolean(L, -1);
  r = smtp_plan_add(plan, from, text, pace);
  lua_pop(L, 5);
  return r;
}

/* Writes all there is, at most cut bytes at once, as time goes on; pushes a
** list of times and bytes. */
static void write_all(lua_State *L, smtp_plan *plan, size_t cut) {
  lua_Integer n = 0;
  double now = 1;
  lua_newtable(L);
  while (!smtp_plan_done(plan) && n < 10000) {
    smtp_slice out = smtp_plan_peek(plan, now);
    if (out.n > cut) out.n = cut;
    if (out.n == 0) {
      double due = smtp_plan_due(plan);
      if (due <= now) luaL_error(L, "nothing to write, and nothing is due");
      now = due;
      continue;
    }
    lua_pushnumber(L, now - 1);
    lua_rawseti(L, -2, ++n);
    lua_pushlstring(L, out.p, out.n);
    lua_rawseti(L, -2, ++n);
    smtp_plan_sent(plan, out.n, now);
  }
}

/* mock_plan({ range ... }, cut): a NOOP for each range, whose reply it is of,
** behind a greeting that goes out as it is -> { seconds, bytes ... } */
static int mock_plan(lua_State *L) {
  smtp_server_config config;
  smtp_server_event event;
  smtp_server *machine;
  smtp_plan plan;
  lua_Integer i, n = (lua_Integer)lua_rawlen(L, 1);
  size_t cut = (size_t)luaL_checkinteger(L, 2);
  smtp_server_config_init(&config);
  config.trace = true; /* stops at each reply */
  machine = smtp_server_new(smtp_mem_libc(), &config, 0);
  if (machine == NULL) return luaL_error(L, "no memory");
  smtp_plan_init(&plan, machine);
  smtp_server_next(machine, &event);
  smtp_server_decide(machine, SMTP_VERDICT_NONE, 0, SMTP_LIT(""));
  lua_newtable(L); /* at 3: what the greeting was, to be left out */
  write_all(L, &plan, SIZE_MAX);
  for (i = 1; i <= n; i++) {
    uint64_t from = smtp_plan_end(&plan);
    smtp_server_feed(machine, "HELP\r\n", 6);
    while (smtp_server_next(machine, &event) == 1) continue;
    if (add(L, &plan, from, i) != 0) return luaL_error(L, "no memory");
  }
  write_all(L, &plan, cut);
  smtp_plan_clear(&plan);
  smtp_server_free(machine);
  return 1;
}

const luaL_Reg probe_mock[] = {
    {"mock_glob", mock_glob}, {"mock_plan", mock_plan}, {NULL, NULL}};
