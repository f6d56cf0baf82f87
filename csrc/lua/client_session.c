/* SPDX-License-Identifier: MIT */
/* client_session.c: see client_session.h for what this promises. */
#include "client_session.h"

#include <lauxlib.h>

#include "support.h"

smtp_client_session *smtp_client_session_check(lua_State *L) {
  smtp_client_session *c = smtp_check_self(L, SMTP_CLIENT_SESSION);
  if (c->machine == NULL) luaL_error(L, "connection is closed");
  return c;
}

smtp_client_session *smtp_client_session_check_socket(lua_State *L) {
  smtp_client_session *c = smtp_client_session_check(L);
  if (c->connection.fd < 0) luaL_error(L, "client has no socket");
  return c;
}

int smtp_client_session_push_submitted(lua_State *L, int r) {
  if (r == 0) {
    lua_pushboolean(L, 1);
    return 1;
  }
  if (r == SMTP_ENOMEM) return luaL_error(L, "not enough memory");
  if (r == SMTP_EBUSY)
    return smtp_push_failure(L, "replies or writes must come first", "busy");
  if (r == SMTP_EINVALID)
    return smtp_push_failure(L, "bytes that may not go out", "invalid");
  return smtp_push_failure(L, "not legal at this point", "state");
}
