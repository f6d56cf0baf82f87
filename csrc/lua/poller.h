/* SPDX-License-Identifier: MIT */
/*
** poller.h: the class "smtp.poller".
*/
#ifndef SMTP_LUA_POLLER_H
#define SMTP_LUA_POLLER_H

#include "../core/smtp.h"

#include <lua.h>

/* Adds poller and now to the table on the top. */
SMTP_FUNC int smtp_open_poller(lua_State *L);

#endif
