/* SPDX-License-Identifier: MIT */
/*
** probe_text.c: the group of ascii, buf, base64, xtext, punycode, path and
** param. Each Lua function calls the core's function of its name on a guarded
** copy of its argument; a failure is nil and the name of the error.
*/
#include "../../csrc/core/ascii.h"
#include "../../csrc/core/base64.h"
#include "../../csrc/core/ehlo.h"
#include "../../csrc/core/envelope.h"
#include "../../csrc/core/param.h"
#include "../../csrc/core/path.h"
#include "../../csrc/core/punycode.h"
#include "../../csrc/core/ulabel.h"
#include "../../csrc/core/uxtext.h"
#include "../../csrc/core/xtext.h"
#include "probe.h"

#include <stdint.h>
#include <string.h>

#define NO_CAP ((lua_Integer)1 << 40)

static int push_slice(lua_State *L, smtp_slice s) {
  lua_pushlstring(L, s.p, s.n);
  return 1;
}

static int push_true(lua_State *L, int result) {
  if (result != 0) return probe_error(L, result);
  lua_pushboolean(L, 1);
  return 1;
}

/* Pushes what out holds, or an error and what is left in out then. */
static int push_output(lua_State *L, const smtp_buf *out, int result) {
  if (result == 0) return push_slice(L, smtp_buf_data(out));
  probe_error(L, result);
  return 2 + push_slice(L, smtp_buf_data(out));
}

/* The cap of an output, as argument arg; without it there is hardly one. */
static size_t opt_cap(lua_State *L, int arg) {
  return (size_t)luaL_optinteger(L, arg, NO_CAP);
}

/* ---- ascii ---- */

/* ascii_is(byte, classes) */
static int ascii_is(lua_State *L) {
  unsigned char c = (unsigned char)luaL_checkinteger(L, 1);
  lua_pushboolean(L, smtp_ascii_is(c, (unsigned)luaL_checkinteger(L, 2)));
  return 1;
}

static int ascii_lower(lua_State *L) {
  unsigned char c = (unsigned char)luaL_checkinteger(L, 1);
  lua_pushinteger(L, smtp_ascii_lower(c));
  return 1;
}

static int ascii_equal(lua_State *L) {
  smtp_slice a = probe_input(L, 1);
  lua_pushboolean(L, smtp_ascii_equal(a, probe_input(L, 2)));
  return 1;
}

/* An integer; from 2^63 on it is negative. */
static int ascii_number(lua_State *L) {
  uint64_t value = 0;
  int result = smtp_ascii_number(probe_input(L, 1), &value);
  if (result != 0) return probe_error(L, result);
  lua_pushinteger(L, (lua_Integer)value);
  return 1;
}

static int ascii_eightbit(lua_State *L) {
  lua_pushboolean(L, smtp_ascii_eightbit(probe_input(L, 1)));
  return 1;
}

/* ascii_trim(text, tab) */
static int ascii_trim(lua_State *L) {
  return push_slice(L, smtp_ascii_trim(probe_input(L, 1), lua_toboolean(L, 2)));
}

/* ascii_line(text) -> line, rest, whether an LF was between them */
static int ascii_line(lua_State *L) {
  smtp_slice rest = probe_input(L, 1), line;
  bool found = smtp_ascii_line(&rest, &line);
  push_slice(L, line);
  push_slice(L, rest);
  lua_pushboolean(L, found);
  return 3;
}

static int utf8_valid(lua_State *L) {
  lua_pushboolean(L, smtp_utf8_valid(probe_input(L, 1)));
  return 1;
}

/* ---- buf ---- */

static smtp_buf *checkbuf(lua_State *L) {
  return luaL_checkudata(L, 1, "probe.buf");
}

/* buf_new([cap]) */
static int buf_new(lua_State *L) {
  probe_buf(L, opt_cap(L, 1));
  return 1;
}

static int buf_append(lua_State *L) {
  smtp_buf *b = checkbuf(L);
  return push_true(L, smtp_buf_append_slice(b, probe_input(L, 2)));
}

static int buf_append_number(lua_State *L) {
  smtp_buf *b = checkbuf(L);
  uint64_t value = (uint64_t)luaL_checkinteger(L, 2);
  return push_true(L, smtp_buf_append_number(b, value));
}

/* buf_reserve(b, n, text): room for n, of which text is then committed. */
static int buf_reserve(lua_State *L) {
  smtp_buf *b = checkbuf(L);
  size_t n = (size_t)luaL_checkinteger(L, 2);
  smtp_slice text = probe_input(L, 3);
  char *place;
  luaL_argcheck(L, text.n <= n, 3, "longer than the room");
  int result = smtp_buf_reserve(b, n, &place);
  if (result == 0 && text.n > 0) {
    memcpy(place, text.p, text.n);
    smtp_buf_commit(b, text.n);
  }
  return push_true(L, result);
}

