/* SPDX-License-Identifier: MIT */
/*
** probe.h: the test-only Lua module "probe" lets specs call the core's own
** functions under hard conditions: each input ends at a page that may not be
** read, and each allocation can be made to fail. One probe_<group>.c a group
** of core files; none of it is installed.
*/
#ifndef SMTP_PROBE_H
#define SMTP_PROBE_H

#include <lauxlib.h>
#include <lua.h>
#include <string.h>

#include "../../csrc/core/buf.h"
#include "../../csrc/core/crypto.h"
#include "../../csrc/core/mem.h"
#include "../../csrc/core/smtp.h"

/*
** The string argument arg, copied to end exactly at a guard page. The copy
** belongs to a userdata that is pushed on the stack, writable, and is unmapped
** when that is collected.
*/
smtp_slice probe_input(lua_State *L, int arg);

/*
** The allocator of probes: fails (returns NULL) at the n-th allocation after
** probe.fail_at(n) and at all that follow; probe.fail_at() ends that. Counts
** what is live for probe.live(), in bytes.
*/
const smtp_mem *probe_mem(void);

/* Stands for cryptography: the same in each run, and none at all. */
const smtp_crypto *probe_crypto(void);

/* probe.fail_at: the n-th allocation from now fails; 0: none does. */
void probe_fail_at(lua_Integer n);

/* Pushes nil and the name of a negative result, as "ESYNTAX"; returns 2. */
int probe_error(lua_State *L, int result);

/* A new buffer in a userdata on the stack, freed with it. */
smtp_buf *probe_buf(lua_State *L, size_t cap);

/* Of a structure that the core is to fill: a field that it leaves is no zero
** by luck. */
#define PROBE_POISON(x) memset(&(x), 0xA5, sizeof(x))

/* The groups, each in its own file. */
extern const luaL_Reg probe_text[];    /* what probe_text.c names */
extern const luaL_Reg probe_grammar[]; /* ehlo status reply command dot */
extern const luaL_Reg probe_session[]; /* client server */
extern const luaL_Reg probe_sasl[];    /* sasl */
extern const luaL_Reg probe_compose[]; /* writers of csrc/mime */
extern const luaL_Reg probe_parse[];   /* readers of csrc/mime */
extern const luaL_Reg probe_dkim[];    /* dkim_canon, of csrc/mime */
extern const luaL_Reg probe_dns[];     /* dns */
extern const luaL_Reg probe_proxy[];   /* ip proxy */
extern const luaL_Reg probe_narrow[];  /* sockets with a small window */
extern const luaL_Reg probe_memory[];  /* in_use */
extern const luaL_Reg probe_mock[];    /* plan and rule, of csrc/mock */

#endif
