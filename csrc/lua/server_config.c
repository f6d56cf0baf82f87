/* SPDX-License-Identifier: MIT */
/*
** server_config.c: "smtp.server_config": the configuration of all sessions of a
** listener, with the random secret for the salts of unknown users.
*/
#include "server_config.h"

#include <lauxlib.h>

#include "../core/ehlo.h"
#include "../core/sasl.h"
#include "../net/crypto.h"
#include "support.h"

#define CONFIG "smtp.server_config"

typedef struct config {
  smtp_server_config server;
  unsigned char secret[32];
} config;

const smtp_server_config *smtp_check_server_config(lua_State *L, int arg) {
  return &((config *)luaL_checkudata(L, arg, CONFIG))->server;
}

static double number_field(lua_State *L, int t, const char *key, double d) {
  double v = d;
  if (lua_getfield(L, t, key) != LUA_TNIL) v = luaL_checknumber(L, -1);
  lua_pop(L, 1);
  return v;
}

static size_t size_field(lua_State *L, int t, const char *key, size_t d) {
  double v = number_field(L, t, key, (double)d);
  luaL_argcheck(L, v >= 0 && v < 9e15, 1, key);
  return (size_t)v;
}

static bool flag_field(lua_State *L, int t, const char *key) {
  bool v;
  lua_getfield(L, t, key);
  v = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return v;
}

/* The string stays alive as user value n of the configuration. */
static void text_field(lua_State *L, int t, const char *key, int n,
                       smtp_slice *out) {
  if (lua_getfield(L, t, key) == LUA_TNIL) {
    lua_pop(L, 1);
    return;
  }
  out->p = luaL_checklstring(L, -1, &out->n);
  lua_setiuservalue(L, -2, n);
}

static void limits_fields(lua_State *L, int t, smtp_server_limits *l) {
  l->message_size = size_field(L, t, "message_size", (size_t)l->message_size);
  l->header = size_field(L, t, "header", (size_t)l->header);
  l->hops = size_field(L, t, "hops", l->hops);
  l->recipients = size_field(L, t, "recipients", l->recipients);
  l->messages = size_field(L, t, "messages", l->messages);
  l->errors = size_field(L, t, "errors", l->errors);
  l->junk = size_field(L, t, "junk", l->junk);
  l->line = size_field(L, t, "line", l->line);
  l->auth_line = size_field(L, t, "auth_line", l->auth_line);
  l->idle_timeout = number_field(L, t, "idle_timeout", l->idle_timeout);
  l->command_timeout =
      number_field(L, t, "command_timeout", l->command_timeout);
  l->data_rate = number_field(L, t, "data_rate", l->data_rate);
}

/* OR of the mechanisms whose names are in the array at key. */
static unsigned mechanisms_field(lua_State *L, int t, const char *key) {
  unsigned all = 0;
  lua_Integer i;
  if (lua_getfield(L, t, key) == LUA_TTABLE) {
    for (i = 1; lua_rawgeti(L, -1, i) == LUA_TSTRING; i++) {
      smtp_slice name;
      unsigned one;
      name.p = lua_tolstring(L, -1, &name.n);
      one = smtp_sasl_mechanism(name);
      if (one == 0) luaL_error(L, "unknown mechanism '%s'", name.p);
      all |= one;
      lua_pop(L, 1);
    }
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return all;
}

/* OR of the extensions whose keywords are in the array. */
static unsigned extensions_field(lua_State *L, int t) {
  unsigned all = 0;
  lua_Integer i;
  if (lua_getfield(L, t, "extensions") == LUA_TTABLE) {
    for (i = 1; lua_rawgeti(L, -1, i) == LUA_TSTRING; i++) {
      unsigned one = smtp_ehlo_extension(smtp_check_slice(L, -1));
      if (one == 0)
        luaL_error(L, "unknown extension '%s'", lua_tostring(L, -1));
      all |= one;
      lua_pop(L, 1);
    }
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return all;
}

static void auth_fields(lua_State *L, int t, config *c) {
  smtp_server_config *s = &c->server;
  s->auth = mechanisms_field(L, t, "auth");
  s->auth_cleartext = flag_field(L, t, "auth_cleartext");
  s->auth_required = flag_field(L, t, "auth_required");
  s->iterations = (unsigned)size_field(L, t, "iterations", s->iterations);
  s->crypto = smtp_crypto_openssl();
  if (s->auth == 0) return;
  if (s->crypto->random(c->secret, sizeof c->secret) != 0)
    luaL_error(L, "no random bytes");
  s->secret = (smtp_slice){(const char *)c->secret, sizeof c->secret};
}

/* core.server_config(options): the fields of smtp_server_config by name. */
static int config_new(lua_State *L) {
  static const char *const modes[] = {"reject", "normalize", "raw", NULL};
  config *own;
  smtp_server_config *c;
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  own = lua_newuserdatauv(L, sizeof *own, 6);
  c = &own->server;
  smtp_server_config_init(c);
  luaL_setmetatable(L, CONFIG);
  text_field(L, 1, "hostname", 1, &c->hostname);
  text_field(L, 1, "greeting", 6, &c->greeting);
  text_field(L, 1, "verbs", 2, &c->verbs);
  text_field(L, 1, "offers", 3, &c->offers);
  text_field(L, 1, "mail_own", 4, &c->mail_own);
  text_field(L, 1, "rcpt_own", 5, &c->rcpt_own);
  c->extensions = extensions_field(L, 1);
  c->lmtp = flag_field(L, 1, "lmtp");
  c->strict = flag_field(L, 1, "strict");
  c->trace = flag_field(L, 1, "trace");
  c->intercept = flag_field(L, 1, "intercept");
  c->failures = flag_field(L, 1, "failures");
  if (flag_field(L, 1, "xclient")) c->forwarding |= SMTP_FORWARD_XCLIENT;
  if (flag_field(L, 1, "xforward")) c->forwarding |= SMTP_FORWARD_XFORWARD;
  c->keep_header = flag_field(L, 1, "keep_header");
  c->accept_data = flag_field(L, 1, "accept_data");
  c->refuse_eightbit = flag_field(L, 1, "refuse_eightbit");
  c->tls = flag_field(L, 1, "tls");
  c->tls_required = flag_field(L, 1, "tls_required");
  auth_fields(L, 1, own);
  lua_getfield(L, 1, "bare_newline");
  c->bare_newline = (smtp_bare_newline)luaL_checkoption(L, -1, "reject", modes);
  lua_pop(L, 1);
  if (lua_getfield(L, 1, "limits") == LUA_TTABLE)
    limits_fields(L, lua_gettop(L), &c->limits);
  lua_pop(L, 1);
  return 1;
}

void smtp_open_server_config(lua_State *L, const luaL_Reg *methods) {
  smtp_new_class(L, CONFIG, methods, NULL);
  lua_pushcfunction(L, config_new);
  lua_setfield(L, -2, "server_config");
}
