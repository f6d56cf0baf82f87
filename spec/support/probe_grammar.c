/* SPDX-License-Identifier: MIT */
/*
** probe_grammar.c: the group of ehlo, status, reply, command, dot and header.
** Each Lua function calls the core's function of its name on guarded copies of
** its arguments; a failure is nil and the name of the error, and where there
** is an output, what is left in it then. What streams takes a list of chunks.
** A status is three integers, the first 0 for none.
*/
#include "../../csrc/core/command.h"
#include "../../csrc/core/dot.h"
#include "../../csrc/core/ehlo.h"
#include "../../csrc/core/header.h"
#include "../../csrc/core/reply.h"
#include "../../csrc/core/status.h"
#include "probe.h"

#include <string.h>

#define NO_CAP ((lua_Integer)1 << 40)

static int push_slice(lua_State *L, smtp_slice s) {
  lua_pushlstring(L, s.p, s.n);
  return 1;
}

/* Pushes what out holds, or an error and what is left in out then. */
static int push_output(lua_State *L, const smtp_buf *out, int result) {
  if (result == 0) return push_slice(L, smtp_buf_data(out));
  probe_error(L, result);
  return 2 + push_slice(L, smtp_buf_data(out));
}

/*
** A buffer whose cap is the last argument, arg; without it there is hardly
** one. Called first, while there is nothing but arguments on the stack.
*/
static smtp_buf *output(lua_State *L, int arg) {
  lua_settop(L, arg);
  return probe_buf(L, (size_t)luaL_optinteger(L, arg, NO_CAP));
}

static int push_status(lua_State *L, smtp_status status) {
  lua_pushinteger(L, status.class_);
  lua_pushinteger(L, status.subject);
  lua_pushinteger(L, status.detail);
  return 3;
}

/* The status at arguments arg to arg + 2. */
static smtp_status check_status(lua_State *L, int arg) {
  smtp_status status;
  PROBE_POISON(status);
  status.class_ = (unsigned short)luaL_checkinteger(L, arg);
  status.subject = (unsigned short)luaL_checkinteger(L, arg + 1);
  status.detail = (unsigned short)luaL_checkinteger(L, arg + 2);
  return status;
}

/* ---- ehlo ---- */

static int ehlo_line(lua_State *L) {
  smtp_slice keyword, params;
  PROBE_POISON(keyword);
  PROBE_POISON(params);
  int result = smtp_ehlo_line(probe_input(L, 1), &keyword, &params);
  if (result != 0) return probe_error(L, result);
  return push_slice(L, keyword) + push_slice(L, params);
}

static int ehlo_extension(lua_State *L) {
  lua_pushinteger(L, smtp_ehlo_extension(probe_input(L, 1)));
  return 1;
}

/* ehlo_learn(line, ...) -> extensions, size */
static int ehlo_learn(lua_State *L) {
  smtp_ehlo ehlo = {0, 0};
  int i, n = lua_gettop(L);
  luaL_checkstack(L, n + 4, "lines");
  for (i = 1; i <= n; i++) smtp_ehlo_learn(&ehlo, probe_input(L, i));
  lua_pushinteger(L, ehlo.extensions);
  lua_pushinteger(L, (lua_Integer)ehlo.size);
  return 2;
}

/* ehlo_format(hostname, extensions, size, own [, cap]) */
static int ehlo_format(lua_State *L) {
  smtp_ehlo ehlo;
  PROBE_POISON(ehlo);
  smtp_buf *out = output(L, 5);
  smtp_slice hostname = probe_input(L, 1), own = probe_input(L, 4);
  ehlo.extensions = (unsigned)luaL_checkinteger(L, 2);
  ehlo.size = (uint64_t)luaL_checkinteger(L, 3);
  return push_output(L, out, smtp_ehlo_format(out, hostname, &ehlo, own));
}

/* ---- status ---- */

/* status_parse(text) -> class, subject, detail, used; or nil */
static int status_parse(lua_State *L) {
  smtp_status status;
  PROBE_POISON(status);
  size_t used;
  if (smtp_status_parse(&status, probe_input(L, 1), &used) == 0) return 0;
  push_status(L, status);
  lua_pushinteger(L, (lua_Integer)used);
  return 4;
}

