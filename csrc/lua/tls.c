/* SPDX-License-Identifier: MIT */
/*
** tls.c: "smtp.tls_context", what connections share, and "smtp.tls", an engine
** by itself: a dialogue and specs move its bytes, and a session takes it over.
*/
#include "tls.h"

#include <errno.h>
#include <lauxlib.h>
#include <openssl/crypto.h>

#include "../net/tls_dane.h"
#include "../net/tls_peer.h"
#include "push.h"
#include "support.h"

#define CONTEXT "smtp.tls_context"
#define ENGINE "smtp.tls"
#define SESSION "smtp.tls_session"
#define PEER "smtp.tls_peer"

typedef struct context {
  SSL_CTX *ctx; /* NULL: closed */
  bool name;    /* its engines ask for the name */
} context;

typedef struct engine {
  smtp_tls *tls; /* NULL: closed, or taken */
} engine;

/* ---- contexts -------------------------------------------------------- */

static context *check_context(lua_State *L, int arg) {
  context *c = luaL_checkudata(L, arg, CONTEXT);
  if (c->ctx == NULL) luaL_argerror(L, arg, "the context is closed");
  return c;
}

SSL_CTX *smtp_check_tls_context(lua_State *L, int arg) {
  return check_context(L, arg)->ctx;
}

static int context_close(lua_State *L) {
  context *c = luaL_checkudata(L, 1, CONTEXT);
  SSL_CTX_free(c->ctx);
  c->ctx = NULL;
  return 0;
}

static smtp_tls_client_certificate option_client(lua_State *L) {
  static const char *const names[] = {"none", "optional", "required", NULL};
  int i;
  lua_getfield(L, 1, "client");
  i = luaL_checkoption(L, -1, "none", names);
  lua_pop(L, 1);
  return (smtp_tls_client_certificate)i;
}

/*
** core.tls_context { server, cert, key, ca, verify, client, tls13, name } ->
** context | nil, sentence. See smtp_tls_config.
*/
static int context_new(lua_State *L) {
  static const char *const options[] = {
      "server", "cert", "key", "ca", "verify", "client", "tls13", "name", NULL};
  char why[SMTP_TLS_TEXT];
  smtp_tls_config config;
  context *c;
  lua_settop(L, 1);
  smtp_check_options(L, 1, options);
  config.server = smtp_option_boolean(L, 1, "server");
  config.verify = smtp_option_boolean(L, 1, "verify");
  config.tls13 = smtp_option_boolean(L, 1, "tls13");
  config.cert = smtp_option_slice(L, 1, "cert");
  config.key = smtp_option_slice(L, 1, "key");
  config.ca = smtp_option_slice(L, 1, "ca");
  config.client = option_client(L);
  luaL_argcheck(L, !config.server || config.cert.n > 0, 1,
                "a server needs a certificate");
  c = smtp_new_object(L, CONTEXT, sizeof *c);
  c->name = smtp_option_boolean(L, 1, "name");
  c->ctx = smtp_tls_context_new(&config, why);
  if (c->ctx != NULL) return 1;
  return smtp_push_failure(L, why, NULL);
}

/* context:engine([name [, session]]) -> engine: see smtp_tls_new. */
static int context_engine(lua_State *L) {
  context *c = check_context(L, 1);
  smtp_slice name, session;
  engine *e;
  name.p = luaL_optlstring(L, 2, "", &name.n);
  session.p = luaL_optlstring(L, 3, "", &session.n);
  e = smtp_new_object(L, ENGINE, sizeof *e);
  e->tls = smtp_tls_new(c->ctx, name, session);
  if (e->tls == NULL) return luaL_error(L, "TLS: no engine for this name");
  if (c->name) smtp_tls_ask_name(e->tls);
  return 1;
}

/* ---- what sessions share --------------------------------------------- */

smtp_tls *smtp_check_tls_take(lua_State *L, int arg) {
  engine *e = luaL_checkudata(L, arg, ENGINE);
  smtp_tls *tls = e->tls;
  if (tls == NULL) luaL_argerror(L, arg, "the engine is closed");
  e->tls = NULL;
  return tls;
}

static int push_failure(lua_State *L, const smtp_tls *tls) {
  lua_pushnil(L);
  lua_pushstring(L, smtp_tls_error(tls));
  if (smtp_tls_end(tls) != NULL) {
    lua_pushliteral(L, "closed");
    lua_pushstring(L, smtp_tls_end(tls));
    return 4;
  }
  if (smtp_tls_is_clear(tls))
    lua_pushliteral(L, "clear");
  else
    lua_pushstring(L, smtp_tls_distrust_word(tls)); /* NULL: nil */
  return 3;
}

