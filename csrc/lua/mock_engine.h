/* SPDX-License-Identifier: MIT */
/* mock_engine.h: engines for mocks that are driven by a loop. */
#ifndef SMTP_LUA_MOCK_ENGINE_H
#define SMTP_LUA_MOCK_ENGINE_H

#include <lua.h>

#include "../mock/engine.h"

/* Raises if the argument is none, or was collected. */
SMTP_FUNC smtp_engine *smtp_check_mock_engine(lua_State *L, int arg);

/* Adds core.mock_engine to the table on the top. */
SMTP_FUNC void smtp_open_mock_engine(lua_State *L);

#endif