/* status_format(class, subject, detail [, cap]) */
static int status_format(lua_State *L) {
  smtp_buf *out = output(L, 4);
  return push_output(L, out, smtp_status_format(out, check_status(L, 1)));
}

/* status_of(situation) -> code, text, class, subject, detail */
static int status_of(lua_State *L) {
  int situation = (int)luaL_checkinteger(L, 1);
  const smtp_default *d = smtp_status_of((smtp_situation)situation);
  lua_pushinteger(L, d->code);
  lua_pushstring(L, d->text);
  return 2 + push_status(L, d->status);
}

/* status_for(ok, code) -> class, subject, detail */
static int status_for(lua_State *L) {
  int ok = (int)luaL_checkinteger(L, 1);
  int code = (int)luaL_checkinteger(L, 2);
  return push_status(L, smtp_status_for((smtp_situation)ok, code));
}

/* ---- reply ---- */

typedef struct reader {
  smtp_buf in;
  smtp_reply reply;
} reader;

static reader *check_reader(lua_State *L) {
  return luaL_checkudata(L, 1, "probe.reply");
}

static int reply_gc(lua_State *L) {
  reader *r = check_reader(L);
  smtp_reply_clear(&r->reply);
  smtp_buf_clear(&r->in);
  return 0;
}

/* reply_new() -> a reply and the buffer that it is fed from */
static int reply_new(lua_State *L) {
  reader *r = lua_newuserdatauv(L, sizeof(*r), 0);
  smtp_buf_init(&r->in, probe_mem(), (size_t)NO_CAP);
  smtp_reply_init(&r->reply, probe_mem());
  if (luaL_newmetatable(L, "probe.reply")) {
    lua_pushcfunction(L, reply_gc);
    lua_setfield(L, -2, "__gc");
  }
  lua_setmetatable(L, -2);
  return 1;
}

static int push_fed(lua_State *L, int result) {
  if (result < 0) return probe_error(L, result);
  lua_pushinteger(L, result);
  return 1;
}

/* reply_feed(reply, bytes) -> 1 or 0 */
static int reply_feed(lua_State *L) {
  reader *r = check_reader(L);
  int result = smtp_buf_append_slice(&r->in, probe_input(L, 2));
  if (result == 0) result = smtp_reply_feed(&r->reply, &r->in);
  return push_fed(L, result);
}

/* reply_whole(reply, bytes) -> 1 or 0, and how many bytes were taken: the
** bytes are read where they end at the guard page. */
static int reply_whole(lua_State *L) {
  reader *r = check_reader(L);
  char *p;
  smtp_slice bytes = probe_input(L, 2);
  smtp_buf in;
  int pushed;
  smtp_buf_init(&in, probe_mem(), bytes.n);
  memcpy(&p, &bytes.p, sizeof(p)); /* it is writable, see probe.h */
  in.p = p;
  in.size = in.end = bytes.n;
  pushed = push_fed(L, smtp_reply_feed(&r->reply, &in));
  lua_pushinteger(L, (lua_Integer)(bytes.n - smtp_buf_length(&in)));
  return pushed + 1;
}

/* reply_get(reply) -> code, text, lines, class, subject, detail, error */
static int reply_get(lua_State *L) {
  const smtp_reply *r = &check_reader(L)->reply;
  lua_pushinteger(L, r->code);
  push_slice(L, smtp_reply_text(r));
  lua_pushinteger(L, (lua_Integer)r->lines);
  push_status(L, smtp_reply_status(r));
  lua_pushstring(L, r->error);
  return 7;
}

/* reply_rest(reply) -> the bytes that were not taken */
static int reply_rest(lua_State *L) {
  return push_slice(L, smtp_buf_data(&check_reader(L)->in));
}

static int reply_clear(lua_State *L) {
  smtp_reply_clear(&check_reader(L)->reply);
  return 0;
}

/* reply_format(code, class, subject, detail, text [, cap]) */
static int reply_format(lua_State *L) {
  int code = (int)luaL_checkinteger(L, 1);
  smtp_buf *out = output(L, 6);
  smtp_slice text = probe_input(L, 5);
  smtp_status status = check_status(L, 2);
  return push_output(L, out, smtp_reply_format(out, code, status, text));
}

