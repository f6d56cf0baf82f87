/* SPDX-License-Identifier: MIT */
/*
** client_session.h: private to the files of "smtp.client_session": client.c
** moves bytes, commands and replies; client_message.c sends whole messages;
** client_secure.c is TLS and AUTH.
*/
#ifndef SMTP_LUA_CLIENT_SESSION_H
#define SMTP_LUA_CLIENT_SESSION_H

#include <lua.h>

#include "../core/client.h"
#include "../net/connection.h"

#define SMTP_CLIENT_SESSION "smtp.client_session"

typedef struct smtp_client_session {
  smtp_client *machine;       /* NULL: closed */
  smtp_sasl *sasl;            /* of the last AUTH, which the machine borrows */
  smtp_transaction *plan;     /* of a message that is not the machine's yet */
  int tags;                   /* given to transactions so far */
  smtp_transcript transcript; /* of a machine that was closed */
  smtp_connection connection;
  smtp_client_event event; /* of the last step */
  bool sending; /* a step also ends when the message can go on: it is wanted */
  bool wanted;
} smtp_client_session;

/* The session at 1, which raises if it is closed, or has no socket. */
SMTP_FUNC smtp_client_session *smtp_client_session_check(lua_State *L);
SMTP_FUNC smtp_client_session *smtp_client_session_check_socket(lua_State *L);

/* true | nil, text, "busy" | "state" | "invalid" */
SMTP_FUNC int smtp_client_session_push_submitted(lua_State *L, int r);

/* client_message.c: pushes "message" and what became of it; methods. */
SMTP_FUNC int smtp_client_session_push_message(lua_State *L,
                                               const smtp_transaction *t);
SMTP_FUNC int smtp_client_session_message(lua_State *L);
SMTP_FUNC int smtp_client_session_content(lua_State *L);
SMTP_FUNC int smtp_client_session_give_up(lua_State *L);
SMTP_FUNC int smtp_client_session_outcome(lua_State *L);
SMTP_FUNC int smtp_client_session_lose(lua_State *L);
SMTP_FUNC int smtp_client_session_idle(lua_State *L);
SMTP_FUNC int smtp_client_session_needs_rset(lua_State *L);
SMTP_FUNC int smtp_client_session_anew(lua_State *L);
SMTP_FUNC int smtp_client_session_transcript(lua_State *L);
SMTP_FUNC int smtp_client_session_said(lua_State *L);

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
