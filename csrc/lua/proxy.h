/* SPDX-License-Identifier: MIT */
/* proxy.h: the header of the PROXY protocol for Lua. */
#ifndef SMTP_LUA_PROXY_H
#define SMTP_LUA_PROXY_H

#include <lua.h>

#include "../core/smtp.h"

/*
** Reads more of a header off a socket and not a byte that is behind it; what
** was read before is the string at arg. Pushes { version, command, source,
** destination, tlvs }; or false and what was read so far, to wait for reading;
** or nil and a sentence. Returns how many.
*/
SMTP_FUNC int smtp_push_proxy_header(lua_State *L, int fd, int arg);

#endif
