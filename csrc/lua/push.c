/* SPDX-License-Identifier: MIT */
/* push.c: see push.h for what this promises. */
#include "push.h"

#include <lauxlib.h>

#include "../core/ascii.h"
#include "support.h"

#define BUFFER "smtp.buffer"

void smtp_push_slice(lua_State *L, smtp_slice s) {
  lua_pushlstring(L, s.p, s.n);
}

static int buffer_free(lua_State *L) {
  smtp_buf_clear(luaL_checkudata(L, 1, BUFFER));
  return 0;
}

smtp_buf *smtp_push_buffer(lua_State *L, size_t cap) {
  smtp_buf *b = smtp_new_object(L, BUFFER, sizeof *b);
  smtp_buf_init(b, smtp_mem_libc(), cap);
  return b;
}

int smtp_push_bytes(lua_State *L, smtp_buf *b) {
  smtp_push_slice(L, smtp_buf_data(b));
  smtp_buf_clear(b);
  return 1;
}

void smtp_open_buffer(lua_State *L) {
  static const luaL_Reg none[] = {{NULL, NULL}};
  smtp_new_class(L, BUFFER, none, buffer_free);
}

static void set_slice(lua_State *L, const char *key, smtp_slice s) {
  smtp_push_slice(L, s);
  lua_setfield(L, -2, key);
}

/* Pushes the lines of text, separated by LF, as an array. */
static void push_lines(lua_State *L, smtp_slice text) {
  smtp_slice line;
  lua_Integer i = 0;
  bool more = true;
  lua_createtable(L, 1, 0); /* lines */
  while (more) {
    more = smtp_ascii_line(&text, &line);
    smtp_push_slice(L, line);
    lua_rawseti(L, -2, ++i);
  }
}

static void push_status(lua_State *L, smtp_status s) {
  lua_pushfstring(L, "%d.%d.%d", (int)s.class_, (int)s.subject, (int)s.detail);
}

void smtp_set_reply(lua_State *L, int code, smtp_status status,
                    smtp_slice text) {
  smtp_status same;
  size_t used = 0;
  lua_pushinteger(L, code);
  lua_setfield(L, -2, "code");
  push_lines(L, text);
  lua_setfield(L, -2, "lines");
  if (status.class_ != 0) {
    push_status(L, status);
    lua_setfield(L, -2, "enhanced");
    if (smtp_status_parse(&same, text, &used))
      text = (smtp_slice){text.p + used, text.n - used};
  }
  set_slice(L, "text", text);
}

void smtp_push_reply(lua_State *L, const smtp_reply *reply,
                     smtp_status status) {
  lua_createtable(L, 0, 4); /* reply */
  smtp_set_reply(L, reply->code, status, smtp_reply_text(reply));
}

void smtp_push_path(lua_State *L, const smtp_path *path) {
  smtp_buf mailbox;
  luaL_Buffer b;
  lua_createtable(L, 0, 8); /* path */
  set_slice(L, "user", (smtp_slice){path->local, path->local_n});
  set_slice(L, "domain", (smtp_slice){path->domain, path->domain_n});
  /* The mailbox is written into memory that Lua owns, so that an error in
  ** Lua loses nothing: at most twice the local part, "@", quotes, domain. */
  luaL_buffinitsize(L, &b, 2 * sizeof path->local + sizeof path->domain + 8);
  smtp_buf_init(&mailbox, NULL, b.size);
  mailbox.p = luaL_buffaddr(&b);
  mailbox.size = b.size;
  if (smtp_path_format_mailbox(&mailbox, path) == 0)
    luaL_addsize(&b, smtp_buf_length(&mailbox));
  luaL_pushresult(&b);
  lua_setfield(L, -2, "address");
}

/* The key in upper case, so that BODY and body are one. */
static void push_key(lua_State *L, smtp_slice key) {
  luaL_Buffer b;
  size_t i;
  luaL_buffinitsize(L, &b, key.n);
  for (i = 0; i < key.n; i++) {
    char c = key.p[i];
    luaL_addchar(&b, c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c);
  }
  luaL_pushresult(&b);
}

void smtp_push_params(lua_State *L, smtp_slice params) {
  smtp_param param;
  lua_newtable(L); /* params */
  while (smtp_param_next(&params, &param) == 1) {
    push_key(L, param.key);
    if (param.has_value)
      smtp_push_slice(L, param.value);
    else
      lua_pushboolean(L, 1);
    lua_rawset(L, -3);
  }
  lua_setfield(L, -2, "params");
}
