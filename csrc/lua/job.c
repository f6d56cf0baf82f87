/* SPDX-License-Identifier: MIT */
/*
** job.c: the class "smtp.job": work of a helper thread. Closing it does not
** stop the work, but drops its result.
*/
#include "job.h"
#include "../net/resolve.h"
#include "support.h"

#include <errno.h>

#define CLASS "smtp.job"

typedef struct handle {
  smtp_job *job; /* NULL when closed */
  smtp_job_pusher push;
} handle;

smtp_job **smtp_push_job(lua_State *L, smtp_job_pusher push) {
  handle *h = smtp_new_object(L, CLASS, sizeof *h);
  h->push = push;
  return &h->job;
}

static handle *checkjob(lua_State *L, int arg) {
  handle *h = luaL_checkudata(L, arg, CLASS);
  if (!h->job) luaL_argerror(L, arg, "the job is closed");
  return h;
}

static int job_close(lua_State *L) {
  handle *h = luaL_checkudata(L, 1, CLASS);
  smtp_job_release(h->job);
  h->job = NULL;
  return 0;
}

static int job_result(lua_State *L) {
  handle *h = checkjob(L, 1);
  if (smtp_job_done(h->job)) return h->push(L, h->job);
  lua_pushboolean(L, 0);
  return 1;
}

static int job_pollfd(lua_State *L) {
  lua_pushinteger(L, smtp_job_fd(checkjob(L, 1)->job));
  return 1;
}

static int job_events(lua_State *L) {
  checkjob(L, 1);
  lua_pushliteral(L, "r");
  return 1;
}

static int job_timeout(lua_State *L) {
  checkjob(L, 1);
  lua_pushnil(L);
  return 1;
}

/* A list of { host =, port =, family = }; or nil, text, "temporary" or
** "permanent". */
static int pushaddresses(lua_State *L, smtp_job *job) {
  const smtp_addresses *found = smtp_resolve_result(job);
  size_t i;
  if (found->count == 0)
    return smtp_push_failure(L, smtp_resolve_text(found),
                             smtp_resolve_temporary(found) ? "temporary"
                                                           : "permanent");
  lua_newtable(L);
  for (i = 0; i < found->count; i++) {
    const smtp_address *a = &found->list[i];
    char text[SMTP_ADDRESS_TEXT];
    lua_createtable(L, 0, 3); /* list, entry */
    lua_pushlstring(L, text, smtp_address_format(a, text));
    lua_setfield(L, -2, "host");
    lua_pushinteger(L, smtp_address_port(a));
    lua_setfield(L, -2, "port");
    lua_pushstring(L, a->u.any.sa_family == AF_INET ? "inet" : "inet6");
    lua_setfield(L, -2, "family");
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

static int core_resolve(lua_State *L) {
  smtp_slice host = smtp_check_slice(L, 1);
  unsigned port = smtp_check_port(L, 2);
  smtp_job **job = smtp_push_job(L, pushaddresses);
  *job = smtp_resolve_start(host, port);
  if (!*job) return smtp_push_errno(L, errno, NULL);
  return 1;
}

static const luaL_Reg methods[] = {
    {"result", job_result},   {"pollfd", job_pollfd}, {"events", job_events},
    {"timeout", job_timeout}, {"close", job_close},   {NULL, NULL}};

static const luaL_Reg functions[] = {{"resolve", core_resolve}, {NULL, NULL}};

int smtp_open_job(lua_State *L) {
  smtp_new_class(L, CLASS, methods, job_close);
  luaL_setfuncs(L, functions, 0);
  return 0;
}
