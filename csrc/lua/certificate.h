/* SPDX-License-Identifier: MIT */
/* certificate.h: certificates made in process, for smtp.authority. */
#ifndef SMTP_LUA_CERTIFICATE_H
#define SMTP_LUA_CERTIFICATE_H

#include "../core/smtp.h"

#include <lua.h>

/* Adds certificate to the table on the top. */
SMTP_FUNC void smtp_open_certificate(lua_State *L);

#endif
