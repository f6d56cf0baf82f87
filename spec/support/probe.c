/* SPDX-License-Identifier: MIT */
/*
** probe.c: the test-only Lua module "probe": the helpers of probe.h, and the
** functions that all specs share.
**   probe.fail_at([n [, once]])  the n-th allocation from now and all later
**                       ones fail, or that one alone; without n none does
**   probe.fork()        0 in the child, else its process id
**   probe.wait(id)      its exit status; -1: it crashed
**   probe.live()        bytes that were allocated and not freed
**   probe.watch([text]) from now on counts blocks that are freed with text in
**                       them, for a secret that was not wiped
**   probe.unwiped()     that count
** The allocator moves a block at each resize, so that a pointer kept too long
** is found, and believes the size that its caller tells, so that a wrong one
** shows in probe.live().
*/
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE 1 /* for MAP_ANONYMOUS */
#endif
#include "probe.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

LUAMOD_API int luaopen_probe(lua_State *L);

/* ---- processes ---- */

static int fork_child(lua_State *L) {
  lua_pushinteger(L, fork());
  return 1;
}

static int wait_child(lua_State *L) {
  int status = -1;
  waitpid((pid_t)luaL_checkinteger(L, 1), &status, 0);
  lua_pushinteger(L, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
  return 1;
}

/* ---- allocation ---- */

static struct {
  lua_Integer left; /* allocations that succeed before one fails; < 0: all */
  bool once;        /* those behind it succeed again */
  size_t live;
  char secret[32]; /* what probe.watch was given, n bytes; 0: nothing */
  size_t n;
  lua_Integer unwiped;
} state = {-1, false, 0, "", 0, 0};

/* Counts the block if what is watched for is in it. */
static void look(const char *p, size_t size) {
  size_t i;
  if (state.n == 0 || size < state.n) return;
  for (i = 0; i <= size - state.n; i++) {
    if (memcmp(p + i, state.secret, state.n) == 0) {
      state.unwiped++;
      return;
    }
  }
}

static void *probe_alloc(void *ctx, void *p, size_t old, size_t n) {
  void *fresh = NULL;
  (void)ctx;
  if (n > 0) {
    if (state.left == 0) {
      if (state.once) state.left = -1;
      return NULL;
    }
    if (state.left > 0) state.left--;
    fresh = malloc(n);
    if (fresh == NULL) return NULL;
    if (p != NULL) memcpy(fresh, p, old < n ? old : n);
  }
  state.live += n;
  if (p != NULL) {
    state.live -= old;
    look(p, old);
  }
  free(p);
  return fresh;
}

const smtp_mem *probe_mem(void) {
  static const smtp_mem mem = {probe_alloc, NULL};
  return &mem;
}

void probe_fail_at(lua_Integer n) {
  state.left = n - 1;
  state.once = false;
}

static int fail_at(lua_State *L) {
  probe_fail_at(luaL_optinteger(L, 1, 0));
  state.once = lua_toboolean(L, 2);
  return 0;
}

static int live(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)state.live);
  return 1;
}

static int watch(lua_State *L) {
  size_t n;
  const char *text = luaL_optlstring(L, 1, "", &n);
  luaL_argcheck(L, n <= sizeof(state.secret), 1, "too long");
  memcpy(state.secret, text, n);
  state.n = n;
  state.unwiped = 0;
  return 0;
}

static int unwiped(lua_State *L) {
  lua_pushinteger(L, state.unwiped);
  return 1;
}

/* ---- input that ends at a guard page ---- */

typedef struct guarded {
  void *base; /* NULL until it is mapped */
  size_t size;
} guarded;

static int guarded_gc(lua_State *L) {
  guarded *g = luaL_checkudata(L, 1, "probe.input");
  if (g->base != NULL) munmap(g->base, g->size);
  g->base = NULL;
  return 0;
}

/* Pages up to one that may not be read. Lua does not know how many there are:
** where no more can be had, it collects those that are done with. */
static char *map_guarded(lua_State *L, guarded *g) {
  int again;
  for (again = 0; again < 2; again++) {
    size_t room = g->size - (size_t)sysconf(_SC_PAGESIZE);
    void *base = mmap(NULL, g->size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base != MAP_FAILED) {
      g->base = base;
      if (mprotect((char *)base + room, g->size - room, PROT_NONE) == 0)
        return (char *)base + room;
      munmap(base, g->size);
      g->base = NULL;
    }
    lua_gc(L, LUA_GCCOLLECT);
  }
  luaL_error(L, "no memory for a guarded input");
  return NULL;
}

smtp_slice probe_input(lua_State *L, int arg) {
  size_t n, page = (size_t)sysconf(_SC_PAGESIZE);
  const char *text = luaL_checklstring(L, arg, &n);
  size_t room = (n + page - 1) / page * page;
  guarded *g = lua_newuserdatauv(L, sizeof(*g), 0);
  g->base = NULL;
  g->size = room + page;
  if (luaL_newmetatable(L, "probe.input")) {
    lua_pushcfunction(L, guarded_gc);
    lua_setfield(L, -2, "__gc");
  }
  lua_setmetatable(L, -2);
  char *end = map_guarded(L, g);
  memcpy(end - n, text, n);
  return (smtp_slice){end - n, n};
}

/* ---- results and buffers ---- */

int probe_error(lua_State *L, int result) {
  static const char *const names[] = {
      "ENOMEM",  "ETOOBIG", "ESYNTAX", "EPROTOCOL", "ESTATE", "EINVALID",
      "ECLOSED", "EBUSY",   "ESYSTEM", "ECRYPTO",   "EAUTH"};
  int i = -1 - result;
  if (i < 0 || i >= (int)(sizeof(names) / sizeof(names[0])))
    return luaL_error(L, "%d is not an error", result);
  lua_pushnil(L);
  lua_pushstring(L, names[i]);
  return 2;
}

static int buf_gc(lua_State *L) {
  smtp_buf_clear(luaL_checkudata(L, 1, "probe.buf"));
  return 0;
}

smtp_buf *probe_buf(lua_State *L, size_t cap) {
  smtp_buf *b = lua_newuserdatauv(L, sizeof(*b), 0);
  smtp_buf_init(b, probe_mem(), cap);
  if (luaL_newmetatable(L, "probe.buf")) {
    lua_pushcfunction(L, buf_gc);
    lua_setfield(L, -2, "__gc");
  }
  lua_setmetatable(L, -2);
  return b;
}

static const luaL_Reg common[] = {{"fork", fork_child}, {"wait", wait_child},
                                  {"fail_at", fail_at}, {"live", live},
                                  {"watch", watch},     {"unwiped", unwiped},
                                  {NULL, NULL}};

int luaopen_probe(lua_State *L) {
  lua_newtable(L);
  luaL_setfuncs(L, common, 0);
  luaL_setfuncs(L, probe_text, 0);
  luaL_setfuncs(L, probe_grammar, 0);
  luaL_setfuncs(L, probe_session, 0);
  luaL_setfuncs(L, probe_sasl, 0);
  luaL_setfuncs(L, probe_parse, 0);
  luaL_setfuncs(L, probe_dkim, 0);
  luaL_setfuncs(L, probe_dns, 0);
  luaL_setfuncs(L, probe_proxy, 0);
  luaL_setfuncs(L, probe_mock, 0);
  luaL_setfuncs(L, probe_compose, 0);
  luaL_setfuncs(L, probe_narrow, 0);
  luaL_setfuncs(L, probe_memory, 0);
  return 1;
}
