/* SPDX-License-Identifier: MIT */
/* proxy.c: see proxy.h for what this promises. */
#include "proxy.h"

#include <lauxlib.h>
#include <string.h>

#include "../core/ip.h"
#include "../core/proxy.h"
#include "../net/socket.h"
#include "open.h"
#include "push.h"
#include "support.h"

/* ---- reading --------------------------------------------------------- */

/* Sets field key of the table at the top to { address, port }. */
static void set_end(lua_State *L, const char *key, const smtp_proxy *p,
                    const smtp_proxy_end *end) {
  char text[SMTP_IP_TEXT];
  if (p->family == SMTP_PROXY_UNSPEC) return;
  lua_createtable(L, 0, 2);
  if (p->family == SMTP_PROXY_UNIX) {
    smtp_push_slice(L, end->path);
  } else {
    lua_pushinteger(L, end->port);
    lua_setfield(L, -2, "port");
    lua_pushlstring(L, text, smtp_ip_format(text, &end->ip));
  }
  lua_setfield(L, -2, "address");
  lua_setfield(L, -2, key);
}

static void push_header(lua_State *L, const smtp_proxy *p) {
  smtp_slice rest = p->tlvs;
  smtp_proxy_tlv tlv;
  lua_Integer n = 0;
  lua_createtable(L, 0, 5);
  lua_pushinteger(L, p->version);
  lua_setfield(L, -2, "version");
  lua_pushstring(L, p->local ? "LOCAL" : "PROXY");
  lua_setfield(L, -2, "command");
  set_end(L, "source", p, &p->source);
  set_end(L, "destination", p, &p->destination);
  lua_newtable(L); /* header, tlvs */
  while (smtp_proxy_tlv_next(&rest, &tlv) == 1) {
    lua_createtable(L, 0, 2);
    lua_pushinteger(L, tlv.type);
    lua_setfield(L, -2, "type");
    smtp_push_slice(L, tlv.value);
    lua_setfield(L, -2, "value");
    lua_rawseti(L, -2, ++n);
  }
  lua_setfield(L, -2, "tlvs");
}

int smtp_push_proxy_header(lua_State *L, int fd, int arg) {
  char bytes[SMTP_PROXY_MAX];
  smtp_slice held = smtp_check_slice(L, arg);
  smtp_proxy header;
  size_t used, take;
  ssize_t n;
  int r;
  luaL_argcheck(L, held.n < sizeof bytes, arg, "more than a header");
  memcpy(bytes, held.p, held.n);
  n = smtp_socket_peek(fd, bytes + held.n, sizeof bytes - held.n);
  if (n == SMTP_EBUSY) {
    lua_pushboolean(L, 0);
    lua_pushvalue(L, arg);
    return 2;
  }
  if (n <= 0)
    return smtp_push_failure(L, "the connection ended before its PROXY header",
                             NULL);
  r = smtp_proxy_parse(&header, (smtp_slice){bytes, held.n + (size_t)n}, &used);
  if (r < 0)
    return smtp_push_failure(L, "not a PROXY header, or a malformed one", NULL);
  take = r == 1 ? used - held.n : (size_t)n;
  n = smtp_socket_recv(fd, bytes + held.n, take);
  if (n != (ssize_t)take)
    return smtp_push_failure(L, "the connection was lost", NULL);
  if (r == 1) {
    push_header(L, &header);
    return 1;
  }
  lua_pushboolean(L, 0);
  lua_pushlstring(L, bytes, held.n + take);
  return 2;
}

/* ---- writing --------------------------------------------------------- */

static lua_Integer integer_field(lua_State *L, int t, const char *key) {
  lua_Integer v;
  lua_getfield(L, t, key);
  v = luaL_checkinteger(L, -1);
  lua_pop(L, 1);
  return v;
}

/* A string, which stays in the table; the text of a number would not. */
static smtp_slice text_field(lua_State *L, int t, const char *key) {
  smtp_slice v;
  lua_getfield(L, t, key);
  luaL_checktype(L, -1, LUA_TSTRING);
  v.p = lua_tolstring(L, -1, &v.n);
  lua_pop(L, 1);
  return v;
}

/* An end of { address, port }, of which that of a unix socket has no port;
** false if it is none. */
static bool take_end(lua_State *L, const char *key, smtp_proxy *p,
                     smtp_proxy_end *end) {
  bool good = true;
  if (lua_getfield(L, 1, key) == LUA_TTABLE) {
    int t = lua_gettop(L);
    smtp_slice address = text_field(L, t, "address");
    smtp_proxy_family family = SMTP_PROXY_UNIX;
    if (lua_getfield(L, t, "port") != LUA_TNIL) {
      lua_Integer port = luaL_checkinteger(L, -1);
      family = SMTP_PROXY_INET;
      end->port = (unsigned)port;
      good =
          port >= 0 && port <= 65535 && smtp_ip_parse(&end->ip, address) == 0;
    } else {
      end->path = address;
    }
    lua_pop(L, 1);
    good = good && (p->family == SMTP_PROXY_UNSPEC || p->family == family);
    p->family = family;
  }
  lua_pop(L, 1);
  return good;
}

/* The TLVs of the array at key, in bytes. */
static int take_tlvs(lua_State *L, smtp_buf *out) {
  lua_Integer i;
  int r = 0;
  if (lua_getfield(L, 1, "tlvs") == LUA_TTABLE) {
    for (i = 1; r == 0 && lua_rawgeti(L, -1, i) == LUA_TTABLE; i++) {
      int t = lua_gettop(L);
      lua_Integer type = integer_field(L, t, "type");
      smtp_proxy_tlv tlv = {type < 0 || type > 255 ? 256 : (unsigned)type,
                            text_field(L, t, "value")};
      r = smtp_proxy_tlv_format(out, &tlv);
      lua_pop(L, 1);
    }
    if (r == 0) lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return r;
}

/* core.proxy_header { version, command, source, destination, tlvs } -> bytes |
** nothing: it cannot be told */
static int proxy_header(lua_State *L) {
  smtp_buf *tlvs, *out;
  smtp_proxy p;
  memset(&p, 0, sizeof p);
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  tlvs = smtp_push_buffer(L, SMTP_PROXY_TLV_MAX);
  out = smtp_push_buffer(L, SMTP_PROXY_MAX);
  p.version = (int)integer_field(L, 1, "version");
  lua_getfield(L, 1, "command");
  p.local = strcmp(luaL_checkstring(L, -1), "LOCAL") == 0;
  lua_pop(L, 1);
  if (!take_end(L, "source", &p, &p.source) ||
      !take_end(L, "destination", &p, &p.destination) ||
      take_tlvs(L, tlvs) != 0)
    return 0;
  p.tlvs = smtp_buf_data(tlvs);
  if (smtp_proxy_format(out, &p) != 0) return 0;
  return smtp_push_bytes(L, out);
}

void smtp_open_proxy(lua_State *L) {
  static const luaL_Reg functions[] = {{"proxy_header", proxy_header},
                                       {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
