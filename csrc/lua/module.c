/* SPDX-License-Identifier: MIT */
/* module.c: "smtp.core", the one module in C; lua/smtp is what users call. */
#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <sys/stat.h>

#include "certificate.h"
#include "job.h"
#include "open.h"
#include "poller.h"
#include "push.h"
#include "sasl.h"
#include "socket.h"
#include "spool.h"
#include "support.h"
#include "tls.h"

#if defined(__GNUC__)
#define EXPORT __attribute__((visibility("default")))
#else
#define EXPORT
#endif

/* core.mkdir(path) -> true (made, or there already) | nil, message, errno name;
** for Maildirs, which only their owner may read. */
static int make_folder(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  int r = mkdir(path, 0700) == 0 || errno == EEXIST ? 0 : SMTP_ESYSTEM;
  return smtp_push_result(L, r);
}

EXPORT int luaopen_smtp_core(lua_State *L);

int luaopen_smtp_core(lua_State *L) {
  lua_newtable(L); /* core */
  lua_pushcfunction(L, make_folder);
  lua_setfield(L, -2, "mkdir");
  smtp_open_buffer(L);
  smtp_open_socket(L);
  smtp_open_poller(L);
  smtp_open_job(L);
  smtp_open_spool(L);
  smtp_open_sasl(L);
  smtp_open_grammar(L);
  smtp_open_mime_compose(L);
  smtp_open_mime_parse(L);
  smtp_open_tls(L);
  smtp_open_certificate(L);
  smtp_open_dkim(L);
  smtp_open_server(L);
  smtp_open_client(L);
  return 1;
}
