/* SPDX-License-Identifier: MIT */
/*
** probe_session.c: the group of client and server: whole sessions in C, each
** allocation of which may fail. Memory is back after the first failure: one
** that is said to stick must stick all the same, and what was refused must
** then go well. Both give what became of the session, the bytes that were
** written, a log, and how often there was no memory.
**
** server_session(flags, verdicts, chunk ...)
**   flags: s strict, t trace, n normalize, r raw, x small limits, c chunks and
**   more extensions, a TLS and AUTH, l LMTP, p PRDR; verdicts, in
**   turn: n none, 0 nothing, a accept, r refuse, f fail, m many lines, b a
**   text that may not be sent; a chunk is fed at once
** client_session(strict_body, step ...)
**   a step: "<bytes" of the server, ">NAME args", "M" or "R" and a mailbox,
**   "C" for chunks in the place of DATA, "B" and content, "." its end, "*" all
**   that waits is written, "!" the end of the stream
*/
#include "../../csrc/core/ascii.h"
#include "../../csrc/core/client.h"
#include "../../csrc/core/ehlo.h"
#include "../../csrc/core/server.h"
#include "probe.h"

#include <stdbool.h>
#include <string.h>

#define ROOM ((size_t)1 << 26)

typedef struct run {
  smtp_server *server;
  smtp_client *client;
  smtp_sasl *sasl;    /* of the client */
  smtp_buf wire, log; /* of memory that does not fail */
  const char *verdicts;
  size_t verdicts_n, asked;
  double now;
  int failures;
} run;

static void run_clear(run *r) {
  smtp_server_free(r->server);
  smtp_client_free(r->client);
  smtp_sasl_free(r->sasl);
  r->sasl = NULL;
  r->server = NULL;
  r->client = NULL;
}

static int run_gc(lua_State *L) {
  run *r = luaL_checkudata(L, 1, "probe.run");
  run_clear(r);
  smtp_buf_clear(&r->wire);
  smtp_buf_clear(&r->log);
  return 0;
}

static run *run_new(lua_State *L) {
  run *r = lua_newuserdatauv(L, sizeof(*r), 0);
  memset(r, 0, sizeof(*r));
  smtp_buf_init(&r->wire, smtp_mem_libc(), ROOM);
  smtp_buf_init(&r->log, smtp_mem_libc(), ROOM);
  if (luaL_newmetatable(L, "probe.run")) {
    lua_pushcfunction(L, run_gc);
    lua_setfield(L, -2, "__gc");
  }
  lua_setmetatable(L, -2);
  return r;
}

/* The machine is freed before anything is told. */
static int run_end(lua_State *L, run *r, const char *outcome) {
  smtp_slice wire = smtp_buf_data(&r->wire), log = smtp_buf_data(&r->log);
  run_clear(r);
  lua_pushstring(L, outcome);
  lua_pushlstring(L, wire.p, wire.n);
  lua_pushlstring(L, log.p, log.n);
  lua_pushinteger(L, r->failures);
  return 4;
}

static void note(run *r, const char *what, smtp_slice text) {
  smtp_slice name = {what, strlen(what)};
  smtp_buf_append_slice(&r->log, name);
  smtp_buf_append(&r->log, " ", 1);
  smtp_buf_append_slice(&r->log, text);
  smtp_buf_append(&r->log, "\n", 1);
}

/* The values that were told, a line each. */
static void note_attributes(run *r, const smtp_attributes *told) {
  int i;
  for (i = 0; told != NULL && i < SMTP_ATTRIBUTES; i++)
    if (told->value[i].p != NULL) note(r, "told", told->value[i]);
}

/* ---- server ---------------------------------------------------------- */

static void configure(smtp_server_config *c, const char *flags) {
  smtp_server_config_init(c);
  c->keep_header = true;
  c->strict = strchr(flags, 's') != NULL;
  c->trace = strchr(flags, 't') != NULL;
  c->verbs = SMTP_LIT("XADA");
  if (strchr(flags, 'n')) c->bare_newline = SMTP_BARE_NORMALIZE;
  if (strchr(flags, 'a')) {
    c->auth = SMTP_SASL_PLAIN | SMTP_SASL_CRAM_MD5 | SMTP_SASL_OAUTHBEARER |
              SMTP_SASL_SCRAM_SHA_256_PLUS;
    c->auth_cleartext = c->tls = true;
    c->crypto = probe_crypto();
    c->secret = SMTP_LIT("a secret");
  }
  if (strchr(flags, 'c'))
    c->extensions = SMTP_EXT_CHUNKING | SMTP_EXT_SMTPUTF8 | SMTP_EXT_DSN;
  if (strchr(flags, 'p')) c->extensions |= SMTP_EXT_PRDR;
  c->lmtp = strchr(flags, 'l') != NULL;
  if (strchr(flags, 'f'))
    c->forwarding = SMTP_FORWARD_XCLIENT | SMTP_FORWARD_XFORWARD;
  if (strchr(flags, 'r')) c->bare_newline = SMTP_BARE_RAW;
  if (strchr(flags, 'x') == NULL) return;
  c->limits.line = 64;
  c->limits.message_size = 100;
  c->limits.errors = 4;
}

