/* SPDX-License-Identifier: MIT */
/*
** probe_memory.c: what this process holds of malloc, for specs that look for
** growth.
**   probe.in_use()  bytes that malloc has given and not got back, of all
**                   threads; nil where that cannot be told
**   probe.leaks()   whether LeakSanitizer finds blocks that nothing points at,
**                   which it shows on standard error; nil where it is not here
** A sanitizer replaces malloc, and is asked by its own functions.
*/
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* for mallinfo2 and RTLD_DEFAULT */
#endif
#include "probe.h"

#include <dlfcn.h>
#include <string.h>

#ifdef __GLIBC__
#include <malloc.h>
#if __GLIBC_PREREQ(2, 33)
#define HAVE_MALLINFO2 1
#endif
#endif

typedef size_t counter(void);

static size_t of_malloc(void) {
#ifdef HAVE_MALLINFO2
  struct mallinfo2 m = mallinfo2();
  return m.uordblks + m.hblkhd;
#else
  return 0;
#endif
}

static int in_use(lua_State *L) {
  void *found = dlsym(RTLD_DEFAULT, "__sanitizer_get_current_allocated_bytes");
  counter *count = of_malloc;
  size_t n;
  if (found != NULL) memcpy(&count, &found, sizeof count);
  n = count();
  if (n == 0)
    lua_pushnil(L);
  else
    lua_pushinteger(L, (lua_Integer)n);
  return 1;
}

static int leaks(lua_State *L) {
  void *found = dlsym(RTLD_DEFAULT, "__lsan_do_recoverable_leak_check");
  int (*check)(void);
  if (found == NULL) return 0;
  memcpy(&check, &found, sizeof check);
  lua_pushboolean(L, check());
  return 1;
}

const luaL_Reg probe_memory[] = {
    {"in_use", in_use}, {"leaks", leaks}, {NULL, NULL}};
