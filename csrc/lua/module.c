/* SPDX-License-Identifier: MIT */
/* module.c: "smtp.core", the one module in C; lua/smtp is what users call. */
#include <lauxlib.h>
#include <lua.h>

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

EXPORT int luaopen_smtp_core(lua_State *L);

int luaopen_smtp_core(lua_State *L) {
  luaL_checkversion(L); /* a Lua of other headers raises here */
  lua_newtable(L);      /* core */
  smtp_open_buffer(L);
  smtp_open_socket(L);
  smtp_open_poller(L);
  smtp_open_job(L);
  smtp_open_spool(L);
  smtp_open_file(L);
  smtp_open_sasl(L);
  smtp_open_grammar(L);
  smtp_open_mime_compose(L);
  smtp_open_mime_parse(L);
  smtp_open_mime_mailbox(L);
  smtp_open_tls(L);
  smtp_open_certificate(L);
  smtp_open_dkim(L);
  smtp_open_dns(L);
  smtp_open_proxy(L);
  smtp_open_server(L);
  smtp_open_client(L);
  smtp_open_mock(L);
  smtp_open_signals(L);
  smtp_open_process(L);
  return 1;
}
