/* SPDX-License-Identifier: MIT */
/*
** mime_compose.c: C for the composer: header fields, bodies in their encodings,
** and "smtp.base64_encoder" for streams.
*/
#include <lauxlib.h>
#include <lua.h>

#include "../mime/date.h"
#include "../mime/encode.h"
#include "../mime/field_writer.h"
#include "../net/crypto.h"
#include "open.h"
#include "push.h"
#include "support.h"

#define ENCODER "smtp.base64_encoder"
#define FIELD_MAX (1024 * 1024)
#define OUT_MAX (SIZE_MAX / 4) /* memory ends before */
#define FEW 1024 /* bytes of a field that need no memory of their own */
#define DIGITS_MAX 64

/* ---- header fields --------------------------------------------------- */

enum { TEXT, STRUCTURED, PHRASE, TOKEN, TYPE, MAILBOX, GLUE, PARAM, WORDS };

/* The kind at index i of the array at 2; -1 at its end. */
static int kind_at(lua_State *L, lua_Integer i) {
  static const char *const kinds[] = {"text",  "structured", "phrase", "token",
                                      "type",  "mailbox",    "glue",   "param",
                                      "words", NULL};
  int kind;
  if (lua_rawgeti(L, 2, i) == LUA_TNIL) return -1;
  kind = luaL_checkoption(L, -1, NULL, kinds);
  lua_pop(L, 1);
  return kind;
}

/* The bytes that follow the piece before index i without a space. */
static size_t behind(lua_State *L, lua_Integer i) {
  size_t n = 0;
  int kind;
  for (; (kind = kind_at(L, i)) == GLUE; i += 2) {
    lua_rawgeti(L, 2, i + 1);
    n += smtp_check_slice(L, -1).n;
    lua_pop(L, 1);
  }
  return kind == PARAM || kind == WORDS ? n + 1 : n; /* its ";" */
}

/* One piece: its kind at index i of the array at 2, and its values behind it;
** the index of the next one in *i. */
static int put_piece(lua_State *L, smtp_field_writer *f, lua_Integer *i) {
  smtp_slice a, b = {"", 0};
  int kind = kind_at(L, *i), r;
  lua_settop(L, 3);
  lua_rawgeti(L, 2, *i + 1); /* a */
  a = smtp_check_slice(L, 4);
  *i += 2;
  if (kind == PARAM || kind == WORDS) {
    lua_rawgeti(L, 2, (*i)++); /* a, b */
    b = smtp_check_slice(L, 5);
  }
  f->behind = behind(L, *i);
  switch (kind) {
  case TEXT: r = smtp_field_writer_text(f, a); break;
  case STRUCTURED: r = smtp_field_writer_structured(f, a); break;
  case PHRASE: r = smtp_field_writer_phrase(f, a); break;
  case TYPE: /* readers ignore the blank of the next line here */
    f->bare = false;
    r = smtp_field_writer_token(f, a, true);
    break;
  case TOKEN: r = smtp_field_writer_token(f, a, true); break;
  case MAILBOX: r = smtp_field_writer_mailbox(f, a); break;
  case GLUE: r = smtp_field_writer_token(f, a, false); break;
  default: r = smtp_field_writer_param(f, a, b, kind == WORDS); break;
  }
  return r;
}

static int put_field(lua_State *L, smtp_field_writer *f, smtp_buf *out) {
  lua_Integer i = 1, n = (lua_Integer)lua_rawlen(L, 2);
  int r = smtp_field_writer_begin(f, out, smtp_check_slice(L, 1));
  while (r == 0 && i < n) r = put_piece(L, f, &i);
  return r == 0 ? smtp_field_writer_end(f) : r;
}

/* Whether the field fits into `few`, however it is encoded: then nothing is
** written twice. */
static bool is_few(lua_State *L) {
  size_t total = lua_rawlen(L, 1);
  lua_Integer i, n = (lua_Integer)lua_rawlen(L, 2);
  for (i = 1; i <= n && total <= FEW / 8; i++) {
    total += lua_rawgeti(L, 2, i) == LUA_TSTRING ? lua_rawlen(L, -1) : 0;
    lua_pop(L, 1);
  }
  return total <= FEW / 8;
}

/* core.field(name, { kind, value, ... }) -> the field with its CRLF | nil, why.
** A "param" and "words" have two values. Most fields fit into `few`. */
static int core_field(lua_State *L) {
  char few[FEW];
  smtp_field_writer f;
  smtp_buf small, *out = &small;
  int r;
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  lua_pushnil(L); /* at 3, or the large buffer */
  smtp_buf_init(&small, NULL, sizeof few);
  small.p = few;
  small.size = sizeof few;
  r = is_few(L) ? put_field(L, &f, out) : SMTP_ETOOBIG;
  if (r == SMTP_ETOOBIG) {
    lua_settop(L, 2);
    out = smtp_push_buffer(L, FIELD_MAX); /* at 3 */
    r = put_field(L, &f, out);
  }
  if (r == SMTP_ENOMEM) return luaL_error(L, "not enough memory");
  if (r != 0)
    return smtp_push_failure(L, r == SMTP_EINVALID ? f.why : "is too long",
                             NULL);
  smtp_push_slice(L, smtp_buf_data(out));
  if (out != &small) smtp_buf_clear(out);
  return 1;
}

