/* SPDX-License-Identifier: MIT */
/*
** server_config.h: the class "smtp.server_config", as sessions see it.
*/
#ifndef SMTP_LUA_SERVER_CONFIG_H
#define SMTP_LUA_SERVER_CONFIG_H

#include <lauxlib.h>
#include <lua.h>

#include "../core/server.h"

/* The configuration at arg, which the caller keeps alive. */
SMTP_FUNC const smtp_server_config *smtp_check_server_config(lua_State *L,
                                                             int arg);

/* Makes the class, with these methods, and adds server_config to the table on
** the top. */
SMTP_FUNC void smtp_open_server_config(lua_State *L, const luaL_Reg *methods);

#endif
