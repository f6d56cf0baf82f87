/* SPDX-License-Identifier: MIT */
/*
** grammar.c: the core's grammar for Lua: paths, domains, IP addresses, EHLO
** lines, and "smtp.replies", a reader of replies for a dialogue that keeps no session.
*/
#include <lauxlib.h>
#include <lua.h>
#include <string.h>

#include "../core/ascii.h"
#include "../core/buf.h"
#include "../core/dot.h"
#include "../core/ehlo.h"
#include "../core/envelope.h"
#include "../core/ip.h"
#include "../core/path.h"
#include "../core/punycode.h"
#include "../core/reply.h"
#include "../core/uxtext.h"
#include "../core/xtext.h"
#include "../net/idn.h"
#include "open.h"
#include "push.h"
#include "support.h"

#define REPLIES "smtp.replies"

/* core.path(mailbox [, strict]) -> { address, user, domain, eightbit } | nil */
static int path(lua_State *L) {
  smtp_path p;
  unsigned flags = lua_toboolean(L, 2) ? SMTP_PATH_STRICT : 0;
  if (smtp_path_parse_mailbox(&p, smtp_check_slice(L, 1), flags) != 0) return 0;
  smtp_push_path(L, &p);
  lua_pushboolean(L, p.eightbit);
  lua_setfield(L, -2, "eightbit");
  return 1;
}

/* core.is_mailbox(text) -> whether MAIL or RCPT may carry it, whether it needs
** SMTPUTF8, and whether its domain has an A-label, which may be a broken one */
static int is_mailbox(lua_State *L) {
  smtp_slice text = smtp_check_slice(L, 1);
  smtp_path p;
  bool is_path = smtp_path_parse_mailbox(&p, text, SMTP_PATH_STRICT) == 0;
  lua_pushboolean(L, is_path);
  lua_pushboolean(L, smtp_ascii_eightbit(text));
  lua_pushboolean(L, is_path && smtp_path_has_alabel(&p));
  return 3;
}

/* Whether the value at index i is a mailbox that MAIL and RCPT may carry as it
** stands, in ASCII; and it is no text with a name before or behind a mailbox. */
static bool is_plain_mailbox(lua_State *L, int i) {
  smtp_path p;
  smtp_slice text;
  if (lua_type(L, i) != LUA_TSTRING) return false;
  text.p = lua_tolstring(L, i, &text.n);
  return text.n > 0 && memchr(text.p, '<', text.n) == NULL &&
         memchr(text.p, '(', text.n) == NULL &&
         smtp_path_parse_mailbox(&p, text, SMTP_PATH_STRICT) == 0 &&
         !p.eightbit && !smtp_path_has_alabel(&p);
}

/* The number of keys of the plain table at index i; -1 of anything else. */
static lua_Integer count_keys(lua_State *L, int i) {
  lua_Integer n = 0;
  if (!lua_istable(L, i)) return -1;
  if (lua_getmetatable(L, i)) {
    lua_pop(L, 1);
    return -1;
  }
  for (lua_pushnil(L); lua_next(L, i) != 0; lua_pop(L, 1)) n++;
  return n;
}

/* Pushes a copy of the recipients at index i, if all are plain mailboxes. */
static bool push_recipients(lua_State *L, int i) {
  lua_Integer k, n = count_keys(L, i);
  if (n == 0) return false;
  lua_createtable(L, n < 0 ? 1 : (int)n, 0); /* list */
  if (n < 0) {
    lua_pushvalue(L, i);
    lua_rawseti(L, -2, 1);
    return is_plain_mailbox(L, i);
  }
  for (k = 1; k <= n; k++) {
    lua_rawgeti(L, i, k); /* list, mailbox */
    if (!is_plain_mailbox(L, lua_gettop(L))) return false;
    lua_rawseti(L, -2, k);
  }
  return true;
}

/* Pushes sender and recipients of the envelope on top, if it is plain. */
static bool push_envelope(lua_State *L) {
  int envelope = lua_gettop(L);
  if (count_keys(L, envelope) != 2) return false;
  lua_pushliteral(L, "from");
  lua_rawget(L, envelope);
  if (!is_plain_mailbox(L, envelope + 1)) return false;
  lua_pushliteral(L, "to");
  lua_rawget(L, envelope);
  if (!push_recipients(L, envelope + 2)) return false; /* from, to, list */
  lua_remove(L, envelope + 2);
  return true;
}