/* core.date(seconds) -> the date-time of a field, in UTC */
static int core_date(lua_State *L) {
  char text[SMTP_DATE_SIZE];
  lua_Integer seconds = luaL_checkinteger(L, 1);
  luaL_argcheck(L, seconds >= 0 && seconds <= SMTP_DATE_MAX, 1, "out of range");
  lua_pushlstring(L, text, smtp_date_format(text, seconds));
  return 1;
}

/* core.random_digits(n) -> n hexadecimal digits by chance */
static int random_digits(lua_State *L) {
  static const char hex[] = "0123456789abcdef";
  unsigned char bytes[DIGITS_MAX];
  lua_Integer i, n = luaL_checkinteger(L, 1);
  luaL_argcheck(L, n >= 0 && n <= DIGITS_MAX, 1, "0 to 64 digits");
  if (smtp_crypto_openssl()->random(bytes, (size_t)n) != 0)
    return luaL_error(L, "no random bytes");
  for (i = 0; i < n; i++) bytes[i] = (unsigned char)hex[bytes[i] & 15];
  lua_pushlstring(L, (const char *)bytes, (size_t)n);
  return 1;
}

/* ---- bodies ---------------------------------------------------------- */

/* core.encoding(text) -> "7bit" | "quoted-printable" | "base64" */
static int core_encoding(lua_State *L) {
  static const char *const names[] = {"7bit", "quoted-printable", "base64"};
  lua_pushstring(L, names[smtp_encode_choose(smtp_check_slice(L, 1))]);
  return 1;
}

/* core.canonical(text) -> text with CRLF at the end of every line, the last too */
static int core_canonical(lua_State *L) {
  smtp_slice text = smtp_check_slice(L, 1);
  size_t n = smtp_encode_canonical_size(text);
  luaL_Buffer b;
  smtp_encode_canonical(luaL_buffinitsize(L, &b, n), text);
  luaL_pushresultsize(&b, n);
  return 1;
}

/* core.qp(text) -> the text in quoted-printable */
static int core_qp(lua_State *L) {
  smtp_slice text = smtp_check_slice(L, 1);
  smtp_buf *out = smtp_push_buffer(L, OUT_MAX);
  if (smtp_encode_qp(text, out, NULL) != 0)
    return luaL_error(L, "not enough memory");
  return smtp_push_bytes(L, out);
}

/* core.base64_size(n) -> bytes that n make in lines */
static int core_base64_size(lua_State *L) {
  uint64_t n = (uint64_t)luaL_checkinteger(L, 1);
  lua_pushinteger(L, (lua_Integer)smtp_encode_base64_size(n));
  return 1;
}

static int encoder_new(lua_State *L) {
  smtp_new_object(L, ENCODER, sizeof(smtp_encode_lines));
  return 1;
}

/* encoder:feed(bytes) -> lines, as far as they are whole */
static int encoder_feed(lua_State *L) {
  smtp_encode_lines *e = smtp_check_self(L, ENCODER);
  smtp_slice in = smtp_check_slice(L, 2);
  smtp_buf *out = smtp_push_buffer(L, OUT_MAX);
  if (smtp_encode_base64(e, in, out) != 0)
    return luaL_error(L, "not enough memory");
  return smtp_push_bytes(L, out);
}

/* encoder:finish([bytes]) -> the rest, of what came and of bytes, the last */
static int encoder_finish(lua_State *L) {
  smtp_encode_lines *e = smtp_check_self(L, ENCODER);
  smtp_slice in;
  smtp_buf *out;
  in.p = luaL_optlstring(L, 2, "", &in.n);
  out = smtp_push_buffer(L, OUT_MAX);
  if (smtp_encode_base64(e, in, out) != 0 ||
      smtp_encode_base64_end(e, out) != 0)
    return luaL_error(L, "not enough memory");
  return smtp_push_bytes(L, out);
}

void smtp_open_mime_compose(lua_State *L) {
  static const luaL_Reg functions[] = {{"field", core_field},
                                       {"random_digits", random_digits},
                                       {"encoding", core_encoding},
                                       {"canonical", core_canonical},
                                       {"date", core_date},
                                       {"qp", core_qp},
                                       {"base64_size", core_base64_size},
                                       {"base64_encoder", encoder_new},
                                       {NULL, NULL}};
  static const luaL_Reg methods[] = {
      {"feed", encoder_feed}, {"finish", encoder_finish}, {NULL, NULL}};
  smtp_new_class(L, ENCODER, methods, NULL);
  luaL_setfuncs(L, functions, 0);
}
