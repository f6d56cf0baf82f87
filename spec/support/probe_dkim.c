/* SPDX-License-Identifier: MIT */
/*
** probe_dkim.c: the canonical forms of DKIM.
**   dkim_body(canon, text [, cut [, cap]])  fed in pieces of cut bytes
**   dkim_header(canon, field [, cap])
** Each gives the form, or nil and an error.
*/
#include "probe.h"

#include "../../csrc/mime/dkim_canon.h"

static const char *const canons[] = {"simple", "relaxed", NULL};

static int write_out(void *ctx, smtp_slice bytes) {
  return smtp_buf_append_slice(ctx, bytes);
}

static int push_output(lua_State *L, smtp_buf *out, int result) {
  if (result != 0) return probe_error(L, result);
  lua_pushlstring(L, smtp_buf_data(out).p, smtp_buf_length(out));
  return 1;
}

static int dkim_body(lua_State *L) {
  int canon = luaL_checkoption(L, 1, NULL, canons);
  size_t cut = (size_t)luaL_optinteger(L, 3, 0);
  smtp_buf *out = probe_buf(L, (size_t)luaL_optinteger(L, 4, 1 << 24));
  smtp_slice text = probe_input(L, 2);
  smtp_dkim_body b;
  PROBE_POISON(b);
  int result = 0;
  smtp_dkim_body_init(&b, (smtp_dkim_canon)canon, write_out, out);
  while (result == 0 && text.n > 0) {
    smtp_slice piece = {text.p, cut > 0 && cut < text.n ? cut : text.n};
    result = smtp_dkim_body_feed(&b, piece);
    text.p += piece.n;
    text.n -= piece.n;
  }
  if (result == 0) result = smtp_dkim_body_finish(&b);
  return push_output(L, out, result);
}

static int dkim_header(lua_State *L) {
  int canon = luaL_checkoption(L, 1, NULL, canons);
  smtp_buf *out = probe_buf(L, (size_t)luaL_optinteger(L, 3, 1 << 24));
  int result = smtp_dkim_header(out, (smtp_dkim_canon)canon, probe_input(L, 2));
  if (result != 0 && smtp_buf_length(out) != 0)
    return luaL_error(L, "something was left in the output");
  return push_output(L, out, result);
}

const luaL_Reg probe_dkim[] = {
    {"dkim_body", dkim_body}, {"dkim_header", dkim_header}, {NULL, NULL}};
