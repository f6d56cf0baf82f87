/* SPDX-License-Identifier: MIT */
/*
** server.c: two types. "smtp.server_config" holds what all sessions of a
** listener share; "smtp.session" is one server session: the core's machine
** and, unless it is driven in memory, a socket.
**
** session:step(now) is the inner step of a connection: it gives the next
** event, or writes and reads and tries again, or says what to wait for.
*/
#include <lauxlib.h>
#include <lua.h>

#include "../core/dot.h"
#include "../core/server.h"
#include "../net/clock.h"
#include "../net/pump.h"
#include "../net/socket.h"
#include "open.h"
#include "push.h"
#include "socket.h"
#include "spool.h"
#include "support.h"

#define CONFIG "smtp.server_config"
#define SESSION "smtp.session"

typedef struct session {
  smtp_server *machine; /* NULL: closed */
  smtp_pump pump;
  smtp_slice content; /* of the last BODY event, until the next step */
} session;

/* ---- configuration --------------------------------------------------- */

static double number_field(lua_State *L, int t, const char *key, double d) {
  double v = d;
  if (lua_getfield(L, t, key) != LUA_TNIL) v = luaL_checknumber(L, -1);
  lua_pop(L, 1);
  return v;
}

static size_t size_field(lua_State *L, int t, const char *key, size_t d) {
  double v = number_field(L, t, key, (double)d);
  luaL_argcheck(L, v >= 0 && v < 9e15, 1, key);
  return (size_t)v;
}

static bool flag_field(lua_State *L, int t, const char *key) {
  bool v;
  lua_getfield(L, t, key);
  v = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return v;
}

/* The string stays alive as user value n of the configuration. */
static void text_field(lua_State *L, int t, const char *key, int n,
                       smtp_slice *out) {
  if (lua_getfield(L, t, key) == LUA_TNIL) {
    lua_pop(L, 1);
    return;
  }
  out->p = luaL_checklstring(L, -1, &out->n);
  lua_setiuservalue(L, -2, n);
}

static void limits_fields(lua_State *L, int t, smtp_server_limits *l) {
  l->message_size = size_field(L, t, "message_size", (size_t)l->message_size);
  l->header = size_field(L, t, "header", (size_t)l->header);
  l->hops = size_field(L, t, "hops", l->hops);
  l->recipients = size_field(L, t, "recipients", l->recipients);
  l->messages = size_field(L, t, "messages", l->messages);
  l->errors = size_field(L, t, "errors", l->errors);
  l->junk = size_field(L, t, "junk", l->junk);
  l->line = size_field(L, t, "line", l->line);
  l->idle_timeout = number_field(L, t, "idle_timeout", l->idle_timeout);
  l->command_timeout =
      number_field(L, t, "command_timeout", l->command_timeout);
  l->data_rate = number_field(L, t, "data_rate", l->data_rate);
}

/* core.server_config(options): the fields of smtp_server_config by name. */
static int config_new(lua_State *L) {
  static const char *const modes[] = {"reject", "normalize", "raw", NULL};
  smtp_server_config *c;
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  c = lua_newuserdatauv(L, sizeof *c, 2);
  smtp_server_config_init(c);
  luaL_setmetatable(L, CONFIG);
  text_field(L, 1, "hostname", 1, &c->hostname);
  text_field(L, 1, "verbs", 2, &c->verbs);
  c->strict = flag_field(L, 1, "strict");
  c->trace = flag_field(L, 1, "trace");
  c->accept_data = flag_field(L, 1, "accept_data");
  c->refuse_eightbit = flag_field(L, 1, "refuse_eightbit");
  lua_getfield(L, 1, "bare_newline");
  c->bare_newline = (smtp_bare_newline)luaL_checkoption(L, -1, "reject", modes);
  lua_pop(L, 1);
  if (lua_getfield(L, 1, "limits") == LUA_TTABLE)
    limits_fields(L, lua_gettop(L), &c->limits);
  lua_pop(L, 1);
  return 1;
}

/* ---- the machine's verbs for the pump -------------------------------- */

static int verb_space(void *m, char **place, size_t *room) {
  return smtp_server_space(m, place, room);
}

static void verb_fed(void *m, size_t n) {
  smtp_server_fed(m, n);
}

static void verb_eof(void *m) {
  smtp_server_eof(m);
}

static smtp_slice verb_peek(void *m) {
  return smtp_server_peek(m);
}

static void verb_sent(void *m, size_t n) {
  smtp_server_sent(m, n);
}

