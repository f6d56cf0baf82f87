/* SPDX-License-Identifier: MIT */
/* mock_rule.h: rules of a mock as tables of Lua. */
#ifndef SMTP_LUA_MOCK_RULE_H
#define SMTP_LUA_MOCK_RULE_H

#include <lua.h>

#include "../mock/rule.h"

/*
** Pushes an object that owns the rule of the table at arg, until it is taken:
** { point, verb, from, to, text, user, session, tls, auth, count, n, bytes,
** steps = { { { act, text =, seconds =, n = } ... } ... } }
*/
SMTP_FUNC smtp_mock_rule **smtp_push_mock_rule(lua_State *L, int arg);

/* The class of those objects. */
SMTP_FUNC void smtp_open_mock_rule(lua_State *L);

#endif
