/* SPDX-License-Identifier: MIT */
/*
** spool.c: the class "smtp.spool": a file on its way to be durable. A spool
** that is closed, collected or left by an error before its commit leaves
** nothing behind.
*/
#include "spool.h"
#include "../net/spool.h"
#include "job.h"
#include "support.h"

#include <errno.h>

#define CLASS "smtp.spool"

typedef struct handle {
  smtp_spool *spool; /* NULL when committed or discarded */
} handle;

static handle *checkhandle(lua_State *L, int arg) {
  handle *h = luaL_checkudata(L, arg, CLASS);
  if (!h->spool) luaL_argerror(L, arg, "the spool is closed");
  return h;
}

int smtp_check_spool_write(lua_State *L, int arg, const char *p, size_t n) {
  return smtp_spool_write(checkhandle(L, arg)->spool, p, n);
}

/* Also __gc and __close: it may come again, and after a commit. */
static int spool_close(lua_State *L) {
  handle *h = luaL_checkudata(L, 1, CLASS);
  smtp_spool_free(h->spool);
  h->spool = NULL;
  return 0;
}

static int core_spool(lua_State *L) {
  smtp_slice path = smtp_check_slice(L, 1);
  handle *h = smtp_new_object(L, CLASS, sizeof *h);
  h->spool = smtp_spool_new(path);
  if (!h->spool) return smtp_push_errno(L, errno, path.p);
  return 1;
}

static int spool_write(lua_State *L) {
  handle *h = checkhandle(L, 1);
  smtp_slice s = smtp_check_slice(L, 2);
  if (smtp_spool_write(h->spool, s.p, s.n) < 0)
    return smtp_push_errno(L, errno, smtp_spool_path(h->spool));
  lua_pushboolean(L, 1);
  return 1;
}

static int spool_path(lua_State *L) {
  lua_pushstring(L, smtp_spool_path(checkhandle(L, 1)->spool));
  return 1;
}

static int pushcommitted(lua_State *L, smtp_job *job) {
  const char *path = NULL;
  int error = 0;
  smtp_spool_result(job, &error, &path);
  if (error) return smtp_push_errno(L, error, path);
  lua_pushboolean(L, 1);
  return 1;
}

/* spool:commit(target [, overwrite [, above]]): see smtp_spool_commit. */
static int spool_commit(lua_State *L) {
  handle *h = checkhandle(L, 1);
  smtp_slice target = smtp_check_slice(L, 2);
  bool overwrite = lua_toboolean(L, 3);
  lua_Integer above = luaL_optinteger(L, 4, 0);
  smtp_job **job;
  luaL_argcheck(L, above >= 0 && above <= 8, 4, "0 to 8 folders");
  job = smtp_push_job(L, pushcommitted);
  *job = smtp_spool_commit(h->spool, target, overwrite, (int)above);
  if (!*job) return smtp_push_errno(L, errno, smtp_spool_path(h->spool));
  h->spool = NULL; /* the job's */
  return 1;
}

static const luaL_Reg methods[] = {{"write", spool_write},
                                   {"commit", spool_commit},
                                   {"path", spool_path},
                                   {"close", spool_close},
                                   {NULL, NULL}};

static const luaL_Reg functions[] = {{"spool", core_spool}, {NULL, NULL}};

int smtp_open_spool(lua_State *L) {
  smtp_new_class(L, CLASS, methods, spool_close);
  luaL_setfuncs(L, functions, 0);
  return 0;
}
