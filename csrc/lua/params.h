/* SPDX-License-Identifier: MIT */
/* params.h: parameters of MAIL and RCPT, and keywords of EHLO, from Lua. */
#ifndef SMTP_LUA_PARAMS_H
#define SMTP_LUA_PARAMS_H

#include <lua.h>

#include "../core/param.h"

#define SMTP_PARAMS_MAX 16

/* Reads { key, value, key, value ... }; true is a key without a value. A number
** is refused: its text would belong to nobody, while strings are the
** table's. */
SMTP_FUNC size_t smtp_check_params(lua_State *L, int t, smtp_param *params);

/* The extensions (OR of enum smtp_extension) whose keywords are keys of the
** table at t with true; other keys are ignored. */
SMTP_FUNC unsigned smtp_keyword_mask(lua_State *L, int t);

#endif