static int decide(run *r) {
  static const char lines[] = "one\r\ntwo\nthree, which is longer\n";
  char many[10 * sizeof(lines)];
  smtp_slice none = {"", 0}, text = {many, 10 * (sizeof(lines) - 1)};
  char v = 'n';
  size_t i;
  for (i = 0; i < 10; i++)
    memcpy(many + i * (sizeof(lines) - 1), lines, sizeof(lines) - 1);
  if (r->verdicts_n > 0) v = r->verdicts[r->asked++ % r->verdicts_n];
  switch (v) {
  case '0': return smtp_server_decide(r->server, SMTP_VERDICT_NOTHING, 0, none);
  case 'a': return smtp_server_decide(r->server, SMTP_VERDICT_ACCEPT, 0, none);
  case 'r': return smtp_server_decide(r->server, SMTP_VERDICT_REFUSE, 0, none);
  case 'f': return smtp_server_decide(r->server, SMTP_VERDICT_FAIL, 0, none);
  case 'm': return smtp_server_decide(r->server, SMTP_VERDICT_REPLY, 250, text);
  case 'b':
    return smtp_server_decide(r->server, SMTP_VERDICT_REPLY, 250,
                              SMTP_LIT("a\rb"));
  default: return smtp_server_decide(r->server, SMTP_VERDICT_NONE, 0, none);
  }
}

static void write_all(run *r) {
  smtp_slice out =
      r->server ? smtp_server_peek(r->server) : smtp_client_peek(r->client);
  smtp_buf_append_slice(&r->wire, out);
  if (r->server)
    smtp_server_sent(r->server, out.n);
  else
    smtp_client_sent(r->client, out.n);
}

/* The user's password is that of any; TLS stands at once. */
static int answer(run *r, const smtp_server_event *e) {
  smtp_sasl_keys keys = {
      SMTP_SASL_PASSWORD, SMTP_LIT("secret"), {"", 0}, {"", 0}, {"", 0}, 0};
  smtp_sasl_binding binding = {SMTP_LIT("exporter"), SMTP_LIT("endpoint")};
  if (e->type == SMTP_SERVER_LOOKUP)
    return smtp_server_lookup(r->server, &keys);
  if (e->type == SMTP_SERVER_STARTTLS)
    return smtp_server_secured(r->server, &binding, SMTP_LIT("ada"));
  return smtp_server_asks(e->type) ? decide(r) : 0;
}

/* A message asks for several, any of which may fail. */
static int answer_all(run *r, const smtp_server_event *e) {
  size_t i, n = e->type == SMTP_SERVER_MESSAGE ? e->replies : 1;
  int result = 0;
  if (e->type == SMTP_SERVER_MESSAGE)
    result = smtp_server_sayable(r->server, 452, SMTP_LIT("4.2.2 \xc3\xa9"));
  for (i = 0; result >= 0 && i < n; i++) result = answer(r, e);
  return result;
}

/* Answers what asks until there is nothing to do; 0, or a failure. */
static int serve(run *r) {
  static const char *const names[] = {
      [SMTP_SERVER_NONE] = "none",
      [SMTP_SERVER_CONNECT] = "connect",
      [SMTP_SERVER_HELO] = "helo",
      [SMTP_SERVER_MAIL] = "mail",
      [SMTP_SERVER_RCPT] = "rcpt",
      [SMTP_SERVER_DATA] = "data",
      [SMTP_SERVER_MESSAGE] = "message",
      [SMTP_SERVER_VRFY] = "vrfy",
      [SMTP_SERVER_AUTH] = "auth",
      [SMTP_SERVER_COMMAND] = "command",
      [SMTP_SERVER_CHUNK] = "chunk",
      [SMTP_SERVER_VERB] = "verb",
      [SMTP_SERVER_LOOKUP] = "lookup",
      [SMTP_SERVER_STARTTLS] = "starttls",
      [SMTP_SERVER_BODY] = "body",
      [SMTP_SERVER_RESET] = "reset",
      [SMTP_SERVER_AUTH_FAILED] = "auth_failed",
      [SMTP_SERVER_CLOSE] = "close",
      [SMTP_SERVER_LINE] = "line",
      [SMTP_SERVER_REPLY] = "reply",
      [SMTP_SERVER_XCLIENT] = "xclient",
      [SMTP_SERVER_XFORWARD] = "xforward",
  };
  for (;;) {
    smtp_server_event e;
    PROBE_POISON(e);
    double at;
    int got = smtp_server_next(r->server, &e);
    if (got < 0) return got;
    if (got > 0) {
      note(r, names[e.type], e.text);
      note_attributes(r, e.attributes);
      got = answer_all(r, &e);
      if (got < 0) return got;
      continue;
    }
    write_all(r);
    if (smtp_server_paused(r->server)) continue;
    at = smtp_server_deadline(r->server);
    if (at <= r->now || at > r->now + 1) return 0;
    r->now = at; /* an error makes the peer wait */
    smtp_server_tick(r->server, at);
  }
}

