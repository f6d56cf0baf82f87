/* SPDX-License-Identifier: MIT */
/*
** mock.c: "smtp.mock_station", a mock that listens, and "smtp.mock_watch", its
** signal of a change. Under the engine's lock values are pushed by a protected
** call, so that no error of Lua leaves with the lock.
*/
#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <string.h>

#include "../core/ehlo.h"
#include "../core/sasl.h"
#include "../mock/engine.h"
#include "../mock/text.h"
#include "../net/socket.h"
#include "mock_engine.h"
#include "mock_record.h"
#include "mock_rule.h"
#include "open.h"
#include "push.h"
#include "socket.h"
#include "support.h"
#include "tls.h"

#define MOCK "smtp.mock_station"
#define WATCH "smtp.mock_watch"

/* ---- mocks ------------------------------------------------------------ */

/* NULL behind __gc, which comes before that of the table that has it. */
static smtp_station *station(lua_State *L) {
  return *(smtp_station **)luaL_checkudata(L, 1, MOCK);
}

static smtp_station *check(lua_State *L) {
  smtp_station *s = station(L);
  if (s == NULL) luaL_error(L, "the mock was collected");
  return s;
}

/* Calls f, in protected mode, with the lock; its results are ours. */
static int locked(lua_State *L, lua_CFunction f) {
  smtp_station *s = check(L);
  int result, runs = lua_gc(L, LUA_GCISRUNNING);
  lua_pushcfunction(L, f);
  lua_insert(L, 1);
  lua_gc(L, LUA_GCSTOP); /* a __gc may want the lock */
  smtp_station_lock(s);
  result = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
  smtp_station_unlock(s);
  if (runs > 0) lua_gc(L, LUA_GCRESTART);
  if (result != LUA_OK) return lua_error(L);
  return lua_gettop(L);
}

static smtp_mock *mock_of(lua_State *L) {
  return smtp_station_mock(check(L));
}

static void text_option(lua_State *L, const char *name, smtp_slice *place) {
  smtp_slice text = smtp_option_slice(L, 1, name);
  if (text.p != NULL && smtp_text_set(place, text) != 0)
    luaL_error(L, "not enough memory");
}

/* users = { { name, password } ... }; the array is at the top. */
static void add_users(lua_State *L, smtp_mock *m) {
  lua_Integer i;
  for (i = 1; lua_rawgeti(L, -1, i) == LUA_TTABLE; i++) {
    smtp_slice name, password;
    lua_rawgeti(L, -1, 1);
    lua_rawgeti(L, -2, 2); /* users, user, name, password */
    name.p = luaL_checklstring(L, -2, &name.n);
    password.p = luaL_checklstring(L, -1, &password.n);
    if (smtp_mock_add_user(m, name, password) != 0)
      luaL_error(L, "not enough memory");
    lua_pop(L, 3);
  }
  lua_pop(L, 1);
}