static const smtp_machine verbs = {verb_space, verb_fed, verb_eof, verb_peek,
                                   verb_sent};

/* ---- sessions -------------------------------------------------------- */

static session *check(lua_State *L) {
  session *s = smtp_check_self(L, SESSION);
  if (s->machine == NULL) luaL_error(L, "session is closed");
  return s;
}

static session *check_socket(lua_State *L) {
  session *s = check(L);
  if (s->pump.fd < 0) luaL_error(L, "session has no socket");
  return s;
}

/* config:session([socket [, now]]): takes the socket over. */
static int session_new(lua_State *L) {
  smtp_server_config *c = luaL_checkudata(L, 1, CONFIG);
  bool socket = !lua_isnoneornil(L, 2);
  double now =
      lua_isnoneornil(L, 3) ? smtp_clock_now() : luaL_checknumber(L, 3);
  session *s = lua_newuserdatauv(L, sizeof *s, 1);
  s->machine = NULL;
  s->content = (smtp_slice){"", 0};
  smtp_pump_init(&s->pump, &verbs, NULL, -1);
  luaL_setmetatable(L, SESSION);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, 1); /* the configuration outlives it */
  if (socket) {
    s->pump.fd = smtp_check_socket_take(L, 2);
    s->pump.quickack = true;
  }
  s->machine = smtp_server_new(smtp_mem_libc(), c, now);
  if (s->machine == NULL) return luaL_error(L, "not enough memory");
  s->pump.m = s->machine;
  return 1;
}

static int session_close(lua_State *L) {
  session *s = luaL_checkudata(L, 1, SESSION);
  if (s->pump.fd >= 0) smtp_socket_close(s->pump.fd);
  s->pump.fd = -1;
  smtp_server_free(s->machine);
  s->machine = NULL;
  return 0;
}

/* A word for why a session ended, for logs. */
static const char *reason(smtp_situation why) {
  switch (why) {
  case SMTP_S_NONE: return "closed";
  case SMTP_S_QUIT: return "quit";
  case SMTP_S_TIMEOUT: return "timeout";
  case SMTP_S_SHUTDOWN: return "shutdown";
  case SMTP_S_CONNECTIONS: return "connections";
  case SMTP_S_FAILED: return "refused";
  default: return smtp_status_of(why)->text;
  }
}

static int push_mail(lua_State *L, const smtp_server_event *e) {
  static const char *const bodies[] = {NULL, "7BIT", "8BITMIME"};
  lua_pushliteral(L, "mail");
  smtp_push_path(L, e->path);
  if (e->mail.has_size) {
    lua_pushinteger(L, (lua_Integer)e->mail.size);
    lua_setfield(L, -2, "size");
  }
  if (e->mail.body != SMTP_BODY_UNSET) {
    lua_pushstring(L, bodies[e->mail.body]);
    lua_setfield(L, -2, "body");
  }
  smtp_push_params(L, e->params);
  return 2;
}

static int push_message(lua_State *L, const smtp_server_event *e) {
  lua_pushliteral(L, "message");
  lua_pushinteger(L, (lua_Integer)e->size);
  if (e->situation == SMTP_S_NONE)
    lua_pushnil(L);
  else
    lua_pushstring(L, smtp_status_of(e->situation)->text);
  lua_pushboolean(L, (e->seen & SMTP_DOT_EIGHTBIT) != 0);
  return 4;
}

static int push_text(lua_State *L, const char *name, smtp_slice text) {
  lua_pushstring(L, name);
  smtp_push_slice(L, text);
  return 2;
}

/* Pushes an event: its name and what it brings. */
static int push_event(lua_State *L, session *s, const smtp_server_event *e) {
  switch (e->type) {
  case SMTP_SERVER_CONNECT: lua_pushliteral(L, "connect"); return 1;
  case SMTP_SERVER_HELO:
    push_text(L, "helo", e->text);
    lua_pushboolean(L, e->esmtp);
    return 3;
  case SMTP_SERVER_MAIL: return push_mail(L, e);
  case SMTP_SERVER_RCPT:
    lua_pushliteral(L, "rcpt");
    smtp_push_path(L, e->path);
    smtp_push_params(L, e->params);
    return 2;
  case SMTP_SERVER_DATA: lua_pushliteral(L, "data"); return 1;
  case SMTP_SERVER_BODY:
    s->content = e->text;
    lua_pushliteral(L, "body");
    lua_pushinteger(L, (lua_Integer)e->text.n);
    return 2;
  case SMTP_SERVER_MESSAGE: return push_message(L, e);
  case SMTP_SERVER_VRFY: return push_text(L, "vrfy", e->text);
  case SMTP_SERVER_COMMAND:
    push_text(L, "command", e->verb);
    smtp_push_slice(L, e->text);
    return 3;
  case SMTP_SERVER_RESET: lua_pushliteral(L, "reset"); return 1;
  case SMTP_SERVER_LINE: return push_text(L, "line", e->text);
  case SMTP_SERVER_REPLY: return push_text(L, "reply", e->text);
  default:
    lua_pushliteral(L, "close");
    lua_pushstring(L, reason(e->situation));
    return 2;
  }
}

