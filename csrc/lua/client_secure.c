/* SPDX-License-Identifier: MIT */
/* client_secure.c: TLS and AUTH of a "smtp.client_session". */
#include <lauxlib.h>

#include "client_session.h"
#include "push.h"
#include "sasl.h"
#include "tls.h"

/* client:secure(engine): TLS begins on the socket; then handshake. */
int smtp_client_session_secure(lua_State *L) {
  smtp_client_session *c = smtp_client_session_check_socket(L);
  luaL_argcheck(L, c->connection.tls == NULL, 1, "there is TLS already");
  smtp_connection_secure(&c->connection, smtp_check_tls_take(L, 2));
  return 0;
}

static smtp_client_session *check_tls(lua_State *L) {
  smtp_client_session *c = smtp_client_session_check_socket(L);
  if (c->connection.tls == NULL) luaL_error(L, "client has no TLS");
  return c;
}

/* client:handshake(): see smtp_tls_push_handshake. */
int smtp_client_session_handshake(lua_State *L) {
  return smtp_tls_push_handshake(L, &check_tls(L)->connection);
}

/* client:secured(): the handshake is done. */
int smtp_client_session_secured(lua_State *L) {
  if (smtp_client_secured(smtp_client_session_check(L)->machine) != 0)
    return luaL_error(L, "TLS is not due");
  return 0;
}

/* client:info() -> the facts of TLS, or nothing without TLS */
int smtp_client_session_info(lua_State *L) {
  return smtp_tls_push_info(L, smtp_client_session_check(L)->connection.tls);
}

/* client:bindings() -> tls-exporter, tls-server-end-point; "" for none */
int smtp_client_session_bindings(lua_State *L) {
  return smtp_tls_push_bindings(L,
                                smtp_client_session_check(L)->connection.tls);
}

/* client:tls_session() -> bytes to resume it by, or nothing */
int smtp_client_session_tls_session(lua_State *L) {
  return smtp_tls_push_session(L, smtp_client_session_check(L)->connection.tls);
}

/* client:auth(sasl) -> true | nil, text, "busy" | "state" | "invalid". The exchange is
** the client's from now on. Replies of the step "auth" come then; all but a 334
** end it. */
int smtp_client_session_auth(lua_State *L) {
  smtp_client_session *c = smtp_client_session_check(L);
  smtp_sasl *sasl = smtp_check_sasl_take(L, 2);
  int r = smtp_client_auth(c->machine, sasl);
  if (r != 0) {
    smtp_sasl_free(sasl);
    return smtp_client_session_push_submitted(L, r);
  }
  smtp_sasl_free(c->sasl); /* of an exchange that is over */
  c->sasl = sasl;
  return smtp_client_session_push_submitted(L, 0);
}

/* client:auth_problem() -> the JSON by which a token was refused, or nothing */
int smtp_client_session_auth_problem(lua_State *L) {
  smtp_client_session *c = smtp_client_session_check(L);
  smtp_slice problem;
  if (c->sasl == NULL) return 0;
  problem = smtp_sasl_problem(c->sasl);
  if (problem.n == 0) return 0;
  smtp_push_slice(L, problem);
  return 1;
}

/* client:auth_reason() -> why the exchange failed on our side; "" */
int smtp_client_session_auth_reason(lua_State *L) {
  lua_pushstring(
      L, smtp_client_auth_reason(smtp_client_session_check(L)->machine));
  return 1;
}

/* client:auth_broken() -> whether the reason is a challenge that the mechanism
** does not have */
int smtp_client_session_auth_broken(lua_State *L) {
  lua_pushboolean(
      L, smtp_client_auth_broken(smtp_client_session_check(L)->machine));
  return 1;
}
