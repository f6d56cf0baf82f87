/* SPDX-License-Identifier: MIT */
/* server_event.c: see server_event.h for what this promises. */
#include "server_event.h"

#include <lauxlib.h>
#include <string.h>

#include "../core/ascii.h"
#include "../core/dot.h"
#include "../core/ip.h"
#include "../core/xtext.h"
#include "push.h"
#include "support.h"

/* A word for the end of a session, for logs. */
static const char *reason(smtp_situation why) {
  switch (why) {
  case SMTP_S_NONE: return "closed";
  case SMTP_S_QUIT: return "quit";
  case SMTP_S_TIMEOUT: return "timeout";
  case SMTP_S_SHUTDOWN: return "shutdown";
  case SMTP_S_CONNECTIONS: return "connections";
  case SMTP_S_FAILED: return "refused";
  default: return smtp_status_of(why)->text;
  }
}

/* Sets a field to what a value stands for, which the core has read before. */
static void set_decoded(lua_State *L, const char *key, smtp_slice value,
                        int (*parse)(smtp_buf *, smtp_slice)) {
  smtp_buf *text = smtp_push_buffer(L, SMTP_LINE_MAX);
  parse(text, value);
  smtp_push_bytes(L, text);
  lua_setfield(L, -3, key);
  lua_pop(L, 1); /* the buffer */
}

static void set_slice(lua_State *L, const char *key, smtp_slice value) {
  if (value.n == 0) return;
  smtp_push_slice(L, value);
  lua_setfield(L, -2, key);
}

static void set_integer(lua_State *L, const char *key, bool given,
                        lua_Integer value) {
  if (!given) return;
  lua_pushinteger(L, value);
  lua_setfield(L, -2, key);
}

static void set_flag(lua_State *L, const char *key, bool given) {
  if (!given) return;
  lua_pushboolean(L, 1);
  lua_setfield(L, -2, key);
}

static void set_word(lua_State *L, const char *key, const char *word) {
  if (word == NULL) return;
  lua_pushstring(L, word);
  lua_setfield(L, -2, key);
}

/* by = { seconds, mode, trace } */
static void set_by(lua_State *L, const smtp_mail_params *p) {
  if (!p->has_by) return;
  lua_createtable(L, 0, 3);
  set_integer(L, "seconds", true, p->by.seconds);
  set_word(L, "mode", p->by.returns ? "return" : "notify");
  set_flag(L, "trace", p->by.trace);
  lua_setfield(L, -2, "by");
}

static int push_mail(lua_State *L, const smtp_server_event *e) {
  static const char *const bodies[] = {NULL, "7BIT", "8BITMIME", "BINARYMIME"};
  static const char *const rets[] = {NULL, "FULL", "HDRS"};
  const smtp_mail_params *p = &e->mail;
  const smtp_slice nothing = {"", 0};
  bool null = p->auth.n > 0 && p->auth.p[0] == '<';
  lua_pushliteral(L, "mail");
  smtp_push_path(L, e->path);
  set_integer(L, "size", p->has_size, (lua_Integer)p->size);
  set_word(L, "body", bodies[p->body]);
  if (p->has_auth)
    set_decoded(L, "auth", null ? nothing : p->auth, smtp_xtext_parse);
  set_flag(L, "smtputf8", p->smtputf8);
  set_word(L, "ret", rets[p->ret]);
  if (p->envid.n > 0) set_decoded(L, "envid", p->envid, smtp_xtext_parse);
  set_flag(L, "requiretls", p->requiretls);
  set_flag(L, "prdr", p->prdr);
  set_by(L, p);
  set_integer(L, "priority", p->has_priority, p->priority);
  set_integer(L, "hold_for", p->has_hold_for, (lua_Integer)p->hold_for);
  set_slice(L, "hold_until", p->hold_until);
  smtp_push_params(L, e->params);
  return 2;
}

/* notify = { "SUCCESS", "DELAY" } */
static void set_notify(lua_State *L, unsigned notify) {
  static const char *const words[] = {"NEVER", "SUCCESS", "FAILURE", "DELAY"};
  lua_Integer n = 0;
  size_t i;
  if (notify == 0) return;
  lua_createtable(L, 3, 0);
  for (i = 0; i < sizeof words / sizeof *words; i++) {
    if ((notify & 1u << i) == 0) continue;
    lua_pushstring(L, words[i]);
    lua_rawseti(L, -2, ++n);
  }
  lua_setfield(L, -2, "notify");
}

static int push_rcpt(lua_State *L, const smtp_server_event *e) {
  lua_pushliteral(L, "rcpt");
  smtp_push_path(L, e->path);
  set_notify(L, e->rcpt.notify);
  set_slice(L, "rrvs", e->rcpt.rrvs);
  if (e->rcpt.orcpt.n > 0)
    set_decoded(L, "orcpt", e->rcpt.orcpt, smtp_orcpt_parse);
  smtp_push_params(L, e->params);
  return 2;
}

static int push_message(lua_State *L, const smtp_server_event *e) {
  lua_pushliteral(L, "message");
  lua_pushinteger(L, (lua_Integer)e->size);
  if (e->situation == SMTP_S_NONE)
    lua_pushnil(L);
  else
    lua_pushstring(L, smtp_status_of(e->situation)->text);
  lua_pushboolean(L, (e->seen & SMTP_DOT_EIGHTBIT) != 0);
  if (e->replies == 1) return 4;
  lua_pushinteger(L, (lua_Integer)e->replies);
  return 5;
}

static int push_text(lua_State *L, const char *name, smtp_slice text) {
  lua_pushstring(L, name);
  smtp_push_slice(L, text);
  return 2;
}

