/* SPDX-License-Identifier: MIT */
/*
** probe_parse.c: the readers of csrc/mime on guarded inputs: decoders,
** charsets, fields, values, mailboxes and the walk over the parts.
*/
#include "../../csrc/mime/charset.h"
#include "../../csrc/mime/decode.h"
#include "../../csrc/mime/entity.h"
#include "../../csrc/mime/fields.h"
#include "../../csrc/mime/mailbox_parse.h"
#include "../../csrc/mime/value.h"
#include "probe.h"

static int pushbuf(lua_State *L, const smtp_buf *out) {
  smtp_slice all = smtp_buf_data(out);
  lua_pushlstring(L, all.p, all.n);
  return 1;
}

/* decoder(text [, before]): appends to a buffer that holds before. After an
** error the third result is what the buffer holds. */
static int decode(lua_State *L, int (*decoder)(smtp_buf *, smtp_slice)) {
  size_t n;
  const char *before = luaL_optlstring(L, 2, "", &n);
  smtp_buf *out = probe_buf(L, SIZE_MAX / 4);
  int result = smtp_buf_append(out, before, n);
  if (result == 0) result = decoder(out, probe_input(L, 1));
  if (result != 0) return probe_error(L, result) + pushbuf(L, out);
  return pushbuf(L, out);
}

static int decode_base64(lua_State *L) {
  return decode(L, smtp_decode_base64);
}

static int decode_qp(lua_State *L) {
  return decode(L, smtp_decode_qp);
}

static int decode_uu(lua_State *L) {
  return decode(L, smtp_decode_uu);
}

static int decode_percent(lua_State *L) {
  return decode(L, smtp_decode_percent);
}

static int decode_words(lua_State *L) {
  return decode(L, smtp_decode_words);
}

/* charset_utf8(text, charset) -> UTF-8, whether the charset is known */
static int charset_utf8(lua_State *L) {
  smtp_buf *out = probe_buf(L, SIZE_MAX / 4);
  smtp_slice name = probe_input(L, 2);
  int result = smtp_charset_utf8(out, probe_input(L, 1), name);
  if (result != 0) return probe_error(L, result);
  pushbuf(L, out);
  lua_pushboolean(L, smtp_charset_known(name));
  return 2;
}

/* value_parse(text) -> main, { name, value, charset or false, ... } */
static int value_parse(lua_State *L) {
  smtp_value v;
  PROBE_POISON(v);
  smtp_slice in = probe_input(L, 1);
  int result;
  smtp_value_init(&v, probe_mem());
  result = smtp_value_parse(&v, in);
  if (result != 0) {
    smtp_value_clear(&v);
    return probe_error(L, result);
  }
  lua_pushlstring(L, v.main.p, v.main.n);
  lua_newtable(L);
  for (size_t i = 0; i < v.count; i++) {
    const smtp_value_param *param = &v.params[i];
    lua_pushlstring(L, param->name.p, param->name.n);
    lua_rawseti(L, -2, (lua_Integer)(3 * i + 1));
    lua_pushlstring(L, param->value.p, param->value.n);
    lua_rawseti(L, -2, (lua_Integer)(3 * i + 2));
    if (param->charset.p == NULL)
      lua_pushboolean(L, 0);
    else
      lua_pushlstring(L, param->charset.p, param->charset.n);
    lua_rawseti(L, -2, (lua_Integer)(3 * i + 3));
  }
  smtp_value_clear(&v);
  return 2;
}

/* fields_next(text) -> { name, value, name ... }, offset of the body */
static int fields_next(lua_State *L) {
  smtp_slice in = probe_input(L, 1);
  smtp_field field;
  PROBE_POISON(field);
  size_t at = 0;
  lua_Integer n = 0;
  in.n = smtp_fields_body(in);
  lua_newtable(L);
  while (smtp_fields_next(in, &at, &field) == 1) {
    lua_pushlstring(L, field.name.p, field.name.n);
    lua_rawseti(L, -2, ++n);
    lua_pushlstring(L, field.value.p, field.value.n);
    lua_rawseti(L, -2, ++n);
  }
  lua_pushinteger(L, (lua_Integer)in.n);
  return 2;
}

