/* SPDX-License-Identifier: MIT */
/*
** client.c: "smtp.client_session": the core's client machine and, unless it is
** driven in memory, a socket, with TLS on it once it is secured. client:step()
** gives the next reply, or says what to wait for.
*/
#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <string.h>

#include "../core/client.h"
#include "../net/connection.h"
#include "../net/poller.h"
#include "../net/socket.h"
#include "client_session.h"
#include "open.h"
#include "params.h"
#include "push.h"
#include "socket.h"
#include "support.h"

#define CLOSED "the server closed the connection"

/* ---- the machine's verbs --------------------------------------------- */

static int verb_space(void *m, char **place, size_t *room) {
  return smtp_client_space(((smtp_client_session *)m)->machine, place, room);
}

static void verb_fed(void *m, size_t n) {
  smtp_client_fed(((smtp_client_session *)m)->machine, n);
}

static void verb_eof(void *m) {
  smtp_client_eof(((smtp_client_session *)m)->machine);
}

static smtp_slice verb_peek(void *m) {
  return smtp_client_peek(((smtp_client_session *)m)->machine);
}

/* Queues the next bytes at once if all are written. */
static void verb_sent(void *m, size_t n) {
  smtp_client *machine = ((smtp_client_session *)m)->machine;
  smtp_client_sent(machine, n);
  if (smtp_client_peek(machine).n == 0) smtp_client_advance(machine);
}

/* Whether Lua is asked for more of the message that it sends, or is told that
** no more is needed. */
static bool is_wanted(const smtp_client_session *c) {
  return c->sending && smtp_client_wants(c->machine) != SMTP_WANT_TIME;
}

static int verb_next(void *m) {
  smtp_client_session *c = m;
  int r = smtp_client_next(c->machine, &c->event);
  c->wanted = r == 0 && is_wanted(c);
  return c->wanted ? 1 : r;
}

/* It reads while it cannot write, so that two full pipes never wait for each
** other (RFC 2920 section 3.1). Bytes that come although no reply is due are
** judged before a flight goes out: later they would seem to answer it. */
static unsigned verb_may(void *m) {
  smtp_client_session *c = m;
  unsigned may = SMTP_MAY_WRITE | SMTP_MAY_BOTH;
  if (smtp_client_paused(c->machine)) return 0;
  if (!smtp_client_expects(c->machine)) may |= SMTP_MAY_LOOK;
  if (!is_wanted(c)) may |= SMTP_MAY_READ;
  return may;
}

static const smtp_verbs verbs = {verb_space, verb_fed,  verb_eof, verb_peek,
                                 verb_sent,  verb_next, verb_may, NULL};

/* core.client([socket [, disable [, strict_body [, tls]]]]): takes the socket;
** tls: without TLS only EHLO, STARTTLS, NOOP and QUIT may be said. */
static int client_new(lua_State *L) {
  smtp_client_config config = {0, false, false, false};
  bool socket = !lua_isnoneornil(L, 1);
  smtp_client_session *c;
  lua_settop(L, 5);
  config.disable = smtp_keyword_mask(L, 2);
  config.strict_body = lua_toboolean(L, 3);
  config.tls = lua_toboolean(L, 4);
  config.trace = lua_toboolean(L, 5);
  c = lua_newuserdatauv(L, sizeof *c, 1);
  memset(c, 0, sizeof *c);
  lua_newtable(L);
  lua_setiuservalue(L, -2, 1);
  smtp_connection_init(&c->connection, &verbs, c, -1);
  luaL_setmetatable(L, SMTP_CLIENT_SESSION);
  if (socket) c->connection.fd = smtp_check_socket_take(L, 1);
  c->machine = smtp_client_new(smtp_mem_libc(), &config);
  if (c->machine == NULL) return luaL_error(L, "not enough memory");
  c->connection.readable = false; /* the greeting takes a round trip at least */
  return 1;
}

static int client_close(lua_State *L) {
  smtp_client_session *c = luaL_checkudata(L, 1, SMTP_CLIENT_SESSION);
  smtp_connection_close(&c->connection);
  if (c->machine != NULL)
    smtp_transcript_move(&c->transcript, smtp_client_transcript(c->machine));
  smtp_client_free(c->machine);
  smtp_transaction_free(c->plan);
  c->plan = NULL;
  smtp_sasl_free(c->sasl);
  c->sasl = NULL;
  c->machine = NULL;
  return 0;
}

