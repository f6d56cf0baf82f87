/* SPDX-License-Identifier: MIT */
/*
** probe_compose.c: the writers of csrc/mime on guarded inputs, with memory that
** may end.
*/
#include "../../csrc/mime/encode.h"
#include "../../csrc/mime/field_writer.h"
#include "probe.h"

static int push_all(lua_State *L, const smtp_buf *out) {
  smtp_slice all = smtp_buf_data(out);
  lua_pushlstring(L, all.p, all.n);
  return 1;
}

/* field(name, kind, value [, behind [, parameter]]) -> a field of one piece |
** nil, error, why. behind is glued to the piece. */
static int field(lua_State *L) {
  static const char *const kinds[] = {"text",  "structured", "phrase",
                                      "token", "mailbox",    "param",
                                      "words", NULL};
  smtp_slice name = probe_input(L, 1), value = probe_input(L, 3),
             behind = {"", 0}, parameter = {"", 0};
  int kind = luaL_checkoption(L, 2, NULL, kinds), r;
  smtp_buf *out = probe_buf(L, SIZE_MAX / 4);
  smtp_field_writer f;
  if (lua_type(L, 4) == LUA_TSTRING) behind = probe_input(L, 4);
  if (lua_type(L, 5) == LUA_TSTRING) parameter = probe_input(L, 5);
  r = smtp_field_writer_begin(&f, out, name);
  f.behind = behind.n;
  if (r == 0 && kind >= 5)
    r = smtp_field_writer_token(&f, SMTP_LIT("a/b"), true);
  if (r == 0) switch (kind) {
    case 0: r = smtp_field_writer_text(&f, value); break;
    case 1: r = smtp_field_writer_structured(&f, value); break;
    case 2: r = smtp_field_writer_phrase(&f, value); break;
    case 3: r = smtp_field_writer_token(&f, value, true); break;
    case 4: r = smtp_field_writer_mailbox(&f, value); break;
    default:
      r = smtp_field_writer_param(&f, parameter, value, kind == 6);
      break;
    }
  if (r == 0 && behind.n > 0) r = smtp_field_writer_token(&f, behind, false);
  if (r == 0) r = smtp_field_writer_end(&f);
  if (r == 0) return push_all(L, out);
  probe_error(L, r);
  lua_pushstring(L, r == SMTP_EINVALID ? f.why : "");
  return 3;
}

/* qp_encode(text) -> quoted-printable, size as it is told | nil, error */
static int qp_encode(lua_State *L) {
  smtp_buf *out = probe_buf(L, SIZE_MAX / 4);
  int r = smtp_encode_qp(probe_input(L, 1), out, NULL);
  return r != 0 ? probe_error(L, r) : push_all(L, out);
}

static int canonical_encode(lua_State *L) {
  smtp_slice in = probe_input(L, 1);
  size_t n = smtp_encode_canonical_size(in);
  smtp_encode_canonical(lua_newuserdatauv(L, n, 0), in);
  lua_pushlstring(L, lua_touserdata(L, -1), n);
  return 1;
}

/* base64_encode(text, n) -> lines, of pieces of n bytes | nil, error */
static int base64_encode(lua_State *L) {
  smtp_buf *out = probe_buf(L, SIZE_MAX / 4);
  size_t n = (size_t)luaL_checkinteger(L, 2), at, size;
  smtp_encode_lines e = {0};
  int r = 0;
  luaL_checklstring(L, 1, &size);
  for (at = 0; r == 0 && at < size; at += n) {
    const char *text = lua_tostring(L, 1);
    lua_pushlstring(L, text + at, n < size - at ? n : size - at);
    r = smtp_encode_base64(&e, probe_input(L, lua_gettop(L)), out);
    lua_pop(L, 2);
  }
  if (r == 0) r = smtp_encode_base64_end(&e, out);
  return r != 0 ? probe_error(L, r) : push_all(L, out);
}

const luaL_Reg probe_compose[] = {{"field", field},
                                  {"qp_encode", qp_encode},
                                  {"canonical_encode", canonical_encode},
                                  {"base64_encode", base64_encode},
                                  {NULL, NULL}};
