/* SPDX-License-Identifier: MIT */
/*
** process.c: the classes "smtp.child", a process that was forked here, and
** "smtp.lifeline"; see net/process.h.
*/
#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <signal.h>
#include <unistd.h>

#include "../net/process.h"
#include "open.h"
#include "support.h"

#define CHILD "smtp.child"
#define LIFELINE "smtp.lifeline"

typedef struct handle {
  pid_t pid;    /* kept when it has ended */
  pid_t parent; /* the only process that may ask and signal */
  bool ended;   /* the number may be another process's by now */
} handle;

static handle *checkchild(lua_State *L) {
  handle *h = luaL_checkudata(L, 1, CHILD);
  luaL_argcheck(L, h->parent == getpid(), 1, "a child of another process");
  return h;
}

/* core.fork() -> child, or false in the child | nil, message, errno name */
static int core_fork(lua_State *L) {
  handle *h = smtp_new_object(L, CHILD, sizeof *h);
  h->ended = true; /* until there is one */
  h->parent = getpid();
  h->pid = smtp_process_fork();
  if (h->pid == SMTP_ESYSTEM) return smtp_push_errno(L, errno, "fork");
  if (h->pid == 0)
    lua_pushboolean(L, 0);
  else
    h->ended = false;
  return 1;
}

static int child_pid(lua_State *L) {
  lua_pushinteger(L, ((handle *)luaL_checkudata(L, 1, CHILD))->pid);
  return 1;
}

/* child:ended() -> false, or once its status */
static int child_ended(lua_State *L) {
  handle *h = checkchild(L);
  int status = 0;
  luaL_argcheck(L, !h->ended, 1, "it has ended");
  if (smtp_process_ended(h->pid, &status) == 0) {
    lua_pushboolean(L, 0);
    return 1;
  }
  h->ended = true;
  lua_pushinteger(L, status);
  return 1;
}

/* child:signal(name) -> true | nil, message, errno name */
static int child_signal(lua_State *L) {
  static const char *const names[] = {"HUP", "KILL", "TERM", NULL};
  static const int numbers[] = {SIGHUP, SIGKILL, SIGTERM};
  handle *h = checkchild(L);
  int number = numbers[luaL_checkoption(L, 2, NULL, names)];
  luaL_argcheck(L, !h->ended, 1, "it has ended");
  return smtp_push_result(L, smtp_process_signal(h->pid, number));
}

/* ---- the lifeline ---------------------------------------------------- */

static smtp_lifeline *checkline(lua_State *L) {
  smtp_lifeline *l = luaL_checkudata(L, 1, LIFELINE);
  luaL_argcheck(L, l->reader >= 0, 1, "it is closed");
  return l;
}

static int core_lifeline(lua_State *L) {
  smtp_lifeline *l = smtp_new_object(L, LIFELINE, sizeof *l);
  l->reader = l->writer = -1;
  if (smtp_lifeline_open(l) < 0) return smtp_push_errno(L, errno, "pipe");
  return 1;
}

static int line_follow(lua_State *L) {
  smtp_lifeline_follow(checkline(L));
  return 0;
}

static int line_pollfd(lua_State *L) {
  lua_pushinteger(L, checkline(L)->reader);
  return 1;
}

static int line_events(lua_State *L) {
  checkline(L);
  lua_pushliteral(L, "r");
  return 1;
}

static int line_timeout(lua_State *L) {
  checkline(L);
  return 0;
}

static int line_close(lua_State *L) {
  smtp_lifeline_close(luaL_checkudata(L, 1, LIFELINE));
  return 0;
}

/* ---- this process ---------------------------------------------------- */

static int core_pid(lua_State *L) {
  lua_pushinteger(L, getpid());
  return 1;
}

/* core.descriptors() -> how many this process may have | nothing: any */
static int core_descriptors(lua_State *L) {
  size_t n = smtp_process_descriptors();
  if (n == 0) return 0;
  lua_pushinteger(L, (lua_Integer)n);
  return 1;
}

/* core.trim(): freed memory goes back to the system */
static int core_trim(lua_State *L) {
  (void)L;
  smtp_process_trim();
  return 0;
}

static int core_cpus(lua_State *L) {
  lua_pushinteger(L, smtp_process_cpus());
  return 1;
}

/* core.exit(status): the end of a forked child; does not return */
static int core_exit(lua_State *L) {
  smtp_process_exit((int)luaL_checkinteger(L, 1));
  return 0;
}

void smtp_open_process(lua_State *L) {
  static const luaL_Reg child[] = {{"pid", child_pid},
                                   {"ended", child_ended},
                                   {"signal", child_signal},
                                   {NULL, NULL}};
  static const luaL_Reg line[] = {
      {"follow", line_follow}, {"pollfd", line_pollfd},
      {"events", line_events}, {"timeout", line_timeout},
      {"close", line_close},   {NULL, NULL}};
  static const luaL_Reg functions[] = {
      {"fork", core_fork},         {"pid", core_pid},
      {"cpus", core_cpus},         {"descriptors", core_descriptors},
      {"lifeline", core_lifeline}, {"trim", core_trim},
      {"exit", core_exit},         {NULL, NULL}};
  smtp_new_class(L, CHILD, child, NULL);
  smtp_new_class(L, LIFELINE, line, line_close);
  luaL_setfuncs(L, functions, 0);
}
