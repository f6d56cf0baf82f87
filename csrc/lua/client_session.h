/* SPDX-License-Identifier: MIT */
/*
** client_session.h: private to the two files of "smtp.client_session": client.c
** moves commands, replies and content; client_secure.c is TLS and AUTH.
*/
#ifndef SMTP_LUA_CLIENT_SESSION_H
#define SMTP_LUA_CLIENT_SESSION_H

#include <lua.h>

#include "../core/client.h"
#include "../net/pump.h"

#define SMTP_CLIENT_SESSION "smtp.client_session"

typedef struct smtp_client_session {
  smtp_client *machine; /* NULL: closed */
  smtp_sasl *sasl;      /* of the last AUTH, which the machine borrows */
  smtp_pump pump;
} smtp_client_session;

/* The session at 1, which raises if it is closed, or has no socket. */
SMTP_FUNC smtp_client_session *smtp_client_session_check(lua_State *L);
SMTP_FUNC smtp_client_session *smtp_client_session_check_socket(lua_State *L);

/* true | nil, "busy" | "state" | "invalid" */
SMTP_FUNC int smtp_client_session_push_submitted(lua_State *L, int r);

/* client_secure.c: methods. */
SMTP_FUNC int smtp_client_session_secure(lua_State *L);
SMTP_FUNC int smtp_client_session_handshake(lua_State *L);
SMTP_FUNC int smtp_client_session_secured(lua_State *L);
SMTP_FUNC int smtp_client_session_info(lua_State *L);
SMTP_FUNC int smtp_client_session_bindings(lua_State *L);
SMTP_FUNC int smtp_client_session_tls_session(lua_State *L);
SMTP_FUNC int smtp_client_session_auth(lua_State *L);
SMTP_FUNC int smtp_client_session_auth_problem(lua_State *L);
SMTP_FUNC int smtp_client_session_auth_reason(lua_State *L);
SMTP_FUNC int smtp_client_session_auth_broken(lua_State *L);

#endif
