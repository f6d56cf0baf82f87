/* SPDX-License-Identifier: MIT */
/*
** socket.h: the class "smtp.socket", and what other bindings may ask of one.
*/
#ifndef SMTP_LUA_SOCKET_H
#define SMTP_LUA_SOCKET_H

#include "../core/smtp.h"

#include <lua.h>

/* Adds listen and connect to the table on the top. */
SMTP_FUNC int smtp_open_socket(lua_State *L);

/* The descriptor of an open socket: it is the caller's now, and the socket is
** closed. Raises otherwise. */
SMTP_FUNC int smtp_check_socket_take(lua_State *L, int arg);

#endif