/* ---- command ---- */

/* command_parse(line [, strict]) -> verb, name, args */
static int command_parse(lua_State *L) {
  smtp_command command;
  PROBE_POISON(command);
  int result =
      smtp_command_parse(&command, probe_input(L, 1), lua_toboolean(L, 2));
  if (result != 0) return probe_error(L, result);
  push_slice(L, smtp_command_name(command.verb));
  return 1 + push_slice(L, command.name) + push_slice(L, command.args);
}

/* command_path(args, word, flags [, cap]) -> the path as written, params */
static int command_path(lua_State *L) {
  smtp_buf *out = output(L, 4);
  smtp_slice args = probe_input(L, 1), word = probe_input(L, 2), params;
  unsigned flags = (unsigned)luaL_checkinteger(L, 3);
  smtp_path path;
  PROBE_POISON(path);
  int result = smtp_command_path(args, word, flags, &path, &params);
  if (result == 0) result = smtp_path_format(out, &path);
  if (result != 0) return probe_error(L, result);
  return push_slice(L, smtp_buf_data(out)) + push_slice(L, params);
}

static int command_foreign(lua_State *L) {
  smtp_slice own = lua_isnoneornil(L, 2) ? SMTP_LIT("") : probe_input(L, 2);
  lua_pushboolean(L, smtp_command_foreign(probe_input(L, 1), own));
  return 1;
}

static int command_name(lua_State *L) {
  int verb = (int)luaL_checkinteger(L, 1);
  return push_slice(L, smtp_command_name((smtp_verb)verb));
}

static int command_verb(lua_State *L) {
  lua_pushinteger(L, smtp_command_verb(probe_input(L, 1)));
  return 1;
}

/* command_format(name, args, utf8 [, cap]) */
static int command_format(lua_State *L) {
  smtp_buf *out = output(L, 4);
  smtp_slice name = probe_input(L, 1), args = probe_input(L, 2);
  int utf8 = lua_toboolean(L, 3);
  return push_output(L, out, smtp_command_format(out, name, args, utf8));
}

/* ---- chunks ---- */

/*
** One guarded place for all chunks of the list at argument 1, since a page of
** its own for each would cost more than the test. Chunks are put at its end.
*/
typedef struct chunks {
  char *place; /* of size bytes, up to the guard page */
  size_t size;
} chunks;

static chunks check_chunks(lua_State *L) {
  lua_Integer i, n = luaL_len(L, 1);
  luaL_Buffer all;
  smtp_slice in;
  chunks c;
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_buffinit(L, &all);
  for (i = 1; i <= n; i++) {
    lua_geti(L, 1, i);
    luaL_addvalue(&all);
  }
  luaL_pushresult(&all);
  in = probe_input(L, lua_gettop(L));
  memcpy(&c.place, &in.p, sizeof(c.place)); /* it is writable, see probe.h */
  c.size = in.n;
  return c;
}

/* Chunk i of the list, behind the left bytes that are at the end now. */
static char *put_chunk(lua_State *L, chunks c, lua_Integer i, size_t left,
                       size_t *n) {
  const char *text;
  char *p;
  lua_geti(L, 1, i);
  text = luaL_checklstring(L, -1, n);
  *n += left;
  p = c.place + c.size - *n;
  memmove(p, c.place + c.size - left, left);
  memcpy(p + left, text, *n - left);
  lua_pop(L, 1);
  return p;
}

/* ---- dot ---- */

/*
** dot_decode(chunks) -> content, seen, ended, how many bytes were not taken:
** what the decoder leaves is given again before the next chunk.
*/
static int dot_decode(lua_State *L) {
  chunks c = check_chunks(L);
  lua_Integer i, count = luaL_len(L, 1);
  size_t n = 0, used = 0, made, taken = 0;
  int ended = 0;
  smtp_dot_decoder d;
  PROBE_POISON(d);
  luaL_Buffer content;
  smtp_dot_decoder_init(&d);
  luaL_buffinit(L, &content);
  for (i = 1; i <= count && !ended; i++) {
    char *p = put_chunk(L, c, i, n - used, &n);
    ended = smtp_dot_decode(&d, p, n, &used, &made);
    if (used > n || made > used || (!ended && n - used > 2))
      return luaL_error(L, "chunk %I: used %I, made %I", i, (lua_Integer)used,
                        (lua_Integer)made);
    luaL_addlstring(&content, p, made);
    taken += used;
  }
  luaL_pushresult(&content);
  lua_pushinteger(L, d.seen);
  lua_pushboolean(L, ended);
  lua_pushinteger(L, (lua_Integer)(c.size - taken));
  return 4;
}