static void add_mechanisms(lua_State *L, smtp_mock *m) {
  lua_Integer i;
  for (i = 1; lua_rawgeti(L, -1, i) == LUA_TSTRING; i++) {
    smtp_slice name = smtp_check_slice(L, -1);
    m->config.auth |= smtp_sasl_mechanism(name);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

static const char *const options[] = {
    "socket",     "tls",           "implicit",
    "hostname",   "users",         "any_user",
    "mechanisms", "hidden",        "extra",
    "watchdog",   "size",          "recipients",
    "strict",     "auth_required", "tls_required",
    "engine",     "file",          "lmtp",
    NULL};

/* The options at 1, into a mock that an object owns already. */
static void configure(lua_State *L, smtp_mock *m) {
  smtp_server_config *c = &m->config;
  text_option(L, "hostname", &m->hostname);
  text_option(L, "hidden", &m->hidden);
  text_option(L, "extra", &m->extra);
  text_option(L, "file", &m->file);
  if (m->hostname.p != NULL) c->hostname = m->hostname;
  m->implicit = smtp_option_boolean(L, 1, "implicit");
  m->any_user = smtp_option_boolean(L, 1, "any_user");
  c->lmtp = smtp_option_boolean(L, 1, "lmtp");
  c->strict = smtp_option_boolean(L, 1, "strict");
  c->auth_required = smtp_option_boolean(L, 1, "auth_required");
  c->tls_required = smtp_option_boolean(L, 1, "tls_required");
  c->limits.message_size = (uint64_t)smtp_option_integer(
      L, 1, "size", 0, INT64_MAX, (lua_Integer)c->limits.message_size);
  c->limits.recipients = (size_t)smtp_option_integer(
      L, 1, "recipients", 0, INT64_MAX, (lua_Integer)c->limits.recipients);
  if (lua_getfield(L, 1, "watchdog") != LUA_TNIL)
    m->watchdog = luaL_checknumber(L, -1);
  if (lua_getfield(L, 1, "users") == LUA_TTABLE) add_users(L, m);
  if (lua_getfield(L, 1, "mechanisms") == LUA_TTABLE) add_mechanisms(L, m);
  if (lua_getfield(L, 1, "tls") != LUA_TNIL) {
    m->tls = smtp_check_tls_context(L, -1);
    SSL_CTX_up_ref(m->tls);
    c->tls = !m->implicit;
  }
  lua_settop(L, 2);
}

typedef struct draft {
  smtp_mock *mock; /* until a station has it */
} draft;

#define DRAFT "smtp.mock_draft"

static int draft_free(lua_State *L) {
  draft *d = luaL_checkudata(L, 1, DRAFT);
  smtp_mock_free(d->mock);
  d->mock = NULL;
  return 0;
}

/* core.mock(options) -> mock | nil, message, errno name: it serves the socket,
** by the thread or by the engine that is given. */
static int mock_new(lua_State *L) {
  draft *d;
  smtp_station **s;
  smtp_engine *e = smtp_engine_shared();
  int fd;
  smtp_check_options(L, 1, options);
  lua_settop(L, 1);
  d = smtp_new_object(L, DRAFT, sizeof *d); /* at 2 */
  d->mock = smtp_mock_new();
  if (d->mock == NULL) return luaL_error(L, "not enough memory");
  configure(L, d->mock);
  s = lua_newuserdatauv(L, sizeof *s, 1); /* at 3 */
  *s = NULL;
  luaL_setmetatable(L, MOCK);
  if (lua_getfield(L, 1, "engine") != LUA_TNIL) {
    e = smtp_check_mock_engine(L, 4);
    lua_pushvalue(L, 4);
    lua_setiuservalue(L, 3, 1);
  }
  lua_getfield(L, 1, "socket"); /* at 5 */
  fd = smtp_check_socket_take(L, 5);
  *s = smtp_engine_start(e, d->mock, fd);
  if (*s == NULL) {
    int error = errno;
    smtp_socket_close(fd);
    return smtp_push_errno(L, error, "mock");
  }
  d->mock = NULL;
  lua_settop(L, 3);
  return 1;
}

static int mock_stop(lua_State *L) {
  smtp_station *s = station(L);
  if (s != NULL) smtp_station_stop(s);
  return 0;
}

static int mock_free(lua_State *L) {
  smtp_station **s = luaL_checkudata(L, 1, MOCK);
  smtp_station_free(*s);
  *s = NULL;
  return 0;
}

/* mock:rule(table [, number]) -> its number */
static int mock_rule(lua_State *L) {
  smtp_station *s = check(L);
  lua_Integer at = luaL_optinteger(L, 3, 0);
  smtp_mock_rule **rule = smtp_push_mock_rule(L, 2);
  int number;
  luaL_argcheck(L, at >= 0, 3, "a number of a rule");
  smtp_station_lock(s);
  number = smtp_mock_put(smtp_station_mock(s), (size_t)at, *rule);
  smtp_station_unlock(s);
  if (number < 0) return luaL_error(L, "not enough memory");
  smtp_station_wake(s);
  *rule = NULL;
  lua_pushinteger(L, number);
  return 1;
}

static int push_mails(lua_State *L) {
  smtp_push_mock_mails(L, &mock_of(L)->record, (size_t)luaL_checkinteger(L, 2));
  return 1;
}

/* mock:mails([from]) -> those from a number on */
static int mock_mails(lua_State *L) {
  lua_Integer from = luaL_optinteger(L, 2, 1);
  luaL_argcheck(L, from >= 1, 2, "a number of a mail");
  lua_settop(L, 1);
  lua_pushinteger(L, from);
  return locked(L, push_mails);
}

static int push_visits(lua_State *L) {
  smtp_push_mock_visits(L, &mock_of(L)->record,
                        (uint64_t)luaL_optinteger(L, 2, 0));
  return 1;
}

/* mock:visits([number]) -> all sessions, or that one */
static int mock_visits(lua_State *L) {
  return locked(L, push_visits);
}

static int push_violations(lua_State *L) {
  smtp_push_mock_violations(L, &mock_of(L)->record);
  return 1;
}

static int mock_violations(lua_State *L) {
  return locked(L, push_violations);
}

static int push_counts(lua_State *L) {
  smtp_push_mock_counts(L, &mock_of(L)->record);
  return 1;
}

static int mock_counts(lua_State *L) {
  return locked(L, push_counts);
}

static int push_rules(lua_State *L) {
  smtp_push_mock_rules(L, mock_of(L));
  return 1;
}

/* mock:rules() -> { matched, fired } of each */
static int mock_rules(lua_State *L) {
  return locked(L, push_rules);
}

static int push_transcript(lua_State *L) {
  smtp_push_slice(L, smtp_buf_data(&mock_of(L)->record.transcript));
  return 1;
}

static int mock_transcript(lua_State *L) {
  return locked(L, push_transcript);
}

/* mock:clear([most]) -> whether it forgot its contents: not if there was a mail
** with a higher number. */
static int mock_clear(lua_State *L) {
  smtp_station *s = check(L);
  lua_Integer most = luaL_optinteger(L, 2, LUA_MAXINTEGER);
  smtp_mock_record *record = &smtp_station_mock(s)->record;
  bool clears;
  smtp_station_lock(s);
  clears =
      most >= 0 && record->mails_before + record->mails_n <= (lua_Unsigned)most;
  if (clears) smtp_mock_record_reset(record);
  smtp_station_unlock(s);
  lua_pushboolean(L, clears);
  return 1;
}

/* mock:hide(keywords, lines, spoken): keywords that EHLO leaves out, and more
** lines; spoken: more extensions of the core, separated by spaces. */
static int mock_hide(lua_State *L) {
  smtp_station *s = check(L);
  smtp_slice hidden = smtp_check_slice(L, 2), extra = smtp_check_slice(L, 3);
  smtp_slice spoken = smtp_check_slice(L, 4);
  unsigned extensions = 0;
  int r;
  while (spoken.n > 0) {
    const char *space = memchr(spoken.p, ' ', spoken.n);
    size_t n = space == NULL ? spoken.n : (size_t)(space - spoken.p);
    extensions |= smtp_ehlo_extension((smtp_slice){spoken.p, n});
    n += space != NULL;
    spoken = (smtp_slice){spoken.p + n, spoken.n - n};
  }
  smtp_station_lock(s);
  r = smtp_text_set(&smtp_station_mock(s)->hidden, hidden);
  if (r == 0) r = smtp_text_set(&smtp_station_mock(s)->extra, extra);
  if (r == 0) smtp_station_mock(s)->config.extensions = extensions;
  smtp_station_unlock(s);
  return r == 0 ? 0 : luaL_error(L, "not enough memory");
}

/* mock:limit(size, recipients) */
static int mock_limit(lua_State *L) {
  smtp_station *s = check(L);
  lua_Integer size = luaL_checkinteger(L, 2), most = luaL_checkinteger(L, 3);
  smtp_server_limits *limits = &smtp_station_mock(s)->config.limits;
  luaL_argcheck(L, size >= 0, 2, "a size");
  luaL_argcheck(L, most >= 0, 3, "a count");
  smtp_station_lock(s);
  limits->message_size = (uint64_t)size;
  limits->recipients = (size_t)most;
  smtp_station_unlock(s);
  return 0;
}

static int mock_settle(lua_State *L) {
  smtp_station_settle(check(L));
  return 0;
}

static int mock_settled(lua_State *L) {
  lua_pushboolean(L, smtp_station_settled(check(L)));
  return 1;
}

static int push_asking(lua_State *L) {
  smtp_mock_session *session = smtp_station_asking(check(L));
  smtp_mock_facts facts;
  if (session == NULL) return 0;
  lua_pushinteger(L, (lua_Integer)smtp_mock_session_asks(session, &facts));
  smtp_push_mock_facts(L, &facts);
  return 2;
}

/* mock:asks() -> number, facts of a session that waits for its owner */
static int mock_asks(lua_State *L) {
  return locked(L, push_asking);
}

/* mock:answer(reply): to that session; "": the usual reply. */
static int mock_answer(lua_State *L) {
  smtp_station *s = check(L);
  smtp_slice reply = smtp_check_slice(L, 2);
  smtp_station_lock(s);
  smtp_station_answer(s, reply);
  smtp_station_unlock(s);
  return 0;
}

/* core.mock_glob(glob, text) -> whether it is of the glob */
static int mock_glob(lua_State *L) {
  smtp_slice glob = smtp_check_slice(L, 1), text = smtp_check_slice(L, 2);
  lua_pushboolean(L, smtp_mock_glob(glob, text));
  return 1;
}

/* ---- watches ---------------------------------------------------------- */

typedef struct watch {
  smtp_wake wake;
  smtp_station **station; /* of the mock, its user value; NULL: closed */
} watch;

static int watch_close(lua_State *L) {
  watch *w = luaL_checkudata(L, 1, WATCH);
  if (w->station != NULL && *w->station != NULL)
    smtp_station_unwatch(*w->station, &w->wake);
  w->station = NULL;
  smtp_wake_clear(&w->wake);
  return 0;
}

/* mock:watch() -> an object that becomes readable after a change */
static int mock_watch(lua_State *L) {
  smtp_station *s = check(L);
  watch *w = lua_newuserdatauv(L, sizeof *w, 1);
  w->station = NULL;
  luaL_setmetatable(L, WATCH);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, 1);
  if (smtp_wake_init(&w->wake) < 0) return smtp_push_errno(L, errno, "mock");
  if (!smtp_station_watch(s, &w->wake))
    return luaL_error(L, "not enough memory");
  w->station = luaL_checkudata(L, 1, MOCK);
  return 1;
}

static watch *check_watch(lua_State *L) {
  watch *w = luaL_checkudata(L, 1, WATCH);
  if (w->station == NULL) luaL_error(L, "the watch is closed");
  return w;
}

static int watch_pollfd(lua_State *L) {
  lua_pushinteger(L, check_watch(L)->wake.fd);
  return 1;
}

static int watch_events(lua_State *L) {
  lua_pushliteral(L, "r");
  return 1;
}

static int watch_drain(lua_State *L) {
  smtp_wake_drain(&check_watch(L)->wake);
  return 0;
}

static int watch_timeout(lua_State *L) {
  (void)L;
  return 0;
}

void smtp_open_mock(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"mock", mock_new}, {"mock_glob", mock_glob}, {NULL, NULL}};
  static const luaL_Reg methods[] = {{"stop", mock_stop},
                                     {"rule", mock_rule},
                                     {"mails", mock_mails},
                                     {"visits", mock_visits},
                                     {"counts", mock_counts},
                                     {"violations", mock_violations},
                                     {"rules", mock_rules},
                                     {"transcript", mock_transcript},
                                     {"clear", mock_clear},
                                     {"hide", mock_hide},
                                     {"limit", mock_limit},
                                     {"settle", mock_settle},
                                     {"settled", mock_settled},
                                     {"asks", mock_asks},
                                     {"answer", mock_answer},
                                     {"watch", mock_watch},
                                     {NULL, NULL}};
  static const luaL_Reg watches[] = {
      {"pollfd", watch_pollfd},   {"events", watch_events},
      {"timeout", watch_timeout}, {"drain", watch_drain},
      {"close", watch_close},     {NULL, NULL}};
  static const luaL_Reg none[] = {{NULL, NULL}};
  smtp_open_mock_rule(L);
  smtp_new_class(L, DRAFT, none, draft_free);
  smtp_open_mock_engine(L);
  smtp_new_class(L, WATCH, watches, watch_close);
  smtp_new_class(L, MOCK, methods, mock_free);
  luaL_setfuncs(L, functions, 0);
}
