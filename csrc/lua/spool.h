/* SPDX-License-Identifier: MIT */
/*
** spool.h: the class "smtp.spool", and the way for a message's body to reach
** one without becoming a string.
*/
#ifndef SMTP_LUA_SPOOL_H
#define SMTP_LUA_SPOOL_H

#include "../core/smtp.h"

#include <lua.h>

/* Adds spool to the table on the top. */
SMTP_FUNC int smtp_open_spool(lua_State *L);

/*
** Appends n bytes to the spool that is argument arg: 0, or SMTP_ESYSTEM and
** errno. Raises if arg is no open spool.
*/
SMTP_FUNC int smtp_check_spool_write(lua_State *L, int arg, const char *p,
                                     size_t n);

#endif