/* dot_encode(chunks, mode [, cap]) -> the encoded content, seen */
static int dot_encode(lua_State *L) {
  smtp_buf *out = output(L, 3);
  lua_Integer i, count = luaL_len(L, 1);
  unsigned mode = (unsigned)luaL_checkinteger(L, 2);
  chunks c = check_chunks(L);
  smtp_dot_encoder e;
  PROBE_POISON(e);
  int result = 0;
  smtp_dot_encoder_init(&e, mode);
  for (i = 1; i <= count && result == 0; i++) {
    size_t n;
    smtp_slice chunk;
    chunk.p = put_chunk(L, c, i, 0, &n);
    chunk.n = n;
    result = smtp_dot_encode(&e, chunk, out);
  }
  if (result == 0) result = smtp_dot_finish(&e, out);
  if (result != 0) return push_output(L, out, result);
  push_output(L, out, 0);
  lua_pushinteger(L, e.seen);
  return 2;
}

/*
** dot_encode_again(text, mode, cap) -> the encoded text: each call that fails
** for memory or room is made again, once with both.
*/
static int dot_encode_again(lua_State *L) {
  smtp_buf *out = output(L, 3);
  smtp_slice text = probe_input(L, 1);
  unsigned mode = (unsigned)luaL_checkinteger(L, 2);
  size_t cap = out->cap;
  smtp_dot_encoder e;
  PROBE_POISON(e);
  smtp_dot_encoder_init(&e, mode);
  if (smtp_dot_encode(&e, text, out) != 0) {
    if (smtp_buf_length(out) != 0) return luaL_error(L, "out is not as it was");
    out->cap = (size_t)NO_CAP;
    if (smtp_dot_encode(&e, text, out) != 0) return luaL_error(L, "again");
    out->cap = cap;
  }
  out->cap = smtp_buf_length(out);
  if (smtp_dot_finish(&e, out) == 0) return luaL_error(L, "finish: no room");
  out->cap = (size_t)NO_CAP;
  return push_output(L, out, smtp_dot_finish(&e, out));
}

/* ---- header ---- */

/* header_feed(chunks) -> received, size, done */
static int header_feed(lua_State *L) {
  chunks c = check_chunks(L);
  lua_Integer i, count = luaL_len(L, 1);
  smtp_header h;
  PROBE_POISON(h);
  smtp_header_init(&h);
  for (i = 1; i <= count; i++) {
    size_t n;
    smtp_slice chunk;
    chunk.p = put_chunk(L, c, i, 0, &n);
    chunk.n = n;
    smtp_header_feed(&h, chunk);
  }
  lua_pushinteger(L, h.received);
  lua_pushinteger(L, (lua_Integer)h.size);
  lua_pushboolean(L, h.done);
  return 3;
}

const luaL_Reg probe_grammar[] = {
    {"ehlo_line", ehlo_line},           {"ehlo_extension", ehlo_extension},
    {"ehlo_learn", ehlo_learn},         {"ehlo_format", ehlo_format},
    {"status_parse", status_parse},     {"status_format", status_format},
    {"status_of", status_of},           {"status_for", status_for},
    {"reply_new", reply_new},           {"reply_feed", reply_feed},
    {"reply_whole", reply_whole},       {"reply_get", reply_get},
    {"reply_rest", reply_rest},         {"reply_clear", reply_clear},
    {"reply_format", reply_format},     {"command_parse", command_parse},
    {"command_path", command_path},     {"command_foreign", command_foreign},
    {"command_name", command_name},     {"command_verb", command_verb},
    {"command_format", command_format}, {"dot_decode", dot_decode},
    {"dot_encode", dot_encode},         {"dot_encode_again", dot_encode_again},
    {"header_feed", header_feed},       {NULL, NULL},
};