static int client_free(lua_State *L) {
  smtp_client_session *c = luaL_checkudata(L, 1, SMTP_CLIENT_SESSION);
  client_close(L);
  smtp_transcript_clear(&c->transcript);
  return 0;
}

static int client_abort(lua_State *L) {
  smtp_client_session *c = smtp_client_session_check(L);
  if (c->connection.fd >= 0) smtp_socket_abort(c->connection.fd);
  c->connection.fd = -1;
  return client_close(L);
}

/* nil, sentence, "tls" [, "alert"]; nil, sentence, "closed", cause */
static int fail_tls(lua_State *L, const smtp_tls *tls) {
  const char *end = smtp_tls_end(tls);
  if (end == NULL) {
    smtp_push_failure(L, smtp_tls_error(tls), "tls");
    if (smtp_tls_is_alert(tls)) lua_pushliteral(L, "alert");
    return smtp_tls_is_alert(tls) ? 4 : 3;
  }
  smtp_push_failure(L, CLOSED, "closed");
  lua_pushstring(L, end);
  return 4;
}

/* nil, sentence, "protocol", nil [, the reply whose lines differ] */
static int fail_protocol(lua_State *L, const smtp_client *machine) {
  smtp_status status;
  const smtp_reply *said = smtp_client_said(machine, &status);
  smtp_push_failure(L, smtp_client_reason(machine), "protocol");
  if (said == NULL) return 3;
  lua_pushnil(L);
  smtp_push_reply(L, said, status);
  return 5;
}

/* nil, sentence, kind [, cause [, reply]] */
static int fail(lua_State *L, smtp_client_session *c, int r) {
  if (r == SMTP_ESYSTEM) {
    smtp_push_errno(L, errno, NULL); /* nil, message, name */
    lua_pushliteral(L, "system");
    lua_insert(L, -2); /* nil, message, "system", name */
    return 4;
  }
  if (r == SMTP_ETLS) return fail_tls(L, c->connection.tls);
  if (r == SMTP_EPROTOCOL) return fail_protocol(L, c->machine);
  if (r != SMTP_ECLOSED) return luaL_error(L, "not enough memory");
  return smtp_push_failure(L, CLOSED, "closed");
}

static const char *step_name(smtp_client_step step) {
  static const char *const names[] = {
      "unasked",   "greeting", "ehlo", "mail", "rcpt",     "data", "final",
      "recipient", "chunk",    "rset", "quit", "starttls", "auth", "command"};
  return names[step];
}

/* Pushes what next gave: step name, reply table; or "ended" and these; or
** "message" and what became of it; or nothing; or a failure. */
static int push_next(lua_State *L, smtp_client_session *c, int r,
                     const smtp_client_event *e) {
  if (r < 0) return fail(L, c, r);
  if (r == 0) return 0;
  if (e->kind == SMTP_CLIENT_MESSAGE)
    return smtp_client_session_push_message(L, e->transaction);
  if (e->kind == SMTP_CLIENT_ENDED) lua_pushliteral(L, "ended");
  lua_pushstring(L, step_name(e->step));
  smtp_push_reply(L, e->reply, e->status);
  return e->kind == SMTP_CLIENT_ENDED ? 3 : 2;
}

/* client:next() -> step, reply | nothing | nil, sentence, kind: in memory. */
static int client_next(lua_State *L) {
  smtp_client_session *c = smtp_client_session_check(L);
  smtp_client_event e;
  int r = smtp_client_next(c->machine, &e);
  return push_next(L, c, r, &e);
}

static int push_wanted(lua_State *L, const smtp_client *machine) {
  lua_pushstring(L, smtp_client_wants(machine) == SMTP_WANT_CONTENT ? "content"
                                                                    : "sent");
  return 1;
}

/*
** client:step([sending]) -> step, reply | "ended", step, reply | "message" ... |
** "content" or "sent", if it is asked about the message being sent | false, "r"
** or "rw" (what to wait for) | nil, sentence, kind [, cause [, reply]]. A write
** that fails is told only when there is no reply left that explains it.
*/
static int client_step(lua_State *L) {
  smtp_client_session *c = smtp_client_session_check_socket(L);
  bool writes;
  int r;
  c->sending = lua_toboolean(L, 2);
  lua_settop(L, 1);
  r = smtp_connection_step(&c->connection);
  if (r > 0 && c->wanted) return push_wanted(L, c->machine);
  if (r != 0) return push_next(L, c, r, &c->event);
  if (smtp_client_paused(c->machine)) return luaL_error(L, "TLS is due");
  writes = c->connection.again || (c->connection.waits & SMTP_WRITE) != 0;
  lua_pushboolean(L, 0);
  lua_pushstring(L, writes ? "rw" : "r");
  return 2;
}

