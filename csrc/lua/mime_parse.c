/* SPDX-License-Identifier: MIT */
/*
** mime_parse.c: the readers of csrc/mime for Lua. A userdata holds each result
** until it is pushed, so that an error of Lua loses nothing.
*/
#include <lauxlib.h>
#include <lua.h>

#include "../core/ascii.h"
#include "../core/buf.h"
#include "../mime/charset.h"
#include "../mime/decode.h"
#include "../mime/entity.h"
#include "../mime/fields.h"
#include "../mime/value.h"
#include "open.h"
#include "push.h"
#include "support.h"

#define VALUE "smtp.mime_value"
#define OUT_MAX (SIZE_MAX / 4)
#define FIELDS_MAX 10000
#define FEW 32    /* entities that need no memory of their own */
#define GROWTH 32 /* of the memory for more of them */

static int value_free(lua_State *L) {
  smtp_value_clear(luaL_checkudata(L, 1, VALUE));
  return 0;
}

static void checkresult(lua_State *L, int result) {
  if (result < 0) luaL_error(L, "not enough memory");
}

/* Pushes the bytes of out and empties it for the next use. */
static void pushout(lua_State *L, smtp_buf *out) {
  smtp_push_slice(L, smtp_buf_data(out));
  smtp_buf_truncate(out, 0);
}

/* Bytes first to last (arguments 2 and 3, else all) of the string at 1. */
static smtp_slice checkrange(lua_State *L, lua_Integer *first) {
  smtp_slice s = smtp_check_slice(L, 1);
  lua_Integer n = (lua_Integer)s.n, last = luaL_optinteger(L, 3, n);
  *first = luaL_optinteger(L, 2, 1);
  luaL_argcheck(L, *first >= 1 && *first <= n + 1, 2, "out of range");
  luaL_argcheck(L, last >= *first - 1 && last <= n, 3, "out of range");
  s.p += *first - 1;
  s.n = (size_t)(last - *first + 1);
  return s;
}

/* Pushes what the decoder makes of the arguments. */
static int decode(lua_State *L, int (*decoder)(smtp_buf *, smtp_slice)) {
  lua_Integer first;
  smtp_slice in = checkrange(L, &first);
  smtp_buf *out = smtp_push_buffer(L, OUT_MAX);
  checkresult(L, decoder(out, in));
  return smtp_push_bytes(L, out);
}

/* core.decode_body(text, encoding [, first [, last]]) -> bytes; decodes the
** text from first to last */
static int decode_body(lua_State *L) {
  lua_Integer first;
  smtp_slice in, encoding = smtp_check_slice(L, 2);
  smtp_buf *out;
  lua_settop(L, 4);
  lua_pushvalue(L, 2); /* keeps it */
  lua_remove(L, 2);
  in = checkrange(L, &first);
  out = smtp_push_buffer(L, OUT_MAX);
  checkresult(L, smtp_decode_body(out, in, encoding));
  return smtp_push_bytes(L, out);
}

/* core.decode_words(value) -> UTF-8 without CR and LF */
static int decode_words(lua_State *L) {
  return decode(L, smtp_decode_words);
}

/* core.to_utf8(bytes [, charset]) -> UTF-8, whether the charset is known */
static int to_utf8(lua_State *L) {
  smtp_slice in = smtp_check_slice(L, 1), charset;
  smtp_buf *out;
  charset.p = luaL_optlstring(L, 2, "", &charset.n);
  out = smtp_push_buffer(L, OUT_MAX);
  checkresult(L, smtp_charset_utf8(out, in, charset));
  smtp_push_bytes(L, out);
  lua_pushboolean(L, smtp_charset_known(charset));
  return 2;
}

/* core.mime_value(text) -> main, { name, value, name, value ... }, each value
** in UTF-8, and whether some were left out */
static int mime_value(lua_State *L) {
  smtp_slice in = smtp_check_slice(L, 1);
  smtp_buf *out = smtp_push_buffer(L, OUT_MAX);
  smtp_value *value = smtp_new_object(L, VALUE, sizeof *value);
  size_t i;
  smtp_value_init(value, smtp_mem_libc());
  checkresult(L, smtp_value_parse(value, in));
  smtp_push_slice(L, value->main);
  lua_createtable(L, (int)value->count * 2, 0);
  for (i = 0; i < value->count; i++) {
    smtp_push_slice(L, value->params[i].name);
    lua_rawseti(L, -2, (lua_Integer)(2 * i + 1));
    checkresult(L, smtp_value_text(out, &value->params[i]));
    pushout(L, out);
    lua_rawseti(L, -2, (lua_Integer)(2 * i + 2));
  }
  lua_pushboolean(L, value->truncated);
  smtp_buf_clear(out);
  smtp_value_clear(value);
  return 3;
}

