/* SPDX-License-Identifier: MIT */
/* probe_mock.c: the parts of csrc/mock that need no system: globs, rules for
** whoever is new, plans, transcripts. */
#include "../../csrc/mock/plan.h"
#include "../../csrc/mock/record.h"
#include "../../csrc/mock/rule.h"
#include "probe.h"

/* mock_glob(glob, text) -> whether it is of the glob */
static int mock_glob(lua_State *L) {
  smtp_slice glob = probe_input(L, 1), text = probe_input(L, 2);
  lua_pushboolean(L, smtp_mock_glob(glob, text));
  return 1;
}

/* mock_new({ { sender, recipient ... } ... }) -> for each whether a rule for
** what is new applies */
static int mock_new(lua_State *L) {
  smtp_mock_rule *rule = smtp_mock_rule_new(SMTP_MOCK_EOM);
  lua_Integer i, k, n = (lua_Integer)lua_rawlen(L, 1);
  if (rule == NULL || smtp_mock_rule_step(rule) != 0)
    return luaL_error(L, "no memory");
  rule->count = SMTP_MOCK_NEW;
  lua_newtable(L);
  for (i = 1; i <= n; i++) {
    smtp_slice to[200];
    smtp_mock_facts facts = {.point = SMTP_MOCK_EOM, .to = to};
    lua_rawgeti(L, 1, i);
    lua_rawgeti(L, -1, 1);
    facts.from.p = lua_tolstring(L, -1, &facts.from.n);
    lua_pop(L, 1);
    facts.to_n = (size_t)lua_rawlen(L, -1) - 1;
    luaL_argcheck(L, facts.to_n <= sizeof to / sizeof *to, 1, "too many");
    for (k = 0; k < (lua_Integer)facts.to_n; k++) {
      lua_rawgeti(L, -1, k + 2);
      to[k].p = lua_tolstring(L, -1, &to[k].n); /* the table holds it */
      lua_pop(L, 1);
    }
    lua_pop(L, 1);
    lua_pushboolean(L, smtp_mock_rule_match(rule, &facts) &&
                           smtp_mock_rule_fire(rule, &facts) != NULL);
    lua_rawseti(L, -2, i);
  }
  smtp_mock_rule_free(rule);
  return 1;
}

/* mock_transcript(text ...) -> what a transcript shows of sessions 1, 2, ...
** that have said one text each */
static int mock_transcript(lua_State *L) {
  smtp_mock_record record;
  smtp_slice all;
  int i, n = lua_gettop(L);
  smtp_mock_record_init(&record);
  for (i = 1; i <= n; i++) {
    smtp_slice text;
    text.p = luaL_checklstring(L, i, &text.n);
    smtp_mock_record_line(&record, (uint64_t)i, 'C', text);
  }
  all = smtp_buf_data(&record.transcript);
  lua_pushlstring(L, all.p, all.n);
  smtp_mock_record_clear(&record);
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

/* mock_plan({ range ... }, cut): a HELP for each range, whose reply it is of,
** behind a greeting that goes out as it is -> { seconds, bytes ... }, and what
** smtp_plan_due gives before they are written and behind */
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
  lua_pushnumber(L, smtp_plan_due(&plan));
  write_all(L, &plan, cut);
  lua_insert(L, -2);
  lua_pushnumber(L, smtp_plan_due(&plan));
  smtp_plan_clear(&plan);
  smtp_server_free(machine);
  return 3;
}

/* mock_plan_late(text): a chunk of four bytes that is refused, with text in
** the place of the reply -> what can be written when two have come, when four
** have, and behind the first byte of it */
static int mock_plan_late(lua_State *L) {
  static const smtp_mock_pace whole = {0, 0, false};
  smtp_slice text = probe_input(L, 1), out;
  smtp_server_config config;
  smtp_server_event event;
  smtp_server *machine;
  smtp_plan plan;
  uint64_t from;
  int i;
  smtp_server_config_init(&config);
  config.trace = true;
  machine = smtp_server_new(smtp_mem_libc(), &config, 0);
  if (machine == NULL) return luaL_error(L, "no memory");
  smtp_plan_init(&plan, machine);
  smtp_server_next(machine, &event);
  smtp_server_decide(machine, SMTP_VERDICT_NONE, 0, SMTP_LIT(""));
  smtp_plan_sent(&plan, smtp_plan_peek(&plan, 0).n, 0);
  from = smtp_plan_end(&plan);
  smtp_server_feed(machine, "BDAT 4\r\nab", 10);
  while (smtp_server_next(machine, &event) == 1) continue;
  if (smtp_plan_add(&plan, from, text, whole) != 0)
    return luaL_error(L, "no memory");
  for (i = 0; i < 3; i++) {
    out = smtp_plan_peek(&plan, 0);
    lua_pushlstring(L, out.p, out.n);
    if (i == 0) smtp_server_feed(machine, "cd", 2);
    if (i == 1) smtp_plan_sent(&plan, 1, 0);
    while (smtp_server_next(machine, &event) == 1) continue;
  }
  smtp_plan_clear(&plan);
  smtp_server_free(machine);
  return 3;
}

const luaL_Reg probe_mock[] = {{"mock_glob", mock_glob},
                               {"mock_new", mock_new},
                               {"mock_transcript", mock_transcript},
                               {"mock_plan", mock_plan},
                               {"mock_plan_late", mock_plan_late},
                               {NULL, NULL}};