static int push_name(lua_State *L, const smtp_tls *tls) {
  lua_pushliteral(L, "name");
  smtp_push_slice(L, smtp_tls_wanted(tls));
  return 2;
}

int smtp_tls_push_handshake(lua_State *L, smtp_connection *connection) {
  int r = smtp_connection_handshake(connection);
  if (r == 0) return push_name(L, connection->tls);
  if (r == SMTP_ETLS) return push_failure(L, connection->tls);
  if (r == SMTP_ESYSTEM) {
    smtp_push_errno(L, errno, "TLS handshake"); /* nil, message, name */
    lua_pushliteral(L, "closed");
    lua_insert(L, -2); /* nil, message, "closed", name */
    return 4;
  }
  if (r < 0 && r != SMTP_EBUSY) return luaL_error(L, "not enough memory");
  lua_pushboolean(L, r == 1);
  lua_pushstring(L, smtp_tls_peek(connection->tls).n > 0 ? "rw" : "r");
  return 2;
}

int smtp_tls_take_choice(lua_State *L, smtp_tls *tls, int arg) {
  SSL_CTX *ctx = lua_toboolean(L, arg) ? check_context(L, arg)->ctx : NULL;
  smtp_tls_choose(tls, ctx, lua_isboolean(L, arg));
  return 0;
}

int smtp_tls_push_bindings(lua_State *L, const smtp_tls *tls) {
  unsigned char bytes[SMTP_TLS_BINDING];
  if (tls == NULL) return 0;
  lua_pushlstring(L, (char *)bytes, smtp_tls_exporter(tls, bytes));
  lua_pushlstring(L, (char *)bytes, smtp_tls_endpoint(tls, bytes));
  return 2;
}

static int session_gc(lua_State *L) {
  unsigned char **bytes = luaL_checkudata(L, 1, SESSION);
  OPENSSL_free(*bytes);
  *bytes = NULL;
  return 0;
}

int smtp_tls_push_session(lua_State *L, const smtp_tls *tls) {
  unsigned char **bytes;
  size_t n;
  if (tls == NULL) return 0;
  bytes = smtp_new_object(L, SESSION, sizeof *bytes);
  *bytes = smtp_tls_session(tls, &n);
  if (*bytes == NULL) return 0;
  lua_pushlstring(L, (char *)*bytes, n);
  return 1;
}

/* ---- the peer's certificate ------------------------------------------ */

static int peer_gc(lua_State *L) {
  smtp_tls_peer_clear(luaL_checkudata(L, 1, PEER));
  return 0;
}

/* Sets the field of the table at t to what the buffer has, and empties it. */
static void set_buffer(lua_State *L, int t, const char *key, smtp_buf *b,
                       int r) {
  if (r < 0) return;
  smtp_push_slice(L, smtp_buf_data(b));
  lua_setfield(L, t, key);
  smtp_buf_truncate(b, 0);
}

static void set_fingerprint(lua_State *L, int t, const smtp_tls_peer *peer) {
  static const char digits[] = "0123456789abcdef";
  unsigned char bytes[32];
  luaL_Buffer b;
  size_t i;
  if (!smtp_tls_peer_fingerprint(peer, bytes)) return;
  luaL_buffinit(L, &b);
  for (i = 0; i < sizeof bytes; i++) {
    luaL_addchar(&b, digits[bytes[i] >> 4]);
    luaL_addchar(&b, digits[bytes[i] & 15]);
  }
  luaL_pushresult(&b);
  lua_setfield(L, t, "fingerprint");
}

/* names, addresses, emails: arrays of subjectAltName's entries. */
static void set_names(lua_State *L, int t, const smtp_tls_peer *peer,
                      smtp_buf *b) {
  static const char *const keys[] = {"names", "addresses", "emails"};
  smtp_tls_name_type type = SMTP_TLS_NAME_DNS;
  int i, r;
  for (i = 0; i < 3; i++) {
    lua_newtable(L);
    lua_setfield(L, t, keys[i]);
  }
  for (i = 0; (r = smtp_tls_peer_name(peer, i, &type, b)) >= 0; i++) {
    if (r == 0) continue;
    lua_getfield(L, t, keys[type]); /* list */
    smtp_push_slice(L, smtp_buf_data(b));
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
    lua_pop(L, 1);
    smtp_buf_truncate(b, 0);
  }
}