/* client:flush() -> true | false (wait for "rw", then step or flush) | nil,
** sentence, kind [, cause]. A reply that came early is left for step. */
static int client_flush(lua_State *L) {
  smtp_client_session *c = smtp_client_session_check_socket(L);
  int r = smtp_connection_write(&c->connection);
  if (r == SMTP_ESYSTEM || r == SMTP_ETLS) return fail(L, c, r);
  lua_pushboolean(L, r == 0);
  return 1;
}

/* client:submit(name [, args]) */
static int client_submit(lua_State *L) {
  smtp_client_session *c = smtp_client_session_check(L);
  smtp_slice name, args;
  name.p = luaL_checklstring(L, 2, &name.n);
  args.p = luaL_optlstring(L, 3, "", &args.n);
  return smtp_client_session_push_submitted(
      L, smtp_client_submit(c->machine, name, args));
}

/* client:submit_path("MAIL" | "RCPT", mailbox [, params]) */
static int client_submit_path(lua_State *L) {
  static const char *const names[] = {"MAIL", "RCPT", NULL};
  static const smtp_verb verb[] = {SMTP_VERB_MAIL, SMTP_VERB_RCPT};
  static const unsigned flag[] = {SMTP_PATH_NULL, SMTP_PATH_POSTMASTER};
  smtp_client_session *c = smtp_client_session_check(L);
  int i = luaL_checkoption(L, 2, NULL, names);
  smtp_param params[SMTP_PARAMS_MAX];
  smtp_path path;
  smtp_slice text;
  size_t used, n;
  text.p = luaL_checklstring(L, 3, &text.n);
  n = smtp_check_params(L, 4, params);
  if (smtp_path_parse(&path, text, SMTP_PATH_BARE | SMTP_PATH_STRICT | flag[i],
                      &used) != 0 ||
      used != text.n)
    return smtp_client_session_push_submitted(L, SMTP_EINVALID);
  return smtp_client_session_push_submitted(
      L, smtp_client_submit_path(c->machine, verb[i], &path, params, n));
}

/* client:body(bytes [, first]) -> how many were taken | nil, text,
** "invalid" | "state" */
static int client_body(lua_State *L) {
  smtp_client_session *c = smtp_client_session_check(L);
  smtp_slice all;
  size_t first, taken;
  int r;
  all.p = luaL_checklstring(L, 2, &all.n);
  first = (size_t)luaL_optinteger(L, 3, 1) - 1;
  luaL_argcheck(L, first <= all.n, 3, "beyond the end");
  r = smtp_client_body(c->machine, (smtp_slice){all.p + first, all.n - first},
                       &taken);
  if (r != 0) return smtp_client_session_push_submitted(L, r);
  lua_pushinteger(L, (lua_Integer)taken);
  return 1;
}

/* client:chunks(binary): content goes in chunks, in the place of DATA */
static int client_chunks(lua_State *L) {
  smtp_client_session *c = smtp_client_session_check(L);
  return smtp_client_session_push_submitted(
      L, smtp_client_chunks(c->machine, lua_toboolean(L, 2)));
}

/* client:written() -> bytes that were ever written */
static int client_written(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)smtp_client_written(
                         smtp_client_session_check(L)->machine));
  return 1;
}

/* ---- in memory, and for who waits ------------------------------------ */

/* client:finish([whole]): false abandons content in chunks */
static int client_finish(lua_State *L) {
  smtp_client_session *c = smtp_client_session_check(L);
  bool whole = lua_isnone(L, 2) || lua_toboolean(L, 2);
  return smtp_client_session_push_submitted(
      L,
      whole ? smtp_client_finish(c->machine) : smtp_client_abandon(c->machine));
}

static int client_feed(lua_State *L) {
  smtp_client_session *c = smtp_client_session_check(L);
  size_t n;
  const char *p = luaL_checklstring(L, 2, &n);
  return smtp_client_session_push_submitted(L,
                                            smtp_client_feed(c->machine, p, n));
}

static int client_eof(lua_State *L) {
  smtp_client_eof(smtp_client_session_check(L)->machine);
  return 0;
}