static int push_slice(lua_State *L, smtp_slice s) {
  lua_pushlstring(L, s.p, s.n);
  return 1;
}

static int fields_first(lua_State *L) {
  return push_slice(L, smtp_fields_first(probe_input(L, 1)));
}

static int fields_trim(lua_State *L) {
  return push_slice(L, smtp_fields_trim(probe_input(L, 1)));
}

/* fields_find(header, name) -> value | nothing */
static int fields_find(lua_State *L) {
  smtp_slice name = probe_input(L, 2), value;
  PROBE_POISON(value);
  return smtp_fields_find(probe_input(L, 1), name, &value) == 1
             ? push_slice(L, value)
             : 0;
}

/* fields_cut(header) -> offset of the body if no empty line follows */
static int fields_cut(lua_State *L) {
  smtp_slice text = probe_input(L, 1);
  smtp_fields_scan scan = {false, false, false, false, 0};
  size_t at = 0, body;
  while (at < text.n) {
    smtp_slice rest = {text.p + at, text.n - at},
               line = smtp_fields_first(rest);
    if (smtp_fields_scanned(&scan, line, at, &body)) return 0;
    at += line.n;
  }
  lua_pushinteger(L, (lua_Integer)smtp_fields_cut(&scan, text.n));
  return 1;
}

/* mailbox_parse(text [, most]) -> { "name|address|group", ... }, { "name first
** count", ... }, fault. group is the group's number from 1, or 0. */
static int mailbox_parse(lua_State *L) {
  smtp_mailbox_list list;
  size_t i, most = (size_t)luaL_optinteger(L, 2, -1);
  smtp_slice in = probe_input(L, 1);
  int result;
  PROBE_POISON(list);
  smtp_mailbox_list_init(&list, probe_mem());
  result = smtp_mailbox_parse(&list, in, most);
  lua_newtable(L);
  for (i = 0; result == 0 && i < list.count; i++) {
    smtp_mailbox m = smtp_mailbox_list_at(&list, i);
    push_slice(L, m.name);
    lua_pushliteral(L, "|");
    push_slice(L, m.address);
    lua_pushfstring(L, "|%d", (int)(m.group + 1));
    lua_concat(L, 4);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  lua_newtable(L);
  for (i = 0; result == 0 && i < list.groups; i++) {
    smtp_mailbox_group g = smtp_mailbox_list_group(&list, i);
    push_slice(L, g.name);
    lua_pushfstring(L, " %d %d", (int)g.first, (int)g.count);
    lua_concat(L, 2);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  lua_pushstring(L, list.fault);
  smtp_mailbox_list_clear(&list);
  return result != 0 ? probe_error(L, result) : 3;
}

/* entity_walk(text [, max]) -> { "kind parent begin body end", ... } */
static int entity_walk(lua_State *L) {
  static const char *const kinds[] = {"leaf", "multipart", "message", "rest"};
  lua_Integer max = luaL_optinteger(L, 2, SMTP_ENTITY_MAX);
  smtp_entity *list = lua_newuserdatauv(L, (size_t)max * sizeof *list, 0);
  int i, count;
  count = smtp_entity_walk(list, (size_t)max, probe_input(L, 1), probe_mem());
  if (count < 0) return probe_error(L, count);
  lua_newtable(L);
  for (i = 0; i < count; i++) {
    lua_pushfstring(L, "%s %d %d %d %d", kinds[list[i].kind],
                    (int)list[i].parent, (int)list[i].begin, (int)list[i].body,
                    (int)list[i].end);
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

const luaL_Reg probe_parse[] = {{"decode_base64", decode_base64},
                                {"decode_qp", decode_qp},
                                {"decode_percent", decode_percent},
                                {"decode_uu", decode_uu},
                                {"decode_words", decode_words},
                                {"charset_utf8", charset_utf8},
                                {"value_parse", value_parse},
                                {"fields_next", fields_next},
                                {"fields_first", fields_first},
                                {"fields_trim", fields_trim},
                                {"fields_find", fields_find},
                                {"fields_cut", fields_cut},
                                {"mailbox_parse", mailbox_parse},
                                {"entity_walk", entity_walk},
                                {NULL, NULL}};
