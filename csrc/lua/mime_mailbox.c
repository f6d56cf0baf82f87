/* SPDX-License-Identifier: MIT */
/*
** mime_mailbox.c: lists of addresses for Lua, held by "smtp.mailbox_list" until
** they are pushed, so that an error of Lua loses nothing.
*/
#include <lauxlib.h>
#include <lua.h>

#include "../core/path.h"
#include "../mime/mailbox_parse.h"
#include "open.h"
#include "push.h"
#include "support.h"

#define LIST "smtp.mailbox_list"

static int list_free(lua_State *L) {
  smtp_mailbox_list_clear(luaL_checkudata(L, 1, LIST));
  return 0;
}

static void setslice(lua_State *L, const char *key, smtp_slice s) {
  smtp_push_slice(L, s);
  lua_setfield(L, -2, key);
}

static void pushmailbox(lua_State *L, const smtp_mailbox_list *list, size_t i) {
  smtp_mailbox m = smtp_mailbox_list_at(list, i);
  lua_createtable(L, 0, m.group == SMTP_NO_GROUP ? 2 : 3);
  setslice(L, "address", m.address);
  if (m.name.n > 0) setslice(L, "name", m.name);
  if (m.group != SMTP_NO_GROUP)
    setslice(L, "group", smtp_mailbox_list_group(list, m.group).name);
}

static void pushgroup(lua_State *L, const smtp_mailbox_list *list, size_t i) {
  smtp_mailbox_group g = smtp_mailbox_list_group(list, i);
  lua_createtable(L, 0, 3);
  setslice(L, "name", g.name);
  lua_pushinteger(L, (lua_Integer)g.first + 1);
  lua_setfield(L, -2, "first");
  lua_pushinteger(L, (lua_Integer)(g.first + g.count));
  lua_setfield(L, -2, "last");
}

static void pusharray(lua_State *L, const smtp_mailbox_list *list, size_t n,
                      void (*push)(lua_State *, const smtp_mailbox_list *,
                                   size_t)) {
  size_t i;
  lua_createtable(L, (int)n, 0);
  for (i = 0; i < n; i++) {
    push(L, list, i);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
}

/* Whether MAIL and RCPT may carry each mailbox of a list as it stands, in ASCII. */
static bool is_sendable(const smtp_mailbox_list *list) {
  smtp_path path;
  size_t i;
  for (i = 0; i < list->count; i++) {
    smtp_slice address = smtp_mailbox_list_at(list, i).address;
    if (address.n == 0 ||
        smtp_path_parse_mailbox(&path, address, SMTP_PATH_STRICT) != 0 ||
        path.eightbit || smtp_path_has_alabel(&path))
      return false;
  }
  return true;
}

/*
** core.addresses(text [, most]) -> { { name, address, group }, ... }, { { name,
** first, last }, ... } of groups, fault | nil, whether MAIL and RCPT may carry each
** address as it stands, in ASCII. The text is the value of a field, folded or not;
** group is the group's name. With `most`, reading ends at a fault, and beyond
** that number of mailboxes.
*/
static int addresses(lua_State *L) {
  smtp_slice text = smtp_check_slice(L, 1);
  size_t most =
      lua_isnoneornil(L, 2) ? SIZE_MAX : (size_t)luaL_checkinteger(L, 2);
  smtp_mailbox_list *list = smtp_new_object(L, LIST, sizeof *list);
  smtp_mailbox_list_init(list, smtp_mem_libc());
  if (smtp_mailbox_parse(list, text, most) != 0)
    return luaL_error(L, "not enough memory");
  pusharray(L, list, list->count, pushmailbox);
  pusharray(L, list, list->groups, pushgroup);
  lua_pushstring(L, list->fault); /* nil if there is none */
  lua_pushboolean(L, most != SIZE_MAX && is_sendable(list));
  smtp_mailbox_list_clear(list);
  return 4;
}

void smtp_open_mime_mailbox(lua_State *L) {
  static const luaL_Reg functions[] = {{"addresses", addresses}, {NULL, NULL}};
  static const luaL_Reg none[] = {{NULL, NULL}};
  smtp_new_class(L, LIST, none, list_free);
  luaL_setfuncs(L, functions, 0);
}
