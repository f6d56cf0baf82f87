/* SPDX-License-Identifier: MIT */
/*
** server.c: "smtp.server_session": the core's machine and, unless it is driven
** in memory, a socket, with TLS on it once it is secured.
**
** session:turn(now) is a turn of a connection: it gives the next event to Lua,
** or what to wait for. Until then it writes, reads and steps, as often as that
** is of no interest to Lua.
*/
#include <lauxlib.h>
#include <lua.h>

#include "../core/server.h"
#include "../net/clock.h"
#include "../net/connection.h"
#include "../net/poller.h"
#include "../net/socket.h"
#include "open.h"
#include "proxy.h"
#include "push.h"
#include "sasl.h"
#include "server_config.h"
#include "server_event.h"
#include "socket.h"
#include "spool.h"
#include "support.h"
#include "tls.h"

#define SESSION "smtp.server_session"

typedef struct session {
  smtp_server *machine; /* NULL: closed */
  smtp_connection connection;
  smtp_server_event *event; /* for the event of a step */
  smtp_slice content;       /* of the last BODY event, until the next step */
} session;

/* ---- the machine's verbs --------------------------------------------- */

static int verb_space(void *m, char **place, size_t *room) {
  return smtp_server_space(((session *)m)->machine, place, room);
}

static void verb_fed(void *m, size_t n) {
  smtp_server_fed(((session *)m)->machine, n);
}

static void verb_eof(void *m) {
  smtp_server_eof(((session *)m)->machine);
}

static smtp_slice verb_peek(void *m) {
  return smtp_server_peek(((session *)m)->machine);
}

static void verb_sent(void *m, size_t n) {
  smtp_server_sent(((session *)m)->machine, n);
}

static int verb_next(void *m) {
  session *s = m;
  return smtp_server_next(s->machine, s->event);
}

/* The first bytes, and the 220 to STARTTLS, go out only after a look whether
** the peer spoke too early. */
static unsigned verb_may(void *m) {
  const smtp_server *machine = ((session *)m)->machine;
  unsigned may = SMTP_MAY_WRITE;
  if (smtp_server_held(machine)) return 0;
  if (smtp_server_wary(machine)) may |= SMTP_MAY_LOOK;
  if (!smtp_server_paused(machine)) may |= SMTP_MAY_READ;
  return may;
}

/* A failed socket counts as the end of the peer, whatever the errno; so does a
** cut-off stream of TLS. */
static void verb_lost(void *m) {
  smtp_server *machine = ((session *)m)->machine;
  smtp_server_eof(machine);
  smtp_server_sent(machine, smtp_server_peek(machine).n);
}

static const smtp_verbs verbs = {verb_space, verb_fed,  verb_eof, verb_peek,
                                 verb_sent,  verb_next, verb_may, verb_lost};

/* ---- sessions -------------------------------------------------------- */

static session *check(lua_State *L) {
  session *s = smtp_check_self(L, SESSION);
  if (s->machine == NULL) luaL_error(L, "session is closed");
  return s;
}

static session *check_socket(lua_State *L) {
  session *s = check(L);
  if (s->connection.fd < 0) luaL_error(L, "session has no socket");
  return s;
}

/* config:session([socket [, now]]): takes the socket over. */
static int session_new(lua_State *L) {
  const smtp_server_config *c = smtp_check_server_config(L, 1);
  bool socket = !lua_isnoneornil(L, 2);
  double now =
      lua_isnoneornil(L, 3) ? smtp_clock_now() : luaL_checknumber(L, 3);
  session *s = lua_newuserdatauv(L, sizeof *s, 1);
  s->machine = NULL;
  s->content = (smtp_slice){"", 0};
  smtp_connection_init(&s->connection, &verbs, s, -1);
  luaL_setmetatable(L, SESSION);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, 1); /* the configuration outlives it */
  if (socket) {
    s->connection.fd = smtp_check_socket_take(L, 2);
    s->connection.quickack = true;
  }
  s->machine = smtp_server_new(smtp_mem_libc(), c, now);
  if (s->machine == NULL) return luaL_error(L, "not enough memory");
  return 1;
}

static int session_close(lua_State *L) {
  session *s = luaL_checkudata(L, 1, SESSION);
  smtp_connection_close(&s->connection);
  smtp_server_free(s->machine);
  s->machine = NULL;
  return 0;
}