/* core.mime_fields(bytes [, first [, last]]) -> { name, value, raw, name ... },
** and whether there are more than FIELDS_MAX, which are left out; a value is
** decoded, raw is as it stands there */
static int mime_fields(lua_State *L) {
  lua_Integer first, n = 0;
  smtp_slice text = checkrange(L, &first);
  smtp_buf *out = smtp_push_buffer(L, OUT_MAX);
  smtp_field field;
  size_t at = 0;
  bool is_more = false;
  text.n = smtp_fields_body(text);
  lua_newtable(L);
  while (smtp_fields_next(text, &at, &field) == 1) {
    is_more = n >= FIELDS_MAX * 3;
    if (is_more) break;
    smtp_push_slice(L, field.name);
    lua_rawseti(L, -2, ++n);
    checkresult(L, smtp_decode_words(out, smtp_fields_trim(field.value)));
    pushout(L, out);
    lua_rawseti(L, -2, ++n);
    smtp_push_slice(L, field.value);
    lua_rawseti(L, -2, ++n);
  }
  smtp_buf_clear(out);
  lua_pushboolean(L, is_more);
  return 2;
}

/* Pushes a name in small letters. */
static void pushlower(lua_State *L, smtp_slice name) {
  luaL_Buffer b;
  char *place = luaL_buffinitsize(L, &b, name.n);
  for (size_t i = 0; i < name.n; i++)
    place[i] = (char)smtp_ascii_lower((unsigned char)name.p[i]);
  luaL_pushresultsize(&b, name.n);
}

/* The iterator of core.fields: upvalues are the text, the length of its header,
** and how much of that was read. */
static int next_field(lua_State *L) {
  smtp_slice header = {lua_tostring(L, lua_upvalueindex(1)),
                       (size_t)lua_tointeger(L, lua_upvalueindex(2))};
  size_t at = (size_t)lua_tointeger(L, lua_upvalueindex(3));
  smtp_field field;
  if (smtp_fields_next(header, &at, &field) == 0) return 0;
  pushlower(L, field.name);
  lua_pushinteger(L, field.name.p - header.p + 1);
  lua_pushinteger(L, (lua_Integer)at);
  lua_copy(L, -1, lua_upvalueindex(3));
  return 3;
}

/* core.fields(bytes) -> an iterator over the fields of the header in front: the
** name in small letters, and the places of the first and the last byte, which is
** that of the line end. */
static int fields(lua_State *L) {
  smtp_slice text = smtp_check_slice(L, 1);
  lua_settop(L, 1);
  lua_pushinteger(L, (lua_Integer)smtp_fields_body(text));
  lua_pushinteger(L, 0);
  lua_pushcclosure(L, next_field, 3);
  return 1;
}

static void pushentities(lua_State *L, const smtp_entity *list, int count) {
  static const char kinds[] = {'L', 'M', 'R', 'C'};
  static const char *const limits[] = {NULL, "depth", "boundary"};
  lua_Integer n = 0;
  int i;
  lua_createtable(L, count * 6, 0);
  for (i = 0; i < count; i++) {
    const smtp_entity *e = &list[i];
    lua_pushlstring(L, &kinds[e->kind], 1);
    lua_rawseti(L, -2, ++n);
    lua_pushinteger(L, i == 0 ? 0 : (lua_Integer)e->parent + 1);
    lua_rawseti(L, -2, ++n);
    lua_pushinteger(L, (lua_Integer)e->begin + 1);
    lua_rawseti(L, -2, ++n);
    lua_pushinteger(L, (lua_Integer)e->body + 1);
    lua_rawseti(L, -2, ++n);
    lua_pushinteger(L, (lua_Integer)e->end);
    lua_rawseti(L, -2, ++n);
    if (limits[e->limit] == NULL)
      lua_pushboolean(L, 0);
    else
      lua_pushstring(L, limits[e->limit]);
    lua_rawseti(L, -2, ++n);
  }
}

/* core.mime_entities(bytes [, most]) -> { kind, parent, begin, body, last, limit,
** kind ... }: kind is "L" leaf, "M" multipart, "R" message in a message, "C" cut
** off behind the most; the parent's number, 0 for the first; the places of the
** first byte, of that of the body, and of the last byte; and false, or why a leaf
** was not looked into */
static int mime_entities(lua_State *L) {
  smtp_slice text = smtp_check_slice(L, 1);
  lua_Integer most = luaL_optinteger(L, 2, SMTP_ENTITY_MAX);
  smtp_entity few[FEW], *list = few;
  size_t n = FEW;
  int count = smtp_entity_walk(list, n, text, smtp_mem_libc());
  while (count > 0 && list[count - 1].kind == SMTP_ENTITY_REST &&
         (lua_Integer)n < most) {
    n = (lua_Integer)n < most / GROWTH ? n * GROWTH : (size_t)most;
    lua_settop(L, 2);
    list = lua_newuserdatauv(L, n * sizeof *list, 0);
    count = smtp_entity_walk(list, n, text, smtp_mem_libc());
  }
  checkresult(L, count);
  pushentities(L, list, count);
  return 1;
}

void smtp_open_mime_parse(lua_State *L) {
  static const luaL_Reg functions[] = {{"decode_body", decode_body},
                                       {"decode_words", decode_words},
                                       {"to_utf8", to_utf8},
                                       {"mime_value", mime_value},
                                       {"fields", fields},
                                       {"mime_fields", mime_fields},
                                       {"mime_entities", mime_entities},
                                       {NULL, NULL}};
  static const luaL_Reg none[] = {{NULL, NULL}};
  smtp_new_class(L, VALUE, none, value_free);
  luaL_setfuncs(L, functions, 0);
}
