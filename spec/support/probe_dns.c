/* SPDX-License-Identifier: MIT */
/*
** probe_dns.c: the reader of name servers' answers on guarded inputs.
**   dns_name(text) -> whether it can be asked for
**   dns_answer(packet, type) -> list of data, rcode, secure, name
*/
#include "probe.h"

#include "../../csrc/core/dns.h"

static int dns_name(lua_State *L) {
  lua_pushboolean(L, smtp_dns_is_name(probe_input(L, 1)));
  return 1;
}

/* The data of a record: { bytes, name or false, number }; odd names are false. */
static void push_record(lua_State *L, const smtp_dns_answer *a,
                        const smtp_dns_record *r) {
  smtp_dns_name name;
  PROBE_POISON(name);
  unsigned preference = 0;
  int result = r->type == SMTP_DNS_MX ? smtp_dns_mx(a, r, &preference, &name)
                                      : smtp_dns_cname(a, r, &name);
  lua_createtable(L, 3, 0);
  lua_pushlstring(L, r->data.p, r->data.n);
  lua_rawseti(L, -2, 1);
  if (result == 0 && !name.odd)
    lua_pushlstring(L, name.text, name.n);
  else
    lua_pushboolean(L, 0);
  lua_rawseti(L, -2, 2);
  lua_pushinteger(L, preference);
  lua_rawseti(L, -2, 3);
}

static int dns_answer(lua_State *L) {
  smtp_slice packet = probe_input(L, 1);
  unsigned type = (unsigned)luaL_checkinteger(L, 2);
  smtp_dns_answer a;
  PROBE_POISON(a);
  smtp_dns_record r;
  PROBE_POISON(r);
  lua_Integer n = 0;
  int result = smtp_dns_open(&a, packet);
  if (result == 0) result = smtp_dns_follow(&a);
  if (result != 0) return probe_error(L, result);
  lua_newtable(L);
  while ((result = smtp_dns_find(&a, type, &r)) == 1) {
    push_record(L, &a, &r);
    lua_rawseti(L, -2, ++n);
  }
  if (result != 0) return probe_error(L, result);
  lua_pushinteger(L, a.rcode);
  lua_pushboolean(L, a.secure);
  lua_pushlstring(L, a.name.text, a.name.n);
  return 4;
}

const luaL_Reg probe_dns[] = {
    {"dns_name", dns_name}, {"dns_answer", dns_answer}, {NULL, NULL}};
