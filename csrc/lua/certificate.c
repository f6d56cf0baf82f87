/* SPDX-License-Identifier: MIT */
/*
** certificate.c: core.certificate. Lua can raise before and after the only
** call to csrc/net, not within it: the request borrows from the options, its
** lists are userdata, and the output is in a hidden object of the class
** "smtp.certificate".
*/
#include "certificate.h"
#include "../net/certificate.h"
#include "support.h"

#include <string.h>

#define CLASS "smtp.certificate"
#define OUTPUT_MAX ((size_t)1 << 20)

typedef struct output {
  smtp_buf certificate;
  smtp_buf key;
} output;

static int output_clear(lua_State *L) {
  output *o = luaL_checkudata(L, 1, CLASS);
  smtp_slice key = smtp_buf_data(&o->key);
  if (key.n > 0) smtp_mem_wipe(o->key.p, o->key.size);
  smtp_buf_clear(&o->certificate);
  smtp_buf_clear(&o->key);
  return 0;
}

static output *pushoutput(lua_State *L) {
  output *o = lua_newuserdatauv(L, sizeof *o, 0);
  smtp_buf_init(&o->certificate, smtp_mem_libc(), OUTPUT_MAX);
  smtp_buf_init(&o->key, smtp_mem_libc(), OUTPUT_MAX);
  luaL_setmetatable(L, CLASS);
  return o;
}

static int raise(lua_State *L, const char *name, const char *wanted) {
  const char *text = lua_pushfstring(L, "option '%s' must be %s", name, wanted);
  return luaL_argerror(L, 1, text);
}

/*
** The strings of the list that is option name of argument 1, as slices which
** that list keeps alive; pushes what holds the slices, if there are any.
*/
static const smtp_slice *checklist(lua_State *L, const char *name,
                                   size_t *count) {
  smtp_slice *list = NULL;
  int table;
  *count = 0;
  lua_pushstring(L, name);
  if (lua_rawget(L, 1) == LUA_TNIL) return NULL;
  if (!lua_istable(L, -1)) raise(L, name, "a list of strings");
  table = lua_gettop(L);
  *count = (size_t)lua_rawlen(L, table);
  luaL_checkstack(L, 8, NULL);
  list = lua_newuserdatauv(L, (*count + 1) * sizeof *list, 0);
  for (size_t i = 0; i < *count; i++) {
    if (lua_rawgeti(L, table, (lua_Integer)i + 1) != LUA_TSTRING)
      raise(L, name, "a list of strings");
    list[i].p = lua_tolstring(L, -1, &list[i].n);
    lua_pop(L, 1);
  }
  return list;
}

static unsigned checkpurpose(lua_State *L) {
  const struct {
    smtp_slice name;
    unsigned purpose;
  } purposes[] = {
      {SMTP_LIT("server"), SMTP_CERTIFICATE_SERVER},
      {SMTP_LIT("client"), SMTP_CERTIFICATE_CLIENT},
      {SMTP_LIT("both"), SMTP_CERTIFICATE_SERVER | SMTP_CERTIFICATE_CLIENT}};
  smtp_slice given = smtp_option_slice(L, 1, "purpose");
  if (!given.p) return 0;
  for (size_t i = 0; i < sizeof purposes / sizeof *purposes; i++) {
    smtp_slice name = purposes[i].name;
    if (name.n == given.n && memcmp(name.p, given.p, name.n) == 0)
      return purposes[i].purpose;
  }
  return (unsigned)raise(L, "purpose", "'server', 'client' or 'both'");
}

/* The slices come last: no metamethod runs while they are borrowed. */
static void checkrequest(lua_State *L, smtp_certificate_request *r) {
  static const char *const names[] = {
      "common_name", "names",      "addresses", "emails",  "ca", "issuer",
      "issuer_key",  "not_before", "not_after", "purpose", NULL};
  smtp_check_options(L, 1, names);
  smtp_certificate_request_init(r);
  r->ca = smtp_option_boolean(L, 1, "ca");
  r->not_before = smtp_option_integer(L, 1, "not_before", LUA_MININTEGER,
                                      LUA_MAXINTEGER, r->not_before);
  r->not_after = smtp_option_integer(L, 1, "not_after", LUA_MININTEGER,
                                     LUA_MAXINTEGER, r->not_after);
  r->purpose = checkpurpose(L);
  r->common_name = smtp_option_slice(L, 1, "common_name");
  r->issuer = smtp_option_slice(L, 1, "issuer");
  r->issuer_key = smtp_option_slice(L, 1, "issuer_key");
  r->names = checklist(L, "names", &r->names_n);
  r->addresses = checklist(L, "addresses", &r->addresses_n);
  r->emails = checklist(L, "emails", &r->emails_n);
}

/*
** core.certificate(options) -> certificate, key, both in PEM | nil, message,
** "EINVALID" (the options) or "ECRYPTO". The options are the fields of
** smtp_certificate_request; purpose is "server", "client" or "both".
*/
static int core_certificate(lua_State *L) {
  smtp_certificate_request request;
  const char *why = NULL;
  output *o;
  int result;
  lua_settop(L, 1);
  checkrequest(L, &request);
  o = pushoutput(L);
  result = smtp_certificate_make(&request, &o->certificate, &o->key, &why);
  if (result == SMTP_ENOMEM) return luaL_error(L, "not enough memory");
  if (result != 0)
    return smtp_push_failure(L, why,
                             result == SMTP_EINVALID ? "EINVALID" : "ECRYPTO");
  smtp_slice certificate = smtp_buf_data(&o->certificate);
  smtp_slice key = smtp_buf_data(&o->key);
  lua_pushlstring(L, certificate.p, certificate.n);
  lua_pushlstring(L, key.p, key.n);
  return 2;
}

static const luaL_Reg functions[] = {{"certificate", core_certificate},
                                     {NULL, NULL}};

void smtp_open_certificate(lua_State *L) {
  static const luaL_Reg methods[] = {{NULL, NULL}};
  smtp_new_class(L, CLASS, methods, output_clear);
  luaL_setfuncs(L, functions, 0);
}