/* core.plain_envelope(envelope) -> from, { to, ... }, if it is a plain table of
** nothing but these, and each is a mailbox that MAIL and RCPT may carry as it
** stands, in ASCII | nothing: it is to be looked at */
static int plain_envelope(lua_State *L) {
  lua_settop(L, 1);
  return push_envelope(L) ? 2 : 0;
}

/* Whether the value on top is content that is sent as it stands: it is no path,
** and begins with no Return-Path. */
static bool is_plain_content(lua_State *L) {
  size_t n;
  const char *text;
  if (lua_type(L, -1) != LUA_TSTRING) return false;
  text = lua_tolstring(L, -1, &n);
  return n > 0 && text[0] != 'R' && text[0] != 'r' &&
         memchr(text, '\n', n) != NULL;
}

/* core.plain_message(message) -> the two of core.plain_envelope, raw, if it is a
** plain table of nothing but a plain envelope and `raw`, content that is sent
** as it stands | nothing: it is to be looked at */
static int plain_message(lua_State *L) {
  lua_settop(L, 1);
  if (count_keys(L, 1) != 2) return 0;
  lua_pushliteral(L, "raw");
  lua_rawget(L, 1);
  if (!is_plain_content(L)) return 0;
  lua_pushliteral(L, "envelope");
  lua_rawget(L, 1);
  if (!push_envelope(L)) return 0; /* message, raw, envelope, from, to */
  lua_pushvalue(L, 2);
  return 3;
}

/* core.is_domain(text) -> whether EHLO may carry it */
static int is_domain(lua_State *L) {
  smtp_slice text;
  text.p = luaL_checklstring(L, 1, &text.n);
  lua_pushboolean(L, smtp_path_check_domain(text, SMTP_PATH_STRICT) == 0);
  return 1;
}

/* core.ip(text) -> its 4 or 16 bytes, and how it is usually written | nothing */
static int ip(lua_State *L) {
  char text[SMTP_IP_TEXT];
  smtp_ip address;
  if (smtp_ip_parse(&address, smtp_check_slice(L, 1)) != 0) return 0;
  lua_pushlstring(L, (const char *)address.bytes, address.n);
  lua_pushlstring(L, text, smtp_ip_format(text, &address));
  return 2;
}

/*
** core.idna(domain [, own]) -> its name in ASCII | nil, why it has none. `own`:
** as where libidn2 is missing.
*/
static int idna(lua_State *L) {
  smtp_slice domain = smtp_check_slice(L, 1);
  bool own = lua_toboolean(L, 2);
  const char *why = "it has a character that no name has, or a broken label "
                    "xn--...";
  smtp_buf *out = smtp_push_buffer(L, SMTP_NAME_MAX);
  int result = own ? smtp_punycode_domain(out, domain, NULL)
                   : smtp_idn_domain(out, domain, &own);
  if (result == SMTP_ENOMEM) return luaL_error(L, "not enough memory");
  if (result == 0) return smtp_push_bytes(L, out);
  if (result == SMTP_ESYNTAX)
    why = "a label is empty or over 63 bytes, the name over 253, or it is not "
          "UTF-8";
  else if (own && smtp_ascii_eightbit(domain))
    why = "libidn2 is missing here, without which a name must be lower case "
          "and composed, or xn--...";
  return smtp_push_failure(L, why, NULL);
}

/* core.ehlo_line(line) -> keyword, params | nothing */
static int ehlo_line(lua_State *L) {
  smtp_slice line, keyword, params;
  line.p = luaL_checklstring(L, 1, &line.n);
  if (smtp_ehlo_line(line, &keyword, &params) != 0) return 0;
  smtp_push_slice(L, keyword);
  smtp_push_slice(L, params);
  return 2;
}

/* core.measure(bytes, size, state) -> size and state with these bytes of content;
** core.measure(nil, size, state) -> the size with its end. See smtp_dot_measure. */
static int measure(lua_State *L) {
  smtp_dot_measure m;
  smtp_slice text;
  m.size = (uint64_t)luaL_checkinteger(L, 2);
  m.state = (unsigned char)luaL_checkinteger(L, 3);
  if (lua_isnil(L, 1)) {
    smtp_dot_measure_end(&m);
  } else {
    text.p = luaL_checklstring(L, 1, &text.n);
    smtp_dot_measure_add(&m, text);
  }
  lua_pushinteger(L, (lua_Integer)m.size);
  lua_pushinteger(L, m.state);
  return 2;
}

