/* SPDX-License-Identifier: MIT */
/*
** server_event.h: the events and verdicts of the server machine as Lua has them.
*/
#ifndef SMTP_LUA_SERVER_EVENT_H
#define SMTP_LUA_SERVER_EVENT_H

#include <lua.h>

#include "../core/server.h"

/* Pushes the event's name and what it brings; returns how many values. */
SMTP_FUNC int smtp_push_server_event(lua_State *L, const smtp_server_event *e);

/* The verdict by its name at arg. */
SMTP_FUNC smtp_verdict smtp_check_verdict(lua_State *L, int arg);

#endif