/* There was no memory: from now on nothing else may be said. */
static int server_failed(lua_State *L, run *r) {
  smtp_server_event e;
  PROBE_POISON(e);
  char *place;
  size_t room;
  r->failures++;
  probe_fail_at(0);
  if (smtp_server_next(r->server, &e) != SMTP_ENOMEM ||
      smtp_server_feed(r->server, "NOOP\r\n", 6) != SMTP_ENOMEM ||
      smtp_server_space(r->server, &place, &room) != SMTP_ENOMEM ||
      smtp_server_decide(r->server, SMTP_VERDICT_ACCEPT, 0,
                         (smtp_slice){"", 0}) != SMTP_ENOMEM ||
      smtp_server_next(r->server, &e) != SMTP_ENOMEM)
    return run_end(L, r, "forgot");
  smtp_server_tick(r->server, r->now + 1e6);
  smtp_server_end(r->server, SMTP_S_SHUTDOWN, true);
  return run_end(L, r, "ENOMEM");
}

static int server_session(lua_State *L) {
  int i, result, last = lua_gettop(L);
  smtp_server_config config;
  run *r = run_new(L);
  configure(&config, luaL_checkstring(L, 1));
  r->verdicts = luaL_checklstring(L, 2, &r->verdicts_n);
  for (i = 3; i <= last; i++) luaL_checkstring(L, i);
  r->server = smtp_server_new(probe_mem(), &config, 0);
  if (r->server == NULL) {
    r->failures++;
    return run_end(L, r, "ENOMEM");
  }
  smtp_server_trust(r->server, config.forwarding);
  result = serve(r);
  for (i = 3; result == 0 && i <= last; i++) {
    size_t n;
    const char *p = lua_tolstring(L, i, &n);
    result = smtp_server_feed(r->server, p, n);
    if (result == 0) result = serve(r);
  }
  smtp_server_eof(r->server);
  if (result == 0) result = serve(r);
  if (result == SMTP_ENOMEM) return server_failed(L, r);
  return run_end(L, r, result == 0 ? "closed" : "broken");
}

/* ---- client ---------------------------------------------------------- */

static int submit_path(run *r, smtp_verb verb, smtp_slice mailbox) {
  static const smtp_param size = {{"SIZE", 4}, {"12", 2}, true};
  smtp_path path;
  PROBE_POISON(path);
  size_t used;
  int result =
      smtp_path_parse(&path, mailbox, SMTP_PATH_BARE | SMTP_PATH_NULL, &used);
  if (result != 0) return result;
  return smtp_client_submit_path(r->client, verb, &path, &size,
                                 verb == SMTP_VERB_MAIL);
}

static int submit(run *r, smtp_slice line) {
  smtp_slice name = line, args = {"", 0};
  const char *space = memchr(line.p, ' ', line.n);
  if (space != NULL) {
    name.n = (size_t)(space - line.p);
    args = (smtp_slice){space + 1, line.n - name.n - 1};
  }
  return smtp_client_submit(r->client, name, args);
}

static int body(run *r, smtp_slice content) {
  while (content.n > 0) {
    size_t taken;
    int result = smtp_client_body(r->client, content, &taken);
    if (result == SMTP_ENOMEM && taken == 0 && r->failures == 0) {
      r->failures++;
      probe_fail_at(0);
      continue;
    }
    if (result != 0) return result;
    content.p += taken;
    content.n -= taken;
    if (content.n > 0) write_all(r);
  }
  return 0;
}

/* AUTH by the mechanism that is named. */
static int auth(run *r, smtp_slice name) {
  smtp_sasl_client config;
  memset(&config, 0, sizeof config);
  config.user = SMTP_LIT("ada");
  config.password = SMTP_LIT("secret");
  smtp_sasl_free(r->sasl); /* one that failed stays so */
  r->sasl = smtp_sasl_client_new(probe_mem(), probe_crypto(),
                                 smtp_sasl_mechanism(name), &config);
  return r->sasl == NULL ? SMTP_ENOMEM : smtp_client_auth(r->client, r->sasl);
}