static void set_secret(lua_State *L, const char *key, smtp_slice value) {
  if (value.n == 0) return;
  smtp_push_slice(L, value);
  lua_setfield(L, -2, key);
}

/* "auth" or "lookup", and the credentials. */
static int push_credentials(lua_State *L, const char *name,
                            const smtp_server_event *e) {
  const smtp_sasl_credentials *c = e->credentials;
  lua_pushstring(L, name);
  lua_createtable(L, 0, 6); /* name, credentials */
  set_secret(L, "mechanism", e->verb);
  set_secret(L, "user", c->user);
  set_secret(L, "authzid", c->authzid);
  set_secret(L, "password", c->password);
  set_secret(L, "token", c->token);
  lua_pushboolean(L, c->verified);
  lua_setfield(L, -2, "verified");
  return 2;
}

/* The value of an attribute as Lua has it. */
static void push_attribute(lua_State *L, smtp_attribute a, smtp_slice value) {
  char text[SMTP_IP_TEXT];
  uint64_t port = 0;
  smtp_ip ip;
  if (value.n == 0) {
    lua_pushboolean(L, 0);
  } else if (a == SMTP_ATTRIBUTE_PORT || a == SMTP_ATTRIBUTE_DESTPORT) {
    smtp_ascii_number(value, &port);
    lua_pushinteger(L, (lua_Integer)port);
  } else if (a == SMTP_ATTRIBUTE_ADDR || a == SMTP_ATTRIBUTE_DESTADDR) {
    smtp_ip_parse(&ip, value);
    lua_pushlstring(L, text, smtp_ip_format(text, &ip));
  } else {
    smtp_push_slice(L, value);
  }
}

/* The attributes that were told by name, in lower case; false: there is none. */
static int push_attributes(lua_State *L, const char *name,
                           const smtp_attributes *told) {
  int a;
  lua_pushstring(L, name);
  lua_newtable(L); /* name, attributes */
  for (a = 0; a < SMTP_ATTRIBUTES; a++) {
    static const char *const keys[SMTP_ATTRIBUTES] = {
        "name",  "addr",     "port",     "proto", "helo",
        "login", "destaddr", "destport", "ident", "source"};
    if (told->value[a].p == NULL) continue;
    push_attribute(L, (smtp_attribute)a, told->value[a]);
    lua_setfield(L, -2, keys[a]);
  }
  set_flag(L, "temporary", told->temporary);
  return 2;
}

int smtp_push_server_event(lua_State *L, const smtp_server_event *e) {
  switch (e->type) {
  case SMTP_SERVER_CONNECT: lua_pushliteral(L, "connect"); return 1;
  case SMTP_SERVER_HELO:
    push_text(L, "helo", e->text);
    lua_pushboolean(L, e->esmtp);
    return 3;
  case SMTP_SERVER_MAIL: return push_mail(L, e);
  case SMTP_SERVER_RCPT: return push_rcpt(L, e);
  case SMTP_SERVER_DATA: lua_pushliteral(L, "data"); return 1;
  case SMTP_SERVER_CHUNK: lua_pushliteral(L, "chunk"); return 1;
  case SMTP_SERVER_BODY:
    lua_pushliteral(L, "body");
    lua_pushinteger(L, (lua_Integer)e->text.n);
    return 2;
  case SMTP_SERVER_MESSAGE: return push_message(L, e);
  case SMTP_SERVER_VRFY: return push_text(L, "vrfy", e->text);
  case SMTP_SERVER_AUTH: return push_credentials(L, "auth", e);
  case SMTP_SERVER_LOOKUP: return push_credentials(L, "lookup", e);
  case SMTP_SERVER_STARTTLS: lua_pushliteral(L, "starttls"); return 1;
  case SMTP_SERVER_COMMAND:
    push_text(L, "command", e->verb);
    smtp_push_slice(L, e->text);
    return 3;
  case SMTP_SERVER_VERB:
    push_text(L, "verb", e->verb);
    smtp_push_slice(L, e->text);
    lua_pushboolean(L, e->more);
    return 4;
  case SMTP_SERVER_RESET: lua_pushliteral(L, "reset"); return 1;
  case SMTP_SERVER_AUTH_FAILED: lua_pushliteral(L, "auth_failed"); return 1;
  case SMTP_SERVER_XCLIENT: return push_attributes(L, "xclient", e->attributes);
  case SMTP_SERVER_XFORWARD:
    return push_attributes(L, "xforward", e->attributes);
  case SMTP_SERVER_LINE: return push_text(L, "line", e->text);
  case SMTP_SERVER_REPLY: return push_text(L, "reply", e->text);
  default:
    lua_pushliteral(L, "close");
    lua_pushstring(L, reason(e->situation));
    return 2;
  }
}

smtp_verdict smtp_check_verdict(lua_State *L, int arg) {
  static const smtp_slice names[] = {
      [SMTP_VERDICT_NONE] = {"none", 4},
      [SMTP_VERDICT_NOTHING] = {"nothing", 7},
      [SMTP_VERDICT_ACCEPT] = {"accept", 6},
      [SMTP_VERDICT_REFUSE] = {"refuse", 6},
      [SMTP_VERDICT_FAIL] = {"fail", 4},
      [SMTP_VERDICT_REPLY] = {"reply", 5},
  };
  smtp_slice name = smtp_check_slice(L, arg);
  size_t i;
  for (i = 0; i < sizeof names / sizeof *names; i++)
    if (name.n == names[i].n && memcmp(name.p, names[i].p, name.n) == 0)
      return (smtp_verdict)i;
  luaL_argerror(L, arg, "not a verdict");
  return SMTP_VERDICT_FAIL;
}