static int fail(lua_State *L, int r) {
  if (r == SMTP_ESTATE) return luaL_error(L, "a verdict is due");
  return luaL_error(L, r == SMTP_ENOMEM ? "not enough memory"
                                        : "session buffer is full");
}

/* session:next() -> event ... | nothing: for driving it in memory. */
static int session_next(lua_State *L) {
  session *s = check(L);
  smtp_server_event e;
  int r;
  s->content.n = 0; /* its bytes are gone with the next event */
  r = smtp_server_next(s->machine, &e);
  if (r < 0) return fail(L, r);
  return r == 0 ? 0 : push_event(L, s, &e);
}

/* A socket that failed is a peer that went away, whatever the errno. */
static void lost(session *s) {
  smtp_server_eof(s->machine);
  smtp_server_sent(s->machine, smtp_server_peek(s->machine).n);
}

/* Pushes what to wait for and, if there is one, until when. */
static int wait_for(lua_State *L, session *s, const char *what) {
  double at = smtp_server_deadline(s->machine);
  lua_pushstring(L, what);
  if (at < 0) return 1;
  lua_pushnumber(L, at);
  return 2;
}

/*
** session:step(now) -> event ... | "read", "write" or "pause" (for the time
** alone) and the deadline: what to wait for, and when to tick if it does not
** come. The first bytes go out only after a look whether the peer spoke too
** early.
*/
static int session_step(lua_State *L) {
  session *s = check_socket(L);
  s->content.n = 0;
  smtp_server_clock(s->machine, luaL_checknumber(L, 2));
  for (;;) {
    smtp_server_event e;
    int r = smtp_server_next(s->machine, &e);
    if (r < 0) return fail(L, r);
    if (r > 0) return push_event(L, s, &e);
    if (smtp_server_held(s->machine)) return wait_for(L, s, "pause");
    if (smtp_server_peek(s->machine).n > 0 && !smtp_server_spoke(s->machine) &&
        smtp_pump_receive(&s->pump) > 0)
      continue;
    r = smtp_pump_flush(&s->pump);
    if (r == 0)
      r = smtp_pump_receive(&s->pump);
    else if (r == SMTP_EBUSY)
      return wait_for(L, s, "write");
    if (r == SMTP_EBUSY) return wait_for(L, s, "read");
    if (r == SMTP_ESYSTEM)
      lost(s);
    else if (r < 0)
      return fail(L, r);
  }
}

/* session:flush() -> true | false (wait for writing): after "close". */
static int session_flush(lua_State *L) {
  session *s = check_socket(L);
  int r = smtp_pump_flush(&s->pump);
  lua_pushboolean(L, r != SMTP_EBUSY);
  return 1;
}

/* session:linger() -> true (the peer is done) | false (wait for reading):
** drops what still comes, so that our last reply is not lost in a reset. */
static int session_linger(lua_State *L) {
  session *s = check_socket(L);
  char drop[4096];
  ssize_t n = smtp_socket_recv(s->pump.fd, drop, sizeof drop);
  lua_pushboolean(L, n != SMTP_EBUSY && n <= 0);
  return 1;
}

static int session_shutdown(lua_State *L) {
  smtp_socket_shutdown(check_socket(L)->pump.fd);
  return 0;
}

/* session:decide(verdict [, code [, text]]) -> the code that is sent */
static int session_decide(lua_State *L) {
  static const char *const names[] = {"none", "nothing", "accept", "refuse",
                                      "fail", "reply",   NULL};
  session *s = check(L);
  smtp_verdict verdict = (smtp_verdict)luaL_checkoption(L, 2, NULL, names);
  lua_Integer code = luaL_optinteger(L, 3, 0);
  smtp_slice text;
  int r;
  text.p = luaL_optlstring(L, 4, "", &text.n);
  if (code < 0 || code > 999) code = 0; /* sent as 451, as any other */
  r = smtp_server_decide(s->machine, verdict, (int)code, text);
  if (r == SMTP_ESTATE) return luaL_error(L, "no verdict is due");
  if (r < 0) return fail(L, r);
  lua_pushinteger(L, r);
  return 1;
}