/* A whole message for two recipients; `chunks`: it goes by BDAT. */
static int send_whole(run *r, smtp_slice content, bool chunks) {
  static const smtp_verb verbs[] = {SMTP_VERB_MAIL, SMTP_VERB_RCPT,
                                    SMTP_VERB_RCPT};
  smtp_transaction *t = smtp_transaction_new(probe_mem(), 2);
  int result = t == NULL ? SMTP_ENOMEM : 0;
  smtp_path path;
  size_t used, i;
  PROBE_POISON(path);
  for (i = 0; result == 0 && i < 3; i++) {
    result = smtp_path_parse(&path, SMTP_LIT("ada@code.energy"), SMTP_PATH_BARE,
                             &used);
    if (result == 0)
      result = smtp_client_plan(r->client, t, verbs[i], &path, NULL, 0);
  }
  if (result == 0) {
    t->text = content;
    t->whole = true;
    t->chunks = chunks;
    result = smtp_client_send(r->client, t);
  }
  if (result != 0) smtp_transaction_free(t);
  return result;
}

/* Queues something: a failure leaves the session as it was. */
static int queue(run *r, char kind, smtp_slice rest) {
  switch (kind) {
  case '>': return submit(r, rest);
  case 'M': return submit_path(r, SMTP_VERB_MAIL, rest);
  case 'R': return submit_path(r, SMTP_VERB_RCPT, rest);
  case 'B': return body(r, rest);
  case 'A': return auth(r, rest);
  case 'C': return smtp_client_chunks(r->client, false);
  case 'T': return send_whole(r, rest, false);
  case 't': return send_whole(r, rest, true);
  default: return smtp_client_finish(r->client);
  }
}

static int read_replies(run *r) {
  static const char *const names[] = {
      "unasked",   "greeting", "ehlo", "mail", "rcpt",     "data", "final",
      "recipient", "chunk",    "rset", "quit", "starttls", "auth", "command"};
  for (;;) {
    smtp_client_event e;
    PROBE_POISON(e);
    int got = smtp_client_next(r->client, &e);
    if (got <= 0) return got;
    if (e.kind == SMTP_CLIENT_MESSAGE)
      note(r, "message",
           smtp_transaction_text(e.transaction, &e.transaction->final));
    else
      note(r, names[e.step], smtp_reply_text(e.reply));
  }
}

static int client_step(run *r, smtp_slice step) {
  smtp_slice rest = {step.p + 1, step.n - 1};
  int result;
  switch (step.p[0]) {
  case '<':
    result = smtp_client_feed(r->client, rest.p, rest.n);
    return result != 0 ? result : read_replies(r);
  case '!': smtp_client_eof(r->client); return read_replies(r);
  case '*': write_all(r); return 0;
  default:
    result = queue(r, step.p[0], rest);
    if (result == SMTP_ENOMEM) {
      r->failures++;
      probe_fail_at(0);
      result = queue(r, step.p[0], rest);
    }
    if (result == SMTP_ENOMEM) return result; /* it has failed for good */
    if (result != 0) note(r, "refused", step);
    return 0;
  }
}

static int client_failed(lua_State *L, run *r) {
  smtp_client_event e;
  PROBE_POISON(e);
  smtp_slice noop = {"NOOP", 4}, none = {"", 0};
  size_t taken;
  r->failures++;
  probe_fail_at(0);
  if (smtp_client_next(r->client, &e) != SMTP_ENOMEM ||
      smtp_client_submit(r->client, noop, none) != SMTP_ENOMEM ||
      smtp_client_body(r->client, noop, &taken) != SMTP_ENOMEM ||
      smtp_client_finish(r->client) != SMTP_ENOMEM ||
      smtp_client_usable(r->client) ||
      smtp_client_next(r->client, &e) != SMTP_ENOMEM)
    return run_end(L, r, "forgot");
  return run_end(L, r, "ENOMEM");
}

static int client_session(lua_State *L) {
  int i, result = 0, last = lua_gettop(L);
  smtp_client_config config = {0, lua_toboolean(L, 1), false, false};
  run *r = run_new(L);
  for (i = 2; i <= last; i++)
    luaL_argcheck(L, *luaL_checkstring(L, i) != '\0', i, "empty");
  r->client = smtp_client_new(probe_mem(), &config);
  if (r->client == NULL) {
    r->failures++;
    return run_end(L, r, "ENOMEM");
  }
  for (i = 2; result == 0 && i <= last; i++) {
    smtp_slice step;
    step.p = lua_tolstring(L, i, &step.n);
    result = client_step(r, step);
  }
  if (result == SMTP_ENOMEM) return client_failed(L, r);
  if (result == SMTP_EPROTOCOL) return run_end(L, r, "EPROTOCOL");
  return run_end(L, r, result == SMTP_ECLOSED ? "closed" : "open");
}

const luaL_Reg probe_session[] = {{"server_session", server_session},
                                  {"client_session", client_session},
                                  {NULL, NULL}};
