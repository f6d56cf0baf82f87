/* SPDX-License-Identifier: MIT */
/*
** support.h: classes, option tables, and the one shape of a failure: nil, a
** text for people, and a word for programs, such as the name of an errno. See
** types/internal/core.d.lua.
**
** Every constructor makes its userdata with nothing inside, and acquires only
** then, so that an error of Lua cannot lose what was acquired.
*/
#ifndef SMTP_LUA_SUPPORT_H
#define SMTP_LUA_SUPPORT_H

#include "../core/smtp.h"

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>

/*
** Makes the metatable of a class, as "smtp.socket": __name, __index with the
** methods, and close as __gc and __close. If the methods have a "close" it
** should be the same function. NULL: there is nothing to close.
*/
SMTP_FUNC void smtp_new_class(lua_State *L, const char *name,
                              const luaL_Reg *methods, lua_CFunction close);

/*
** The object that a method of the class name was called on, as luaL_checkudata
** without its look-up by name: methods have their metatable as first upvalue.
*/
SMTP_FUNC void *smtp_check_self(lua_State *L, const char *name);

/* Pushes a userdata of n cleared bytes with the metatable of the class. */
SMTP_FUNC void *smtp_new_object(lua_State *L, const char *name, size_t n);

/* Pushes nil, the text of error (after "context: ") and its name; returns 3. */
SMTP_FUNC int smtp_push_errno(lua_State *L, int error, const char *context);

/* Pushes nil, the text, and the word unless it is NULL; returns how many. */
SMTP_FUNC int smtp_push_failure(lua_State *L, const char *text,
                                const char *word);

/* Pushes true and returns 1, or if result is negative, the errno. */
SMTP_FUNC int smtp_push_result(lua_State *L, int result);

/* The string argument arg. */
SMTP_FUNC smtp_slice smtp_check_slice(lua_State *L, int arg);

/* A port from 0 to 65535. */
SMTP_FUNC unsigned smtp_check_port(lua_State *L, int arg);

/* Raises unless arg is a table whose keys all are in names (NULL ends it). */
SMTP_FUNC void smtp_check_options(lua_State *L, int arg,
                                  const char *const *names);

/*
** One option of the table arg; each raises if the type is wrong. The slice is
** borrowed while the table is not changed; its p is NULL when absent.
*/
SMTP_FUNC smtp_slice smtp_option_slice(lua_State *L, int arg, const char *name);
SMTP_FUNC lua_Integer smtp_option_integer(lua_State *L, int arg,
                                          const char *name, lua_Integer low,
                                          lua_Integer high, lua_Integer absent);
SMTP_FUNC bool smtp_option_boolean(lua_State *L, int arg, const char *name);

#endif
