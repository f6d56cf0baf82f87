/* SPDX-License-Identifier: MIT */
/*
** tls.h: the classes "smtp.tls_context" and "smtp.tls", and what sessions over
** TLS share.
*/
#ifndef SMTP_LUA_TLS_H
#define SMTP_LUA_TLS_H

#include <lua.h>

#include "../net/connection.h"

/* Adds tls_context to the table on the top. */
SMTP_FUNC void smtp_open_tls(lua_State *L);

/* The context of an open "smtp.tls_context"; borrowed. */
SMTP_FUNC SSL_CTX *smtp_check_tls_context(lua_State *L, int arg);

/* The engine of an open "smtp.tls", which is the caller's from now on. */
SMTP_FUNC smtp_tls *smtp_check_tls_take(lua_State *L, int arg);

/*
** The handshake of a session: true when it is done; false and "r" or "rw" (wait
** for it and call again); "name" and the name that the client wants; or nil, a
** sentence, and a word if it is known what is wrong: "clear" (the peer speaks
** in clear text), "closed" and a cause (the stream ended), or that of
** smtp_tls_distrust_word.
*/
SMTP_FUNC int smtp_tls_push_handshake(lua_State *L,
                                      smtp_connection *connection);

/* Answers "name": the argument is a context, false (refuse) or nil (none of
** its own). */
SMTP_FUNC int smtp_tls_take_choice(lua_State *L, smtp_tls *tls, int arg);

/* Channel bindings (tls-exporter, tls-server-end-point, "" for none), and the
** bytes that resume the session. Nothing without TLS. */
SMTP_FUNC int smtp_tls_push_bindings(lua_State *L, const smtp_tls *tls);
SMTP_FUNC int smtp_tls_push_session(lua_State *L, const smtp_tls *tls);

/* Pushes the properties of a connection: see engine:info. Nothing without
** TLS. */
SMTP_FUNC int smtp_tls_push_info(lua_State *L, const smtp_tls *tls);

#endif