/* Pushes the table of the peer's certificate, or nil. */
static void push_certificate(lua_State *L, const smtp_tls *tls) {
  smtp_tls_peer *peer;
  smtp_buf *b;
  int t;
  if (smtp_tls_peer_certificate(tls) == NULL) {
    lua_pushnil(L);
    return;
  }
  peer = smtp_new_object(L, PEER, sizeof *peer);
  b = smtp_push_buffer(L, 65536); /* peer, b */
  smtp_tls_peer_init(peer, tls);
  if (peer->x509 == NULL) {
    lua_pushnil(L);
  } else {
    lua_createtable(L, 0, 8); /* peer, b, certificate */
    t = lua_gettop(L);
    set_buffer(L, t, "subject", b, smtp_tls_peer_subject(peer, b));
    set_buffer(L, t, "issuer", b, smtp_tls_peer_issuer(peer, b));
    set_fingerprint(L, t, peer);
    set_names(L, t, peer, b);
    lua_pushinteger(L, (lua_Integer)smtp_tls_peer_left(peer));
    lua_setfield(L, t, "expires_in");
    lua_pushboolean(L, smtp_tls_distrust(tls) == NULL);
    lua_setfield(L, t, "verified");
  }
  lua_replace(L, -3);
  lua_pop(L, 1); /* certificate */
}

static void set_text(lua_State *L, const char *key, const char *text) {
  if (text == NULL) return;
  lua_pushstring(L, text);
  lua_setfield(L, -2, key);
}

int smtp_tls_push_info(lua_State *L, const smtp_tls *tls) {
  const unsigned char *alpn = NULL;
  unsigned alpn_n = 0;
  SSL *ssl;
  if (tls == NULL) return 0;
  ssl = smtp_tls_ssl(tls);
  lua_createtable(L, 0, 8); /* info */
  set_text(L, "version", SSL_get_version(ssl));
  set_text(L, "cipher", SSL_get_cipher_name(ssl));
  set_text(L, "distrust", smtp_tls_distrust(tls));
  lua_pushboolean(L, smtp_tls_is_dane(tls));
  lua_setfield(L, -2, "dane");
  lua_pushboolean(L, SSL_session_reused(ssl));
  lua_setfield(L, -2, "resumed");
  if (smtp_tls_wanted(tls).n > 0) {
    smtp_push_slice(L, smtp_tls_wanted(tls));
    lua_setfield(L, -2, "sni");
  }
  SSL_get0_alpn_selected(ssl, &alpn, &alpn_n);
  if (alpn_n > 0) {
    lua_pushlstring(L, (const char *)alpn, alpn_n);
    lua_setfield(L, -2, "alpn");
  }
  push_certificate(L, tls);
  lua_pushboolean(L, !lua_isnil(L, -1) && smtp_tls_distrust(tls) == NULL);
  lua_setfield(L, -3, "verified"); /* info, certificate */
  lua_setfield(L, -2, "certificate");
  return 1;
}

/* ---- an engine by itself --------------------------------------------- */

static smtp_tls *check(lua_State *L) {
  engine *e = smtp_check_self(L, ENGINE);
  if (e->tls == NULL) luaL_error(L, "TLS engine is closed");
  return e->tls;
}

static int engine_close(lua_State *L) {
  engine *e = luaL_checkudata(L, 1, ENGINE);
  smtp_tls_free(e->tls);
  e->tls = NULL;
  return 0;
}

static int engine_feed(lua_State *L) {
  smtp_tls *tls = check(L);
  smtp_slice bytes = smtp_check_slice(L, 2);
  if (smtp_tls_feed(tls, bytes.p, bytes.n) != 0)
    return luaL_error(L, "TLS: too many bytes wait");
  return 0;
}

static int engine_eof(lua_State *L) {
  smtp_tls_eof(check(L));
  return 0;
}

static int engine_peek(lua_State *L) {
  smtp_push_slice(L, smtp_tls_peek(check(L)));
  return 1;
}

static int engine_sent(lua_State *L) {
  smtp_tls *tls = check(L);
  lua_Integer n = luaL_checkinteger(L, 2);
  luaL_argcheck(L, n >= 0 && (lua_Unsigned)n <= smtp_tls_peek(tls).n, 2,
                "more than there is");
  smtp_tls_sent(tls, (size_t)n);
  return 0;
}

/* engine:handshake() -> true | false (bytes are needed) | "name", name | nil,
** sentence [, "clear" | "closed", cause | smtp_tls_distrust_word] */
static int engine_handshake(lua_State *L) {
  smtp_tls *tls = check(L);
  int r = smtp_tls_handshake(tls);
  if (r < 0) return push_failure(L, tls);
  if (r == SMTP_TLS_NAME) return push_name(L, tls);
  lua_pushboolean(L, r == SMTP_TLS_DONE);
  return 1;
}

static int engine_choose(lua_State *L) {
  return smtp_tls_take_choice(L, check(L), 2);
}

