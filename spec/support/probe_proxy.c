/* SPDX-License-Identifier: MIT */
/*
** probe_proxy.c: the group of ip and proxy, on guarded copies of what is
** given; a failure is nil and the name of the error.
*/
#include "../../csrc/core/ip.h"
#include "../../csrc/core/proxy.h"
#include "probe.h"

#include <string.h>

#define NO_CAP ((lua_Integer)1 << 40)

/* ip(text) -> its bytes, and the text that is written of them */
static int ip(lua_State *L) {
  char text[SMTP_IP_TEXT];
  smtp_ip address;
  PROBE_POISON(address);
  int r = smtp_ip_parse(&address, probe_input(L, 1));
  if (r != 0) return probe_error(L, r);
  lua_pushlstring(L, (const char *)address.bytes, address.n);
  lua_pushlstring(L, text, smtp_ip_format(text, &address));
  return 2;
}

static void push_end(lua_State *L, const smtp_proxy *p,
                     const smtp_proxy_end *end) {
  char text[SMTP_IP_TEXT];
  if (p->family == SMTP_PROXY_UNIX)
    lua_pushlstring(L, end->path.p, end->path.n);
  else
    lua_pushlstring(L, text, smtp_ip_format(text, &end->ip));
  lua_pushinteger(L, end->port);
}

/* proxy_parse(bytes) -> used, version, local, family, source, its port,
** destination, its port, tlvs | 0 */
static int proxy_parse(lua_State *L) {
  smtp_proxy p;
  PROBE_POISON(p);
  size_t used;
  int r = smtp_proxy_parse(&p, probe_input(L, 1), &used);
  if (r < 0) return probe_error(L, r);
  lua_pushinteger(L, (lua_Integer)used);
  if (r == 0) return 1;
  lua_pushinteger(L, p.version);
  lua_pushboolean(L, p.local);
  lua_pushinteger(L, p.family);
  push_end(L, &p, &p.source);
  push_end(L, &p, &p.destination);
  lua_pushlstring(L, p.tlvs.p, p.tlvs.n);
  return 9;
}

static void check_end(lua_State *L, int arg, const smtp_proxy *p,
                      smtp_proxy_end *end) {
  smtp_slice text = probe_input(L, arg);
  end->port = (unsigned)luaL_checkinteger(L, arg + 1);
  if (p->family == SMTP_PROXY_UNIX)
    end->path = text;
  else if (text.n > 0 && smtp_ip_parse(&end->ip, text) != 0)
    luaL_argerror(L, arg, "not an address");
}

/* proxy_format(version, local, family, source, its port, destination, its
** port, tlvs [, cap [, before]]) -> bytes */
static int proxy_format(lua_State *L) {
  smtp_proxy p;
  PROBE_POISON(p);
  smtp_buf *out;
  smtp_slice bytes;
  int r;
  memset(&p, 0, sizeof p);
  lua_settop(L, 10);
  out = probe_buf(L, (size_t)luaL_optinteger(L, 9, NO_CAP));
  p.version = (int)luaL_checkinteger(L, 1);
  p.local = lua_toboolean(L, 2);
  p.family = (smtp_proxy_family)luaL_checkinteger(L, 3);
  check_end(L, 4, &p, &p.source);
  check_end(L, 6, &p, &p.destination);
  p.tlvs = probe_input(L, 8);
  bytes.p = luaL_optlstring(L, 10, "", &bytes.n);
  r = smtp_buf_append_slice(out, bytes);
  if (r == 0) r = smtp_proxy_format(out, &p);
  if (r != 0) probe_error(L, r);
  bytes = smtp_buf_data(out);
  lua_pushlstring(L, bytes.p, bytes.n);
  return r == 0 ? 1 : 3;
}

/* proxy_tlv(type, value [, cap]) -> bytes */
static int proxy_tlv(lua_State *L) {
  smtp_proxy_tlv tlv;
  PROBE_POISON(tlv);
  smtp_buf *out;
  smtp_slice bytes;
  int r;
  lua_settop(L, 3);
  out = probe_buf(L, (size_t)luaL_optinteger(L, 3, NO_CAP));
  tlv.type = (unsigned)luaL_checkinteger(L, 1);
  tlv.value = probe_input(L, 2);
  r = smtp_proxy_tlv_format(out, &tlv);
  if (r != 0) return probe_error(L, r);
  bytes = smtp_buf_data(out);
  lua_pushlstring(L, bytes.p, bytes.n);
  return 1;
}

const luaL_Reg probe_proxy[] = {{"ip", ip},
                                {"proxy_parse", proxy_parse},
                                {"proxy_format", proxy_format},
                                {"proxy_tlv", proxy_tlv},
                                {NULL, NULL}};