/* session:content() -> the bytes of the BODY event at hand */
static int session_content(lua_State *L) {
  smtp_push_slice(L, check(L)->content);
  return 1;
}

/* session:content_to(spool) -> true | nil, message, errno name */
static int session_content_to(lua_State *L) {
  session *s = check(L);
  return smtp_push_result(
      L, smtp_check_spool_write(L, 2, s->content.p, s->content.n));
}

/* session:feed(bytes): in memory. */
static int session_feed(lua_State *L) {
  session *s = check(L);
  size_t n;
  const char *p = luaL_checklstring(L, 2, &n);
  int r;
  s->content.n = 0;
  r = smtp_server_feed(s->machine, p, n);
  return r < 0 ? fail(L, r) : 0;
}

static int session_eof(lua_State *L) {
  smtp_server_eof(check(L)->machine);
  return 0;
}

static int session_peek(lua_State *L) {
  smtp_push_slice(L, smtp_server_peek(check(L)->machine));
  return 1;
}

static int session_sent(lua_State *L) {
  session *s = check(L);
  lua_Integer n = luaL_checkinteger(L, 2);
  luaL_argcheck(L, n >= 0 && (lua_Unsigned)n <= smtp_server_peek(s->machine).n,
                2, "more than there is");
  smtp_server_sent(s->machine, (size_t)n);
  return 0;
}

static int session_clock(lua_State *L) {
  smtp_server_clock(check(L)->machine, luaL_checknumber(L, 2));
  return 0;
}

/* session:deadline() -> when it must be ticked | nothing */
static int session_deadline(lua_State *L) {
  double at = smtp_server_deadline(check(L)->machine);
  if (at < 0) return 0;
  lua_pushnumber(L, at);
  return 1;
}

static int session_tick(lua_State *L) {
  smtp_server_tick(check(L)->machine, luaL_checknumber(L, 2));
  return 0;
}

/* session:finish(why, now): "shutdown" or "connections", see
** smtp_server_end. */
static int session_finish(lua_State *L) {
  static const char *const names[] = {"shutdown", "connections", "failed",
                                      NULL};
  static const smtp_situation why[] = {SMTP_S_SHUTDOWN, SMTP_S_CONNECTIONS,
                                       SMTP_S_FAILED};
  session *s = check(L);
  int i = luaL_checkoption(L, 2, NULL, names);
  smtp_server_end(s->machine, why[i], lua_toboolean(L, 3));
  return 0;
}

static int session_idle(lua_State *L) {
  lua_pushboolean(L, smtp_server_idle(check(L)->machine));
  return 1;
}

static int session_pollfd(lua_State *L) {
  lua_pushinteger(L, check_socket(L)->pump.fd);
  return 1;
}

static int session_events(lua_State *L) {
  session *s = check(L);
  lua_pushstring(L, smtp_server_peek(s->machine).n > 0 ? "rw" : "r");
  return 1;
}

static int session_timeout(lua_State *L) {
  double at = smtp_server_deadline(check(L)->machine);
  double left = at - smtp_clock_now();
  if (at < 0) return 0;
  lua_pushnumber(L, left > 0 ? left : 0);
  return 1;
}

void smtp_open_server(lua_State *L) {
  static const luaL_Reg config_methods[] = {{"session", session_new},
                                            {NULL, NULL}};
  static const luaL_Reg methods[] = {{"step", session_step},
                                     {"next", session_next},
                                     {"decide", session_decide},
                                     {"content", session_content},
                                     {"content_to", session_content_to},
                                     {"flush", session_flush},
                                     {"linger", session_linger},
                                     {"shutdown", session_shutdown},
                                     {"feed", session_feed},
                                     {"eof", session_eof},
                                     {"peek", session_peek},
                                     {"sent", session_sent},
                                     {"clock", session_clock},
                                     {"deadline", session_deadline},
                                     {"tick", session_tick},
                                     {"finish", session_finish},
                                     {"idle", session_idle},
                                     {"pollfd", session_pollfd},
                                     {"events", session_events},
                                     {"timeout", session_timeout},
                                     {"close", session_close},
                                     {NULL, NULL}};
  smtp_new_class(L, CONFIG, config_methods, NULL);
  smtp_new_class(L, SESSION, methods, session_close);
  lua_pushcfunction(L, config_new);
  lua_setfield(L, -2, "server_config");
}