static int buf_data(lua_State *L) {
  return push_slice(L, smtp_buf_data(checkbuf(L)));
}

static int buf_length(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)smtp_buf_length(checkbuf(L)));
  return 1;
}

static int buf_consume(lua_State *L) {
  smtp_buf_consume(checkbuf(L), (size_t)luaL_checkinteger(L, 2));
  return 0;
}

static int buf_truncate(lua_State *L) {
  smtp_buf_truncate(checkbuf(L), (size_t)luaL_checkinteger(L, 2));
  return 0;
}

/* The line, or false. */
static int buf_line(lua_State *L) {
  smtp_slice line;
  PROBE_POISON(line);
  if (smtp_buf_line(checkbuf(L), &line) > 0) return push_slice(L, line);
  lua_pushboolean(L, 0);
  return 1;
}

static int buf_clear(lua_State *L) {
  smtp_buf_clear(checkbuf(L));
  return 0;
}

/* size, begin, end, scanned */
static int buf_state(lua_State *L) {
  const smtp_buf *b = checkbuf(L);
  lua_pushinteger(L, (lua_Integer)b->size);
  lua_pushinteger(L, (lua_Integer)b->begin);
  lua_pushinteger(L, (lua_Integer)b->end);
  lua_pushinteger(L, (lua_Integer)b->scanned);
  return 4;
}

/* ---- base64, xtext, punycode ---- */

/* codec(text [, cap [, before]]): appends to a buffer that holds before. */
static int codec(lua_State *L, int (*function)(smtp_buf *, smtp_slice)) {
  size_t n;
  const char *before = luaL_optlstring(L, 3, "", &n);
  smtp_buf *out = probe_buf(L, opt_cap(L, 2));
  int result = smtp_buf_append(out, before, n);
  if (result == 0) result = function(out, probe_input(L, 1));
  return push_output(L, out, result);
}

static int base64_format(lua_State *L) {
  return codec(L, smtp_base64_format);
}

static int base64_parse(lua_State *L) {
  return codec(L, smtp_base64_parse);
}

static int xtext_format(lua_State *L) {
  return codec(L, smtp_xtext_format);
}

static int xtext_parse(lua_State *L) {
  return codec(L, smtp_xtext_parse);
}

static int uxtext_format(lua_State *L) {
  return codec(L, smtp_uxtext_format);
}

static int uxtext_parse(lua_State *L) {
  return codec(L, smtp_uxtext_parse);
}

static int own_domain(smtp_buf *out, smtp_slice domain) {
  return smtp_punycode_domain(out, domain, NULL);
}

static int punycode_domain(lua_State *L) {
  return codec(L, own_domain);
}

/* Gives text for each label, with other bytes behind it. */
static smtp_slice mapped;

static int to_mapped(char *to, size_t *n, smtp_slice label) {
  (void)label;
  if (mapped.n > SMTP_LABEL_MAX) return SMTP_ESYNTAX;
  memset(to, '!', SMTP_LABEL_MAX);
  memcpy(to, mapped.p, *n = mapped.n);
  return 0;
}

static int mapped_domain(smtp_buf *out, smtp_slice domain) {
  return smtp_punycode_domain(out, domain, to_mapped);
}

/* punycode_mapped(text, mapped): a domain, where a map gives mapped for each
** label that it is asked for */
static int punycode_mapped(lua_State *L) {
  mapped.p = luaL_checklstring(L, 2, &mapped.n);
  lua_settop(L, 2);
  lua_pushnil(L); /* no cap, and nothing before */
  lua_replace(L, 2);
  return codec(L, mapped_domain);
}

/* ulabel_points("refused" | "mark" | "had") -> how many code points are so,
** and a sum of all of them */
static int ulabel_points(lua_State *L) {
  static const char *const names[] = {"refused", "mark", "had", NULL};
  static bool (*const tests[])(uint32_t) = {
      smtp_ulabel_refuses, smtp_ulabel_is_mark, smtp_ulabel_may_have};
  bool (*test)(uint32_t) = tests[luaL_checkoption(L, 1, NULL, names)];
  uint64_t n = 0, sum = 0;
  uint32_t c;
  for (c = 0; c <= 0x10ffff; c++) {
    if (!test(c)) continue;
    n++;
    sum = sum * 31 + c;
  }
  lua_pushinteger(L, (lua_Integer)n);
  lua_pushinteger(L, (lua_Integer)sum);
  return 2;
}

static int ulabel_composes(lua_State *L) {
  lua_pushboolean(L, smtp_ulabel_composes((uint32_t)luaL_checkinteger(L, 1),
                                          (uint32_t)luaL_checkinteger(L, 2)));
  return 1;
}