/* core.eightbit(bytes) -> whether a byte is above 0x7f */
static int eightbit(lua_State *L) {
  smtp_slice text;
  text.p = luaL_checklstring(L, 1, &text.n);
  lua_pushboolean(L, smtp_ascii_eightbit(text));
  return 1;
}

/* ---- replies --------------------------------------------------------- */

typedef struct replies {
  smtp_buf in;
  smtp_reply reply;
} replies;

/* core.replies() */
static int replies_new(lua_State *L) {
  replies *r = lua_newuserdatauv(L, sizeof *r, 0);
  smtp_buf_init(&r->in, smtp_mem_libc(), 4 * SMTP_REPLY_MAX);
  smtp_reply_init(&r->reply, smtp_mem_libc());
  luaL_setmetatable(L, REPLIES);
  return 1;
}

static int replies_free(lua_State *L) {
  replies *r = luaL_checkudata(L, 1, REPLIES);
  smtp_buf_clear(&r->in);
  smtp_reply_clear(&r->reply);
  return 0;
}

/* replies:feed(bytes) -> true | nil, sentence */
static int replies_feed(lua_State *L) {
  replies *r = luaL_checkudata(L, 1, REPLIES);
  size_t n;
  const char *p = luaL_checklstring(L, 2, &n);
  if (smtp_buf_append(&r->in, p, n) != 0)
    return smtp_push_failure(L, "too many replies wait to be read", NULL);
  lua_pushboolean(L, 1);
  return 1;
}

/* replies:next() -> reply | false (bytes are missing) | nil, sentence */
static int replies_next(lua_State *L) {
  replies *r = luaL_checkudata(L, 1, REPLIES);
  int got = smtp_reply_feed(&r->reply, &r->in);
  if (got == 1) {
    smtp_push_reply(L, &r->reply, smtp_reply_status(&r->reply));
    smtp_reply_clear(&r->reply);
    return 1;
  }
  if (got == 0) {
    lua_pushboolean(L, 0);
    return 1;
  }
  if (got == SMTP_ENOMEM) return luaL_error(L, "not enough memory");
  return smtp_push_failure(L, r->reply.error, NULL);
}

/* replies:pending() -> bytes that wait behind the last reply */
static int replies_pending(lua_State *L) {
  replies *r = luaL_checkudata(L, 1, REPLIES);
  lua_pushinteger(L, (lua_Integer)smtp_buf_length(&r->in));
  return 1;
}

/* core.xtext(text) -> as RFC 3461 section 4 writes it | nothing: it has a
** control */
static int xtext(lua_State *L) {
  smtp_slice text = smtp_check_slice(L, 1);
  smtp_buf *out = smtp_push_buffer(L, 3 * text.n + 1);
  if (smtp_xtext_format(out, text) != 0) return 0;
  return smtp_push_bytes(L, out);
}

/* core.uxtext(text) -> as RFC 6533 section 3 writes it | nothing: it is no UTF-8,
** or has a control */
static int uxtext(lua_State *L) {
  smtp_slice text = smtp_check_slice(L, 1);
  smtp_buf *out = smtp_push_buffer(L, 6 * text.n + 1);
  if (smtp_uxtext_format(out, text) != 0) return 0;
  return smtp_push_bytes(L, out);
}

/* core.date_time(text) -> seconds since 1970 of what RFC 3339 calls so | nothing
*/
static int date_time(lua_State *L) {
  int64_t seconds;
  if (smtp_date_time_parse(smtp_check_slice(L, 1), &seconds) != 0) return 0;
  lua_pushinteger(L, (lua_Integer)seconds);
  return 1;
}

void smtp_open_grammar(lua_State *L) {
  static const luaL_Reg functions[] = {{"path", path},
                                       {"is_mailbox", is_mailbox},
                                       {"plain_envelope", plain_envelope},
                                       {"plain_message", plain_message},
                                       {"is_domain", is_domain},
                                       {"ip", ip},
                                       {"ehlo_line", ehlo_line},
                                       {"eightbit", eightbit},
                                       {"measure", measure},
                                       {"idna", idna},
                                       {"replies", replies_new},
                                       {"xtext", xtext},
                                       {"uxtext", uxtext},
                                       {"date_time", date_time},
                                       {NULL, NULL}};
  static const luaL_Reg methods[] = {{"feed", replies_feed},
                                     {"next", replies_next},
                                     {"pending", replies_pending},
                                     {NULL, NULL}};
  smtp_new_class(L, REPLIES, methods, replies_free);
  luaL_setfuncs(L, functions, 0);
}
