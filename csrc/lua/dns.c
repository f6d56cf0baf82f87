/* SPDX-License-Identifier: MIT */
/* dns.c: core.dns, which asks a name server; a job as core.resolve. */
#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <string.h>

#include "../core/ip.h"
#include "../net/dns.h"
#include "job.h"
#include "open.h"
#include "push.h"
#include "support.h"

static void set_name(lua_State *L, const char *key, const smtp_dns_name *name) {
  if (name->odd) return; /* no host can be called so */
  lua_pushlstring(L, name->text, name->n);
  lua_setfield(L, -2, key);
}

static void set_number(lua_State *L, const char *key, unsigned value) {
  lua_pushinteger(L, value);
  lua_setfield(L, -2, key);
}

/* A or AAAA, if it has the length of one. */
static void set_address(lua_State *L, const smtp_dns_record *r) {
  char text[SMTP_IP_TEXT];
  smtp_ip ip;
  ip.n = r->type == SMTP_DNS_A ? 4 : 16;
  if (r->data.n != ip.n) return;
  memcpy(ip.bytes, r->data.p, ip.n);
  lua_pushlstring(L, text, smtp_ip_format(text, &ip));
  lua_setfield(L, -2, "address");
}

/* All strings of a TXT as one (RFC 7208 section 3.3, RFC 8461 section 3.1). */
static void set_text(lua_State *L, smtp_slice data) {
  luaL_Buffer b;
  smtp_slice text;
  int result;
  luaL_buffinit(L, &b);
  while ((result = smtp_dns_txt_next(&data, &text)) == 1)
    luaL_addlstring(&b, text.p, text.n);
  luaL_pushresult(&b);
  if (result < 0)
    lua_pop(L, 1);
  else
    lua_setfield(L, -2, "text");
}

/* The fields of a record that is as it should be; else the table is empty. */
static void set_fields(lua_State *L, const smtp_dns_answer *a,
                       const smtp_dns_record *r) {
  smtp_dns_name name;
  smtp_dns_tlsa tlsa;
  unsigned preference;
  switch (r->type) {
  case SMTP_DNS_A:
  case SMTP_DNS_AAAA: set_address(L, r); break;
  case SMTP_DNS_TXT: set_text(L, r->data); break;
  case SMTP_DNS_CNAME:
    if (smtp_dns_cname(a, r, &name) == 0) set_name(L, "host", &name);
    break;
  case SMTP_DNS_MX:
    if (smtp_dns_mx(a, r, &preference, &name) != 0) break;
    set_number(L, "preference", preference);
    set_name(L, "host", &name);
    break;
  default:
    if (smtp_dns_tlsa_parse(&tlsa, r) != 0) break;
    set_number(L, "usage", tlsa.usage);
    set_number(L, "selector", tlsa.selector);
    set_number(L, "matching", tlsa.matching);
    smtp_push_slice(L, tlsa.data);
    lua_setfield(L, -2, "data");
  }
}

static void set_boolean(lua_State *L, const char *key, bool value) {
  lua_pushboolean(L, value);
  lua_setfield(L, -2, key);
}

static int push_records(lua_State *L, smtp_job *job) {
  const smtp_dns_reply *reply = smtp_dns_result(job);
  smtp_dns_answer a;
  smtp_dns_record r;
  lua_Integer n = 0;
  int result;
  if (reply->status == SMTP_DNS_NO_MEANS)
    return smtp_push_failure(L, "not supported on this system", "unsupported");
  if (reply->status == SMTP_DNS_FAILED)
    return smtp_push_failure(L, "the name server gives no answer", "temporary");
  lua_newtable(L); /* list */
  set_boolean(L, "secure", reply->secure);
  set_boolean(L, "no_name", reply->status == SMTP_DNS_NO_NAME);
  if (reply->status != SMTP_DNS_OK) return 1;
  result = smtp_dns_open(&a, reply->packet);
  if (result == 0 && reply->type != SMTP_DNS_CNAME)
    result = smtp_dns_follow(&a);
  if (result == 0) set_name(L, "name", &a.name);
  while (result >= 0 && (result = smtp_dns_find(&a, reply->type, &r)) == 1) {
    lua_createtable(L, 0, 4); /* list, record */
    set_fields(L, &a, &r);
    lua_rawseti(L, -2, ++n);
  }
  if (result < 0)
    return smtp_push_failure(L, "the answer is malformed", "temporary");
  return 1;
}

/*
** core.dns(name, type [, seconds [, host, port]]) -> job | nil, text, errno
** name. Its result is a list of records of the type, maybe empty, with secure
** (the server has validated it), no_name (there is nothing of that name) and
** name (without aliases); or nil, text, and "temporary", as a later try may do
** better, or "unsupported" on this system. A record that is malformed has no
** fields, and one whose name is no host's has no host.
*/
static int core_dns(lua_State *L) {
  static const char *const names[] = {"A",   "AAAA", "MX", "CNAME",
                                      "TXT", "TLSA", NULL};
  static const unsigned types[] = {SMTP_DNS_A,   SMTP_DNS_AAAA,
                                   SMTP_DNS_MX,  SMTP_DNS_CNAME,
                                   SMTP_DNS_TXT, SMTP_DNS_TLSA};
  smtp_slice name = smtp_check_slice(L, 1), host;
  int i = luaL_checkoption(L, 2, NULL, names);
  lua_Integer seconds = luaL_optinteger(L, 3, 5);
  smtp_address server;
  smtp_job **job;
  luaL_argcheck(L, smtp_dns_is_name(name), 1, "not a name of the DNS");
  luaL_argcheck(L, seconds >= 1 && seconds <= 60, 3, "1 to 60 seconds");
  memset(&server, 0, sizeof server);
  host.p = luaL_optlstring(L, 4, "", &host.n);
  if (host.n > 0 &&
      smtp_address_parse(&server, host, smtp_check_port(L, 5)) != 0)
    return luaL_argerror(L, 4, "not an address");
  job = smtp_push_job(L, push_records);
  *job = smtp_dns_start(name, types[i], &server, (unsigned)seconds);
  if (*job == NULL) return smtp_push_errno(L, errno, NULL);
  return 1;
}

/* core.is_address(text) -> whether it is a numeric address, without brackets */
static int is_address(lua_State *L) {
  smtp_address a;
  lua_pushboolean(L, smtp_address_parse(&a, smtp_check_slice(L, 1), 0) == 0);
  return 1;
}

/* core.is_name(text) -> whether the DNS can be asked for it */
static int is_name(lua_State *L) {
  lua_pushboolean(L, smtp_dns_is_name(smtp_check_slice(L, 1)));
  return 1;
}

void smtp_open_dns(lua_State *L) {
  static const luaL_Reg functions[] = {{"dns", core_dns},
                                       {"is_address", is_address},
                                       {"is_name", is_name},
                                       {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