/* ---- path ---- */

/* path_parse(text, flags) -> { local_, domain, null, eightbit, used } */
static int path_parse(lua_State *L) {
  smtp_path path;
  size_t used;
  unsigned flags = (unsigned)luaL_optinteger(L, 2, 0);
  memset(&path, 0xa5, sizeof(path)); /* nothing may rest on what was there */
  int result = smtp_path_parse(&path, probe_input(L, 1), flags, &used);
  if (result != 0) return probe_error(L, result);
  lua_newtable(L);
  lua_pushlstring(L, path.local, path.local_n);
  lua_setfield(L, -2, "local_");
  lua_pushlstring(L, path.domain, path.domain_n);
  lua_setfield(L, -2, "domain");
  lua_pushboolean(L, path.null);
  lua_setfield(L, -2, "null");
  lua_pushboolean(L, path.eightbit);
  lua_setfield(L, -2, "eightbit");
  lua_pushinteger(L, (lua_Integer)used);
  lua_setfield(L, -2, "used");
  return 1;
}

/* Copies the string field name of the table at 1 to the room bytes at to. */
static size_t field(lua_State *L, const char *name, char *to, size_t room) {
  size_t n;
  lua_getfield(L, 1, name);
  const char *text = luaL_optlstring(L, -1, "", &n);
  luaL_argcheck(L, n <= room, 1, "field too long");
  memcpy(to, text, n);
  lua_pop(L, 1);
  return n;
}

static int format_path(lua_State *L,
                       int (*function)(smtp_buf *, const smtp_path *)) {
  smtp_path path;
  PROBE_POISON(path);
  luaL_checktype(L, 1, LUA_TTABLE);
  smtp_buf *out = probe_buf(L, opt_cap(L, 2));
  path.local_n = field(L, "local_", path.local, SMTP_LOCAL_LENIENT_MAX);
  path.domain_n = field(L, "domain", path.domain, SMTP_DOMAIN_MAX);
  lua_getfield(L, 1, "null");
  path.null = lua_toboolean(L, -1);
  path.eightbit = false;
  return push_output(L, out, function(out, &path));
}

/* path_format({ local_, domain, null } [, cap]) */
static int path_format(lua_State *L) {
  return format_path(L, smtp_path_format);
}

static int path_format_mailbox(lua_State *L) {
  return format_path(L, smtp_path_format_mailbox);
}

/* path_check_domain(text, flags) */
static int path_check_domain(lua_State *L) {
  unsigned flags = (unsigned)luaL_optinteger(L, 2, 0);
  return push_true(L, smtp_path_check_domain(probe_input(L, 1), flags));
}

/* ---- param ---- */

/*
** param_next(rest) -> key, value or false, the new rest;
** false, the new rest, at the end; nil, error, the unchanged rest.
*/
static int param_next(lua_State *L) {
  smtp_param param;
  PROBE_POISON(param);
  smtp_slice rest = probe_input(L, 1);
  int result = smtp_param_next(&rest, &param);
  if (result < 0) {
    probe_error(L, result);
    return 2 + push_slice(L, rest);
  }
  if (result == 0) {
    lua_pushboolean(L, 0);
    return 1 + push_slice(L, rest);
  }
  push_slice(L, param.key);
  if (param.has_value)
    push_slice(L, param.value);
  else
    lua_pushboolean(L, 0);
  return 2 + push_slice(L, rest);
}

/* param_format(key, value or nil [, cap [, before]]) */
static int param_format(lua_State *L) {
  smtp_param param = {{"", 0}, {"", 0}, !lua_isnoneornil(L, 2)};
  size_t n;
  const char *before = luaL_optlstring(L, 4, "", &n);
  smtp_buf *out = probe_buf(L, opt_cap(L, 3));
  param.key = probe_input(L, 1);
  if (param.has_value) param.value = probe_input(L, 2);
  int result = smtp_buf_append(out, before, n);
  if (result == 0) result = smtp_param_format(out, &param);
  return push_output(L, out, result);
}

/* ehlo_extension keywords, with spaces between, as bits; default: the first
** ones. */
static smtp_param_rules rules_of(lua_State *L, int arg) {
  smtp_param_rules rules = {
      SMTP_EXT_SIZE | SMTP_EXT_8BITMIME | SMTP_EXT_AUTH, {"", 0}, false};
  size_t n;
  const char *p = luaL_optlstring(L, arg, NULL, &n);
  rules.own.p = luaL_optlstring(L, arg + 1, "", &rules.own.n);
  if (p == NULL) return rules;
  rules.offered = 0;
  while (n > 0) {
    const char *space = memchr(p, ' ', n);
    size_t length = space == NULL ? n : (size_t)(space - p);
    rules.offered |= smtp_ehlo_extension((smtp_slice){p, length});
    p += length + (space != NULL);
    n -= length + (space != NULL);
  }
  return rules;
}

