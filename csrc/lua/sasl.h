/* SPDX-License-Identifier: MIT */
/*
** sasl.h: the class "smtp.sasl", one exchange of one side, and the functions
** around it: keys of SCRAM, base64, random bytes, a comparison in constant
** time.
*/
#ifndef SMTP_LUA_SASL_H
#define SMTP_LUA_SASL_H

#include "../core/sasl.h"

#include <lua.h>

/* Adds the functions to the table on the top. */
SMTP_FUNC void smtp_open_sasl(lua_State *L);

/* The exchange that is argument arg, which is the caller's from now on; raises
** if it is no open one. */
SMTP_FUNC smtp_sasl *smtp_check_sasl_take(lua_State *L, int arg);

/* Keys at 2: a password, a table as core.scram_keys makes, or neither: nobody,
** at the cost of stored keys if 3 is true. The slices are the arguments'. */
SMTP_FUNC smtp_sasl_keys smtp_check_sasl_keys(lua_State *L);

#endif
