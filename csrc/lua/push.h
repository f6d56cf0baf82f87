/* SPDX-License-Identifier: MIT */
/*
** push.h: the core's structs as Lua tables.
*/
#ifndef SMTP_LUA_PUSH_H
#define SMTP_LUA_PUSH_H

#include <lua.h>

#include "../core/buf.h"
#include "../core/param.h"
#include "../core/path.h"
#include "../core/reply.h"
#include "../core/smtp.h"

SMTP_FUNC void smtp_push_slice(lua_State *L, smtp_slice s);

/* Pushes an empty buffer of at most cap bytes, which Lua frees, so that an
** error of Lua loses nothing. */
SMTP_FUNC smtp_buf *smtp_push_buffer(lua_State *L, size_t cap);

/* Pushes what is in b as a string, and frees it; returns 1. */
SMTP_FUNC int smtp_push_bytes(lua_State *L, smtp_buf *b);

/* The class of those buffers, before anything that makes one. */
SMTP_FUNC void smtp_open_buffer(lua_State *L);

/* Sets code, lines, enhanced and text in the table on top. */
SMTP_FUNC void smtp_set_reply(lua_State *L, int code, smtp_status status,
                              smtp_slice text);

/* { code, text, lines, enhanced }: text without the enhanced code. */
SMTP_FUNC void smtp_push_reply(lua_State *L, const smtp_reply *reply,
                               smtp_status status);

/* { address, user, domain }; the null path has address "". */
SMTP_FUNC void smtp_push_path(lua_State *L, const smtp_path *path);

/* Sets field params of the table at the top: keys in upper case, a value of
** true where there was none. */
SMTP_FUNC void smtp_push_params(lua_State *L, smtp_slice params);

#endif
