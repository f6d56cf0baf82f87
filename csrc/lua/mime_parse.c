/* SPDX-License-Identifier: MIT */
/*
** mime_parse.c: the readers of csrc/mime for Lua. What they make is held by a
** userdata until it was pushed, so that an error of Lua loses nothing.
*/
#include <lauxlib.h>
#include <lua.h>
#include <string.h>

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

#define RESULT "smtp.mime_result"
#define FEW 32 /* entities that need no memory of their own */

typedef struct holder {
  smtp_buf out;
  smtp_value value;
} holder;

static holder *newholder(lua_State *L) {
  holder *h = smtp_new_object(L, RESULT, sizeof *h);
  smtp_buf_init(&h->out, smtp_mem_libc(), SIZE_MAX / 4);
  smtp_value_init(&h->value, smtp_mem_libc());
  return h;
}

static int result_free(lua_State *L) {
  holder *h = luaL_checkudata(L, 1, RESULT);
  if (h->out.mem == NULL) return 0; /* newholder was cut short */
  smtp_buf_clear(&h->out);
  smtp_value_clear(&h->value);
  return 0;
}

static void checkresult(lua_State *L, int result) {
  if (result < 0) luaL_error(L, "not enough memory");
}

/* Pushes what is in out and empties it. */
static void pushout(lua_State *L, holder *h) {
  smtp_push_slice(L, smtp_buf_data(&h->out));
  smtp_buf_truncate(&h->out, 0);
}

/* Pushes what the decoder makes of the argument 1. */
static int decode(lua_State *L, int (*decoder)(smtp_buf *, smtp_slice)) {
  smtp_slice in = smtp_check_slice(L, 1);
  holder *h = newholder(L);
  checkresult(L, decoder(&h->out, in));
  pushout(L, h);
  smtp_buf_clear(&h->out);
  return 1;
}

/* core.decode_base64(text) -> bytes */
static int decode_base64(lua_State *L) {
  return decode(L, smtp_decode_base64);
}

/* core.decode_qp(text) -> bytes */
static int decode_qp(lua_State *L) {
  return decode(L, smtp_decode_qp);
}

/* core.decode_words(value) -> UTF-8 without CR and LF */
static int decode_words(lua_State *L) {
  return decode(L, smtp_decode_words);
}

/* core.to_utf8(bytes [, charset]) -> UTF-8, whether the charset is known */
static int to_utf8(lua_State *L) {
  smtp_slice in = smtp_check_slice(L, 1), charset;
  holder *h;
  charset.p = luaL_optlstring(L, 2, "", &charset.n);
  h = newholder(L);
  checkresult(L, smtp_charset_utf8(&h->out, in, charset));
  pushout(L, h);
  smtp_buf_clear(&h->out);
  lua_pushboolean(L, smtp_charset_known(charset));
  return 2;
}

/* core.mime_value(text) -> main, { name, value, name, value ... }, each value
** in UTF-8 */
static int mime_value(lua_State *L) {
  smtp_slice in = smtp_check_slice(L, 1);
  holder *h = newholder(L);
  size_t i;
  checkresult(L, smtp_value_parse(&h->value, in));
  smtp_push_slice(L, h->value.main);
  lua_createtable(L, (int)h->value.count * 2, 0);
  for (i = 0; i < h->value.count; i++) {
    smtp_push_slice(L, h->value.params[i].name);
    lua_rawseti(L, -2, (lua_Integer)(2 * i + 1));
    checkresult(L, smtp_value_text(&h->out, &h->value.params[i]));
    pushout(L, h);
    lua_rawseti(L, -2, (lua_Integer)(2 * i + 2));
  }
  smtp_buf_clear(&h->out);
  smtp_value_clear(&h->value);
  return 2;
}

/* core.mime_fields(bytes [, first [, last]]) -> { name, value, raw, name ... },
** place of the body; a value is decoded, raw is as it stands there */
static int mime_fields(lua_State *L) {
  smtp_slice all = smtp_check_slice(L, 1), text;
  lua_Integer length = (lua_Integer)all.n, n = 0;
  lua_Integer first = luaL_optinteger(L, 2, 1);
  lua_Integer last = luaL_optinteger(L, 3, length);
  smtp_field field;
  size_t at = 0;
  holder *h;
  luaL_argcheck(L, first >= 1 && first <= length + 1, 2, "out of range");
  luaL_argcheck(L, last >= first - 1 && last <= length, 3, "out of range");
  text.p = all.p + (first - 1);
  text.n = (size_t)(last - first + 1);
  h = newholder(L);
  lua_newtable(L);
  while (smtp_fields_next(text, &at, &field) == 1) {
    smtp_push_slice(L, field.name);
    lua_rawseti(L, -2, ++n);
    checkresult(L, smtp_decode_words(&h->out, smtp_fields_trim(field.value)));
    pushout(L, h);
    lua_rawseti(L, -2, ++n);
    smtp_push_slice(L, field.value);
    lua_rawseti(L, -2, ++n);
  }
  smtp_buf_clear(&h->out);
  lua_pushinteger(L, first + (lua_Integer)at);
  return 2;
}

static void pushentities(lua_State *L, const smtp_entity *list, int count) {
  static const char kinds[] = {'L', 'M', 'R', 'C'};
  lua_Integer n = 0;
  int i;
  lua_createtable(L, count * 5, 0);
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
  }
}

/* core.mime_entities(bytes) -> { kind, parent, begin, body, last, kind ... }:
** kind is "L" leaf, "M" multipart, "R" message in a message, "C" cut off; the
** parent's number, 0 for the first; and the places of the first byte, of that
** of the body, and of the last byte */
static int mime_entities(lua_State *L) {
  smtp_slice text = smtp_check_slice(L, 1);
  smtp_entity few[FEW], *list = few;
  int count = smtp_entity_walk(few, FEW, text, smtp_mem_libc());
  checkresult(L, count);
  if (few[count - 1].kind == SMTP_ENTITY_REST) {
    list = lua_newuserdatauv(L, SMTP_ENTITY_MAX * sizeof *list, 0);
    count = smtp_entity_walk(list, SMTP_ENTITY_MAX, text, smtp_mem_libc());
    checkresult(L, count);
  }
  pushentities(L, list, count);
  return 1;
}

void smtp_open_mime_parse(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"decode_base64", decode_base64}, {"decode_qp", decode_qp},
      {"decode_words", decode_words},   {"to_utf8", to_utf8},
      {"mime_value", mime_value},       {"mime_fields", mime_fields},
      {"mime_entities", mime_entities}, {NULL, NULL}};
  static const luaL_Reg methods[] = {{NULL, NULL}};
  smtp_new_class(L, RESULT, methods, result_free);
  luaL_setfuncs(L, functions, 0);
}