static int client_peek(lua_State *L) {
  smtp_push_slice(L, smtp_client_peek(smtp_client_session_check(L)->machine));
  return 1;
}

static int client_sent(lua_State *L) {
  smtp_client_session *c = smtp_client_session_check(L);
  lua_Integer n = luaL_checkinteger(L, 2);
  luaL_argcheck(L, n >= 0 && (lua_Unsigned)n <= smtp_client_peek(c->machine).n,
                2, "more than there is");
  smtp_client_sent(c->machine, (size_t)n);
  return 0;
}

/* client:awaits() -> the step that the next reply answers | "unasked" */
static int client_awaits(lua_State *L) {
  lua_pushstring(
      L, step_name(smtp_client_awaits(smtp_client_session_check(L)->machine)));
  return 1;
}

/* client:in_step() -> false after more replies than commands */
static int client_in_step(lua_State *L) {
  lua_pushboolean(L,
                  smtp_client_in_step(smtp_client_session_check(L)->machine));
  return 1;
}

/* client:writes_content() -> whether content is begun and not written to its
** end */
static int client_writes_content(lua_State *L) {
  smtp_client_session *c = smtp_client_session_check(L);
  lua_pushboolean(L, smtp_client_writes_content(c->machine));
  return 1;
}

static int client_outstanding(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)smtp_client_outstanding(
                         smtp_client_session_check(L)->machine));
  return 1;
}

static int client_usable(lua_State *L) {
  smtp_client_session *c = luaL_checkudata(L, 1, SMTP_CLIENT_SESSION);
  lua_pushboolean(L, c->machine != NULL && smtp_client_usable(c->machine));
  return 1;
}

/* client:pending() -> bytes that wait to be written */
static int client_pending(lua_State *L) {
  smtp_client_session *c = smtp_client_session_check(L);
  size_t n = smtp_client_peek(c->machine).n;
  if (c->connection.tls != NULL) n += smtp_tls_peek(c->connection.tls).n;
  lua_pushinteger(L, (lua_Integer)n);
  return 1;
}

static int client_pollfd(lua_State *L) {
  lua_pushinteger(L, smtp_client_session_check_socket(L)->connection.fd);
  return 1;
}

static int client_events(lua_State *L) {
  smtp_client_session *c = smtp_client_session_check(L);
  lua_pushstring(L, smtp_connection_waits(&c->connection) ? "rw" : "r");
  return 1;
}

static int client_timeout(lua_State *L) {
  smtp_client_session_check(L);
  return 0; /* its phases are timed in Lua */
}

void smtp_open_client(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"step", client_step},
      {"next", client_next},
      {"flush", client_flush},
      {"submit", client_submit},
      {"submit_path", client_submit_path},
      {"body", client_body},
      {"chunks", client_chunks},
      {"message", smtp_client_session_message},
      {"content", smtp_client_session_content},
      {"give_up", smtp_client_session_give_up},
      {"outcome", smtp_client_session_outcome},
      {"lose", smtp_client_session_lose},
      {"idle", smtp_client_session_idle},
      {"needs_rset", smtp_client_session_needs_rset},
      {"anew", smtp_client_session_anew},
      {"transcript", smtp_client_session_transcript},
      {"said", smtp_client_session_said},
      {"written", client_written},
      {"finish", client_finish},
      {"feed", client_feed},
      {"eof", client_eof},
      {"peek", client_peek},
      {"sent", client_sent},
      {"awaits", client_awaits},
      {"in_step", client_in_step},
      {"writes_content", client_writes_content},
      {"outstanding", client_outstanding},
      {"pending", client_pending},
      {"usable", client_usable},
      {"pollfd", client_pollfd},
      {"events", client_events},
      {"timeout", client_timeout},
      {"abort", client_abort},
      {"close", client_close},
      {"secure", smtp_client_session_secure},
      {"handshake", smtp_client_session_handshake},
      {"secured", smtp_client_session_secured},
      {"info", smtp_client_session_info},
      {"bindings", smtp_client_session_bindings},
      {"tls_session", smtp_client_session_tls_session},
      {"auth", smtp_client_session_auth},
      {"auth_problem", smtp_client_session_auth_problem},
      {"auth_reason", smtp_client_session_auth_reason},
      {"auth_broken", smtp_client_session_auth_broken},
      {NULL, NULL}};
  smtp_new_class(L, SMTP_CLIENT_SESSION, methods, client_free);
  lua_pushcfunction(L, client_new);
  lua_setfield(L, -2, "client");
}
