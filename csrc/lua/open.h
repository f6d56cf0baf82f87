/* SPDX-License-Identifier: MIT */
/*
** open.h: the bindings that only module.c opens. Each adds its functions to
** the table on the top.
*/
#ifndef SMTP_LUA_OPEN_H
#define SMTP_LUA_OPEN_H

#include <lua.h>

#include "../core/smtp.h"

SMTP_FUNC void smtp_open_file(lua_State *L); /* files by their names */
SMTP_FUNC void smtp_open_mock(lua_State *L);
SMTP_FUNC void smtp_open_signals(lua_State *L);
SMTP_FUNC void smtp_open_process(lua_State *L);
SMTP_FUNC void smtp_open_grammar(lua_State *L);
SMTP_FUNC void smtp_open_mime_compose(lua_State *L);
SMTP_FUNC void smtp_open_dkim(lua_State *L);
SMTP_FUNC void smtp_open_dns(lua_State *L);
SMTP_FUNC void smtp_open_proxy(lua_State *L);
SMTP_FUNC void smtp_open_server(lua_State *L);       /* sessions of a server */
SMTP_FUNC void smtp_open_client(lua_State *L);       /* and of a client */
SMTP_FUNC void smtp_open_mime_parse(lua_State *L);   /* readers of messages */
SMTP_FUNC void smtp_open_mime_mailbox(lua_State *L); /* address lists */

#endif