static int push_event(lua_State *L, session *s, const smtp_server_event *e) {
  if (e->type == SMTP_SERVER_BODY) s->content = e->text;
  return smtp_push_server_event(L, e);
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

/* Nothing, then what to wait for and, if there is one, until when. */
static int push_wait(lua_State *L, const session *s, double now) {
  double at = s->connection.again ? now : smtp_server_deadline(s->machine);
  unsigned waits = s->connection.waits;
  lua_pushnil(L);
  if ((waits & SMTP_WRITE) != 0)
    lua_pushliteral(L, "w");
  else if ((waits & SMTP_READ) != 0)
    lua_pushliteral(L, "r");
  else
    lua_pushboolean(L, 0);
  if (at < 0) return 2;
  lua_pushnumber(L, at);
  return 3;
}

/*
** session:turn(now, expired) -> event ... | nil, "r", "w" or false (for the
** time alone) and the deadline: what to wait for, and until when. expired: it
** did not come until then.
*/
static int session_turn(lua_State *L) {
  session *s = check_socket(L);
  double now = luaL_checknumber(L, 2);
  smtp_server_event e;
  int r;
  s->content.n = 0;
  if (lua_toboolean(L, 3)) smtp_server_tick(s->machine, now);
  smtp_server_clock(s->machine, now);
  s->event = &e;
  r = smtp_connection_step(&s->connection);
  s->event = NULL;
  if (r < 0) return fail(L, r);
  return r > 0 ? push_event(L, s, &e) : push_wait(L, s, now);
}

/* session:flush() -> true | false (wait for writing): after "close". */
static int session_flush(lua_State *L) {
  session *s = check_socket(L);
  int r = smtp_connection_flush(&s->connection);
  lua_pushboolean(L, r != SMTP_EBUSY);
  return 1;
}

/* session:linger() -> true (the peer is done) | false (wait for reading):
** drops what still comes, so that our last reply is not lost in a reset. */
static int session_linger(lua_State *L) {
  session *s = check_socket(L);
  char drop[4096];
  ssize_t n = smtp_socket_recv(s->connection.fd, drop, sizeof drop);
  lua_pushboolean(L, n != SMTP_EBUSY && n <= 0);
  return 1;
}

static int session_shutdown(lua_State *L) {
  smtp_connection_shutdown(&check_socket(L)->connection);
  return 0;
}

/* session:proxy_header(held): see smtp_push_proxy_header. */
static int session_proxy_header(lua_State *L) {
  return smtp_push_proxy_header(L, check_socket(L)->connection.fd, 2);
}

/* session:trust(xclient, xforward): the commands that this peer may use. */
static int session_trust(lua_State *L) {
  session *s = check(L);
  unsigned all = 0;
  if (lua_toboolean(L, 2)) all |= SMTP_FORWARD_XCLIENT;
  if (lua_toboolean(L, 3)) all |= SMTP_FORWARD_XFORWARD;
  smtp_server_trust(s->machine, all);
  return 0;
}

/* session:secure(engine): TLS begins on the socket; then handshake. */
static int session_secure(lua_State *L) {
  session *s = check_socket(L);
  luaL_argcheck(L, s->connection.tls == NULL, 1, "there is TLS already");
  smtp_connection_secure(&s->connection, smtp_check_tls_take(L, 2));
  return 0;
}

static session *check_tls(lua_State *L) {
  session *s = check_socket(L);
  if (s->connection.tls == NULL) luaL_error(L, "session has no TLS");
  return s;
}

/* session:handshake(): see smtp_tls_push_handshake. */
static int session_handshake(lua_State *L) {
  return smtp_tls_push_handshake(L, &check_tls(L)->connection);
}

/* session:choose(context | false | nil): answers "name". */
static int session_choose(lua_State *L) {
  return smtp_tls_take_choice(L, check_tls(L)->connection.tls, 2);
}

/* session:info() -> the properties of TLS, or nothing without it */
static int session_info(lua_State *L) {
  return smtp_tls_push_info(L, check(L)->connection.tls);
}

/* session:secured([name [, exporter, endpoint]]): the handshake is done; name
** is whom the client's certificate is for. The bindings are given in memory
** only. */
static int session_secured(lua_State *L) {
  session *s = check(L);
  unsigned char exporter[SMTP_TLS_BINDING], endpoint[SMTP_TLS_BINDING];
  smtp_sasl_binding binding;
  smtp_slice name;
  int r;
  name.p = luaL_optlstring(L, 2, "", &name.n);
  binding.exporter.p = luaL_optlstring(L, 3, "", &binding.exporter.n);
  binding.endpoint.p = luaL_optlstring(L, 4, "", &binding.endpoint.n);
  if (s->connection.tls != NULL) {
    binding.exporter = (smtp_slice){
        (char *)exporter, smtp_tls_exporter(s->connection.tls, exporter)};
    binding.endpoint = (smtp_slice){
        (char *)endpoint, smtp_tls_endpoint(s->connection.tls, endpoint)};
  }
  r = smtp_server_secured(s->machine, &binding, name);
  if (r == SMTP_ESTATE) return luaL_error(L, "TLS is not due");
  return r < 0 ? fail(L, r) : 0;
}

/* session:decide(verdict [, code [, text]]) -> the code that is sent */
static int session_decide(lua_State *L) {
  session *s = check(L);
  smtp_verdict verdict = smtp_check_verdict(L, 2);
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

/* session:sayable(code, text): see smtp_server_sayable. */
static int session_sayable(lua_State *L) {
  session *s = check(L);
  lua_Integer code = luaL_checkinteger(L, 2);
  smtp_slice text = smtp_check_slice(L, 3);
  int r;
  if (code < 0 || code > 999) code = 0;
  r = smtp_server_sayable(s->machine, (int)code, text);
  if (r < 0) return fail(L, r);
  lua_pushboolean(L, r);
  return 1;
}

/* session:hears(text): see smtp_server_hears. */
static int session_hears(lua_State *L) {
  session *s = check(L);
  lua_pushboolean(L, smtp_server_hears(s->machine, smtp_check_slice(L, 2)));
  return 1;
}

/* session:lookup(keys [, stored]): answers "lookup" by a password, a table as
** core.scram_keys makes, or nil: there is no such user, which takes as long as
** a password, or as stored keys. */
static int session_lookup(lua_State *L) {
  session *s = check(L);
  smtp_sasl_keys keys = smtp_check_sasl_keys(L);
  int r = smtp_server_lookup(s->machine, &keys);
  if (r == SMTP_ESTATE) return luaL_error(L, "no lookup is due");
  return r < 0 ? fail(L, r) : 0;
}

/* session:lookup_failed(): the look-up failed; 454. */
static int session_lookup_failed(lua_State *L) {
  int r = smtp_server_lookup(check(L)->machine, NULL);
  if (r == SMTP_ESTATE) return luaL_error(L, "no lookup is due");
  return r < 0 ? fail(L, r) : 0;
}

/* session:content() -> the bytes of the BODY event at hand */
static int session_content(lua_State *L) {
  smtp_push_slice(L, check(L)->content);
  return 1;
}

/* session:header() -> the header of the message as far as it has come, and
** whether that is all of it */
static int session_header(lua_State *L) {
  bool whole;
  smtp_push_slice(L, smtp_server_header(check(L)->machine, &whole));
  lua_pushboolean(L, whole);
  return 2;
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
  lua_pushinteger(L, check_socket(L)->connection.fd);
  return 1;
}

static int session_events(lua_State *L) {
  session *s = check(L);
  lua_pushstring(L, smtp_connection_waits(&s->connection) ? "rw" : "r");
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
  static const luaL_Reg methods[] = {{"turn", session_turn},
                                     {"next", session_next},
                                     {"decide", session_decide},
                                     {"sayable", session_sayable},
                                     {"hears", session_hears},
                                     {"content", session_content},
                                     {"header", session_header},
                                     {"content_to", session_content_to},
                                     {"flush", session_flush},
                                     {"linger", session_linger},
                                     {"shutdown", session_shutdown},
                                     {"proxy_header", session_proxy_header},
                                     {"trust", session_trust},
                                     {"secure", session_secure},
                                     {"handshake", session_handshake},
                                     {"choose", session_choose},
                                     {"secured", session_secured},
                                     {"info", session_info},
                                     {"lookup", session_lookup},
                                     {"lookup_failed", session_lookup_failed},
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
  smtp_open_server_config(L, config_methods);
  smtp_new_class(L, SESSION, methods, session_close);
}