static void set_slice(lua_State *L, const char *key, smtp_slice value) {
  if (value.n == 0) return;
  lua_pushlstring(L, value.p, value.n);
  lua_setfield(L, -2, key);
}

static void set_number(lua_State *L, const char *key, bool has,
                       lua_Integer value) {
  if (!has) return;
  lua_pushinteger(L, value);
  lua_setfield(L, -2, key);
}

static void set_true(lua_State *L, const char *key, bool value) {
  if (!value) return;
  lua_pushboolean(L, 1);
  lua_setfield(L, -2, key);
}

/* mail_params_parse(text [, offered [, own]]) -> { size, body ... } */
static int mail_params_parse(lua_State *L) {
  static const char *const bodies[] = {NULL, "7BIT", "8BITMIME", "BINARYMIME"};
  static const char *const rets[] = {NULL, "FULL", "HDRS"};
  smtp_param_rules rules = rules_of(L, 2);
  smtp_mail_params p;
  memset(&p, 0xa5, sizeof(p));
  int result = smtp_mail_params_parse(&p, probe_input(L, 1), &rules);
  if (result != 0) return probe_error(L, result);
  lua_newtable(L);
  set_number(L, "size", p.has_size, (lua_Integer)p.size);
  lua_pushstring(L, bodies[p.body]);
  lua_setfield(L, -2, "body");
  lua_pushstring(L, rets[p.ret]);
  lua_setfield(L, -2, "ret");
  set_slice(L, "envid", p.envid);
  set_slice(L, "hold_until", p.hold_until);
  set_true(L, "smtputf8", p.smtputf8);
  set_true(L, "requiretls", p.requiretls);
  set_true(L, "prdr", p.prdr);
  set_number(L, "by", p.has_by, p.by.seconds);
  set_true(L, "by_returns", p.has_by && p.by.returns);
  set_true(L, "by_trace", p.has_by && p.by.trace);
  set_number(L, "priority", p.has_priority, p.priority);
  set_number(L, "hold_for", p.has_hold_for, (lua_Integer)p.hold_for);
  return 1;
}

/* rcpt_params_parse(text [, offered [, own]]) -> { notify, orcpt, rrvs } */
static int rcpt_params_parse(lua_State *L) {
  smtp_param_rules rules = rules_of(L, 2);
  smtp_rcpt_params p;
  memset(&p, 0xa5, sizeof(p));
  int result = smtp_rcpt_params_parse(&p, probe_input(L, 1), &rules);
  if (result != 0) return probe_error(L, result);
  lua_newtable(L);
  set_number(L, "notify", p.notify != 0, p.notify);
  set_slice(L, "orcpt", p.orcpt);
  set_slice(L, "rrvs", p.rrvs);
  return 1;
}

const luaL_Reg probe_text[] = {{"ascii_is", ascii_is},
                               {"ascii_lower", ascii_lower},
                               {"ascii_equal", ascii_equal},
                               {"ascii_number", ascii_number},
                               {"ascii_eightbit", ascii_eightbit},
                               {"ascii_trim", ascii_trim},
                               {"ascii_line", ascii_line},
                               {"utf8_valid", utf8_valid},
                               {"buf_new", buf_new},
                               {"buf_append", buf_append},
                               {"buf_append_number", buf_append_number},
                               {"buf_reserve", buf_reserve},
                               {"buf_data", buf_data},
                               {"buf_length", buf_length},
                               {"buf_consume", buf_consume},
                               {"buf_truncate", buf_truncate},
                               {"buf_line", buf_line},
                               {"buf_clear", buf_clear},
                               {"buf_state", buf_state},
                               {"base64_format", base64_format},
                               {"base64_parse", base64_parse},
                               {"xtext_format", xtext_format},
                               {"xtext_parse", xtext_parse},
                               {"uxtext_format", uxtext_format},
                               {"uxtext_parse", uxtext_parse},
                               {"punycode_domain", punycode_domain},
                               {"punycode_mapped", punycode_mapped},
                               {"ulabel_points", ulabel_points},
                               {"ulabel_composes", ulabel_composes},
                               {"path_parse", path_parse},
                               {"path_format", path_format},
                               {"path_format_mailbox", path_format_mailbox},
                               {"path_check_domain", path_check_domain},
                               {"param_next", param_next},
                               {"param_format", param_format},
                               {"mail_params_parse", mail_params_parse},
                               {"rcpt_params_parse", rcpt_params_parse},
                               {NULL, NULL}};
