/* SPDX-License-Identifier: MIT */
/* server_event.c: see server_event.h for what this promises. */
#include "server_event.h"

#include <lauxlib.h>

#include "../core/dot.h"
#include "../core/xtext.h"
#include "push.h"

/* A word for why a session ended, for logs. */
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

/* AUTH= of MAIL, decoded: the null path for "<>". */
static void push_auth(lua_State *L, smtp_slice value) {
  smtp_buf mailbox;
  luaL_Buffer b;
  luaL_buffinitsize(L, &b, value.n);
  smtp_buf_init(&mailbox, NULL, value.n);
  mailbox.p = luaL_buffaddr(&b);
  mailbox.size = value.n;
  if (value.p[0] != '<' && smtp_xtext_parse(&mailbox, value) == 0)
    luaL_addsize(&b, smtp_buf_length(&mailbox));
  luaL_pushresult(&b);
}

static int push_mail(lua_State *L, const smtp_server_event *e) {
  static const char *const bodies[] = {NULL, "7BIT", "8BITMIME"};
  lua_pushliteral(L, "mail");
  smtp_push_path(L, e->path);
  if (e->mail.has_size) {
    lua_pushinteger(L, (lua_Integer)e->mail.size);
    lua_setfield(L, -2, "size");
  }
  if (e->mail.body != SMTP_BODY_UNSET) {
    lua_pushstring(L, bodies[e->mail.body]);
    lua_setfield(L, -2, "body");
  }
  if (e->mail.has_auth) {
    push_auth(L, e->mail.auth);
    lua_setfield(L, -2, "auth");
  }
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
  return 4;
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

int smtp_push_server_event(lua_State *L, const smtp_server_event *e) {
  switch (e->type) {
  case SMTP_SERVER_CONNECT: lua_pushliteral(L, "connect"); return 1;
  case SMTP_SERVER_HELO:
    push_text(L, "helo", e->text);
    lua_pushboolean(L, e->esmtp);
    return 3;
  case SMTP_SERVER_MAIL: return push_mail(L, e);
  case SMTP_SERVER_RCPT:
    lua_pushliteral(L, "rcpt");
    smtp_push_path(L, e->path);
    smtp_push_params(L, e->params);
    return 2;
  case SMTP_SERVER_DATA: lua_pushliteral(L, "data"); return 1;
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
  case SMTP_SERVER_LINE: return push_text(L, "line", e->text);
  case SMTP_SERVER_REPLY: return push_text(L, "reply", e->text);
  default:
    lua_pushliteral(L, "close");
    lua_pushstring(L, reason(e->situation));
    return 2;
  }
}
