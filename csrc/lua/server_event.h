/* SPDX-License-Identifier: MIT */
/*
** server_event.h: the events of the server machine as Lua sees them.
*/
#ifndef SMTP_LUA_SERVER_EVENT_H
#define SMTP_LUA_SERVER_EVENT_H

#include <lua.h>

#include "../core/server.h"

/* Pushes the event's name and what it brings; returns how many values. */
SMTP_FUNC int smtp_push_server_event(lua_State *L, const smtp_server_event *e);

#endif