/* engine:read() -> bytes | false (more of the wire is needed) | nil, text [,
** word]; nil, text, "closed", cause if the wire ended; no cause after
** close_notify */
static int engine_read(lua_State *L) {
  char bytes[16384];
  smtp_tls *tls = check(L);
  ssize_t n = smtp_tls_read(tls, bytes, sizeof bytes);
  if (n > 0) {
    lua_pushlstring(L, bytes, (size_t)n);
  } else if (n == SMTP_EBUSY) {
    lua_pushboolean(L, 0);
  } else if (n == SMTP_ECLOSED) {
    return smtp_push_failure(L, "the peer has ended the stream", "closed");
  } else {
    return push_failure(L, tls);
  }
  return 1;
}

/* engine:write(bytes [, first]) -> how many were taken; 0: write what peek has
** first | nil, sentence */
static int engine_write(lua_State *L) {
  smtp_tls *tls = check(L);
  smtp_slice s = smtp_check_slice(L, 2);
  lua_Integer first = luaL_optinteger(L, 3, 1);
  ssize_t n;
  luaL_argcheck(L, first >= 1 && (lua_Unsigned)first <= s.n + 1, 3,
                "outside of the string");
  n = smtp_tls_write(tls, s.p + first - 1, s.n - (size_t)first + 1);
  if (n < 0) return push_failure(L, tls);
  lua_pushinteger(L, n);
  return 1;
}

/* A field of the table on the top, 256 if it is no byte. */
static unsigned byte_field(lua_State *L, const char *key) {
  lua_Integer n =
      lua_getfield(L, -1, key) == LUA_TNUMBER ? lua_tointeger(L, -1) : 256;
  lua_pop(L, 1);
  return n >= 0 && n < 256 ? (unsigned)n : 256;
}

/* Adds the TLSA record on the top: whether it is of use. */
static int add_record(lua_State *L, smtp_tls *tls) {
  smtp_slice data;
  int r;
  luaL_checktype(L, -1, LUA_TTABLE);
  lua_getfield(L, -1, "data"); /* record, data */
  data.p = luaL_optlstring(L, -1, "", &data.n);
  lua_insert(L, -2); /* data, record */
  r = smtp_tls_dane_add(tls, byte_field(L, "usage"), byte_field(L, "selector"),
                        byte_field(L, "matching"), data);
  lua_pop(L, 2);
  if (r < 0) return luaL_error(L, "not enough memory");
  return r;
}

/* engine:dane(names, records) -> how many of the records are of use; before
** the handshake. See tls_dane.h. */
static int engine_dane(lua_State *L) {
  smtp_tls *tls = check(L);
  lua_Integer i, used = 0;
  int r = smtp_tls_dane_begin(tls);
  luaL_checktype(L, 2, LUA_TTABLE);
  luaL_checktype(L, 3, LUA_TTABLE);
  for (i = 1; r == 0 && lua_rawgeti(L, 2, i) != LUA_TNIL; i++) {
    r = smtp_tls_dane_name(tls, smtp_check_slice(L, -1));
    lua_pop(L, 1);
  }
  if (r != 0) return luaL_error(L, "TLS: no DANE for this name");
  for (i = 1; lua_rawgeti(L, 3, i) != LUA_TNIL; i++) used += add_record(L, tls);
  lua_pushinteger(L, used);
  return 1;
}

static int engine_shutdown(lua_State *L) {
  smtp_tls_shutdown(check(L));
  return 0;
}

static int engine_info(lua_State *L) {
  return smtp_tls_push_info(L, check(L));
}

/* engine:bindings() -> tls-exporter, tls-server-end-point; "" for none */
static int engine_bindings(lua_State *L) {
  return smtp_tls_push_bindings(L, check(L));
}

/* engine:session() -> bytes to resume it by, or nothing */
static int engine_session(lua_State *L) {
  return smtp_tls_push_session(L, check(L));
}

void smtp_open_tls(lua_State *L) {
  static const luaL_Reg context_methods[] = {
      {"engine", context_engine}, {"close", context_close}, {NULL, NULL}};
  static const luaL_Reg methods[] = {{"feed", engine_feed},
                                     {"eof", engine_eof},
                                     {"peek", engine_peek},
                                     {"sent", engine_sent},
                                     {"handshake", engine_handshake},
                                     {"choose", engine_choose},
                                     {"read", engine_read},
                                     {"write", engine_write},
                                     {"shutdown", engine_shutdown},
                                     {"info", engine_info},
                                     {"bindings", engine_bindings},
                                     {"session", engine_session},
                                     {"close", engine_close},
                                     {"dane", engine_dane},
                                     {NULL, NULL}};
  static const luaL_Reg none[] = {{NULL, NULL}};
  smtp_tls_prepare();
  smtp_new_class(L, SESSION, none, session_gc);
  smtp_new_class(L, PEER, none, peer_gc);
  smtp_new_class(L, CONTEXT, context_methods, context_close);
  smtp_new_class(L, ENGINE, methods, engine_close);
  lua_pushcfunction(L, context_new);
  lua_setfield(L, -2, "tls_context");
}
