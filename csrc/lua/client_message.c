/* SPDX-License-Identifier: MIT */
/*
** client_message.c: whole messages of a "smtp.client_session", and its
** transcript. The parts that Lua sends are kept in the user value, by the tag of
** their transaction, until it is known what became of them.
*/
#include <lauxlib.h>
#include <string.h>

#include "../core/ehlo.h"
#include "client_session.h"
#include "params.h"
#include "push.h"

/* Adds MAIL or RCPT of the mailbox and the parameters on the stack, and pops
** them. 0, or SMTP_EINVALID, SMTP_ENOMEM. */
static int plan_path(lua_State *L, smtp_client_session *c, smtp_verb verb,
                     smtp_slice mailbox) {
  smtp_param params[SMTP_PARAMS_MAX];
  size_t n = smtp_check_params(L, lua_gettop(L), params), used;
  smtp_path path;
  unsigned flag =
      verb == SMTP_VERB_MAIL ? SMTP_PATH_NULL : SMTP_PATH_POSTMASTER;
  int r = SMTP_EINVALID;
  if (smtp_path_parse(&path, mailbox, SMTP_PATH_BARE | SMTP_PATH_STRICT | flag,
                      &used) == 0 &&
      used == mailbox.n)
    r = smtp_client_plan(c->machine, c->plan, verb, &path, params, n);
  lua_pop(L, 2);
  return r;
}

/* The arguments of client:message. */
enum { PART = 2, TEXT, CHUNKS, BINARY, SENDER, PARAMS, SENT, GIVEN };

/* MAIL and the RCPTs of a message; *place: where it failed. */
static int plan_envelope(lua_State *L, smtp_client_session *c, size_t *place) {
  smtp_slice mailbox;
  int r;
  *place = 0;
  luaL_checktype(L, SENT, LUA_TTABLE);
  c->plan = smtp_transaction_new(smtp_mem_libc(), lua_rawlen(L, SENT));
  if (c->plan == NULL) return SMTP_ENOMEM;
  mailbox.p = luaL_checklstring(L, SENDER, &mailbox.n);
  lua_pushvalue(L, SENDER);
  lua_pushvalue(L, PARAMS);
  r = plan_path(L, c, SMTP_VERB_MAIL, mailbox);
  while (r == 0 && *place < c->plan->n) {
    lua_rawgeti(L, SENT, (lua_Integer)++ * place);
    mailbox.p = luaL_checklstring(L, -1, &mailbox.n);
    if (lua_istable(L, GIVEN))
      lua_rawgeti(L, GIVEN, (lua_Integer)*place);
    else
      lua_pushnil(L);
    r = plan_path(L, c, SMTP_VERB_RCPT, mailbox);
  }
  return r;
}

static void plan_content(lua_State *L, smtp_transaction *t) {
  t->chunks = lua_toboolean(L, CHUNKS);
  t->binary = lua_toboolean(L, BINARY);
  t->whole = lua_type(L, TEXT) == LUA_TSTRING;
  if (t->whole) t->text.p = lua_tolstring(L, TEXT, &t->text.n);
}

/* Keeps the part as long as its transaction is under way. */
static void keep(lua_State *L, smtp_client_session *c) {
  c->plan->tag = ++c->tags;
  lua_getiuservalue(L, 1, 1);
  lua_pushvalue(L, PART);
  lua_rawseti(L, -2, c->plan->tag);
  lua_pop(L, 1);
}

static void drop(lua_State *L, int tag) {
  lua_getiuservalue(L, 1, 1);
  lua_pushnil(L);
  lua_rawseti(L, -2, tag);
  lua_pop(L, 1);
}

/*
** client:message(part, text, chunks, binary [, sender, params, sent, given])
** sends a message, or without a sender the content alone: `text`, which the part
** keeps, or nil, and it is given by client:content; `chunks`, `binary`: how it
** goes; the recipients as they go out, and their parameters, by place. The
** results are told with the part: mailboxes of its `to`.
** -> whether it was queued to its end | nil, text, "invalid", place (0: the
** sender) | nil, text, "state" | "busy"
*/
int smtp_client_session_message(lua_State *L) {
  smtp_client_session *c = smtp_client_session_check(L);
  size_t place = 0;
  int r;
  luaL_checktype(L, PART, LUA_TTABLE);
  lua_settop(L, GIVEN);
  smtp_transaction_free(c->plan); /* of a call that raised */
  c->plan = NULL;
  r = lua_isnil(L, SENDER) ? smtp_client_plan_open(c->machine, &c->plan)
                           : plan_envelope(L, c, &place);
  if (r == SMTP_ENOMEM) return luaL_error(L, "not enough memory");
  if (r == SMTP_EINVALID) {
    smtp_client_session_push_submitted(L, r);
    lua_pushinteger(L, (lua_Integer)place);
    return 4;
  }
  plan_content(L, c->plan);
  keep(L, c);
  r = smtp_client_send(c->machine, c->plan);
  if (r != 0) {
    drop(L, c->plan->tag);
    return smtp_client_session_push_submitted(L, r);
  }
  c->plan = NULL; /* it is the machine's */
  lua_pushboolean(L, smtp_client_wants(c->machine) == SMTP_WANT_NOTHING);
  return 1;
}

/* client:content(bytes [, first]) -> how many were taken | nil, text, "invalid"
** | "busy"; client:content() ends it -> true | nil, text, "busy" | "invalid" */
int smtp_client_session_content(lua_State *L) {
  smtp_client_session *c = smtp_client_session_check(L);
  smtp_slice all;
  size_t first, taken;
  int r;
  if (lua_isnoneornil(L, 2))
    return smtp_client_session_push_submitted(L, smtp_client_end(c->machine));
  all.p = luaL_checklstring(L, 2, &all.n);
  first = (size_t)luaL_optinteger(L, 3, 1) - 1;
  luaL_argcheck(L, first <= all.n, 3, "beyond the end");
  r = smtp_client_content(c->machine,
                          (smtp_slice){all.p + first, all.n - first}, &taken);
  if (r != 0) return smtp_client_session_push_submitted(L, r);
  lua_pushinteger(L, (lua_Integer)taken);
  return 1;
}

/* client:give_up() -> whether the session goes on; see client.h */
int smtp_client_session_give_up(lua_State *L) {
  smtp_client_session *c = smtp_client_session_check(L);
  lua_pushboolean(L, smtp_client_give_up(c->machine));
  return 1;
}

/* ---- results --------------------------------------------------------- */

/* Sets the fields of a kept reply in the table on top. */
static void set_kept(lua_State *L, const smtp_transaction *t,
                     const smtp_kept *reply) {
  smtp_set_reply(L, reply->code, reply->status,
                 smtp_transaction_text(t, reply));
}

/* Pushes a record of the recipient at i: address, and the reply. The list of
** mailboxes is at index `to`. */
static void push_record(lua_State *L, const smtp_transaction *t, size_t i,
                        const smtp_kept *reply, int to) {
  lua_createtable(L, 0, 6);
  lua_rawgeti(L, to, (lua_Integer)i + 1);
  lua_setfield(L, -2, "address");
  set_kept(L, t, reply);
}

/* Appends the refusals of RCPT, or of the content, to the list at `list`. Their
** places are noted at `places`, and whether another transaction may help at
** `places` + 1. */
static void add_refusals(lua_State *L, const smtp_transaction *t, bool content,
                         int to, int list, int places) {
  size_t i;
  for (i = 0; i < t->n; i++) {
    const smtp_recipient *r = &t->recipients[i];
    const smtp_kept *reply = smtp_transaction_refusal(t, i);
    lua_Integer at = (lua_Integer)lua_rawlen(L, list) + 1;
    if (reply == NULL || r->accepted != content) continue;
    push_record(L, t, i, reply, to);
    lua_pushboolean(L, reply->code < 500 || (!content && r->too_many));
    lua_setfield(L, -2, "temporary");
    lua_rawseti(L, list, at);
    lua_pushinteger(L, (lua_Integer)i + 1);
    lua_rawseti(L, places, at);
    if (content || !r->too_many) continue;
    lua_pushboolean(L, 1);
    lua_rawseti(L, places + 1, at);
  }
}

/* Sets `replies` of content alone: those of all recipients, in their order. */
static void set_replies(lua_State *L, const smtp_transaction *t, int result) {
  lua_Integer n = 0;
  size_t i;
  if (!t->replies) return;
  lua_newtable(L);
  for (i = 0; i < t->n; i++) {
    const smtp_kept *reply = &t->recipients[i].reply;
    if (reply->code == 0) continue;
    lua_createtable(L, 0, 4);
    set_kept(L, t, reply);
    lua_rawseti(L, -2, ++n);
  }
  lua_setfield(L, result, "replies");
}

/* Sets `accepted`: who has the message; and `replies`, of LMTP and PRDR: by
** which words. */
static void set_accepted(lua_State *L, const smtp_transaction *t, int to,
                         int result) {
  lua_Integer n = 0;
  size_t i;
  lua_createtable(L, (int)t->accepted, 0); /* accepted */
  if (t->replies)
    lua_newtable(L);
  else
    lua_pushnil(L); /* accepted, replies */
  for (i = 0; i < t->n; i++) {
    const smtp_kept *reply = smtp_transaction_success(t, i);
    if (reply == NULL) continue;
    lua_rawgeti(L, to, (lua_Integer)i + 1);
    lua_rawseti(L, -3, ++n);
    if (!t->replies) continue;
    push_record(L, t, i, reply, to);
    lua_rawseti(L, -2, n);
  }
  lua_setfield(L, result, "replies");
  lua_setfield(L, result, "accepted");
}

/* Sets `rejected`, and pushes places and too_many: nil where there are none. */
static void set_rejected(lua_State *L, const smtp_transaction *t, bool content,
                         int to, int result) {
  int list;
  lua_newtable(L);
  list = lua_gettop(L);
  if (t->accepted == t->n && !(content && t->replies)) {
    lua_setfield(L, result, "rejected");
    lua_pushnil(L);
    lua_pushnil(L);
    return;
  }
  lua_newtable(L); /* places */
  lua_newtable(L); /* too_many */
  add_refusals(L, t, false, to, list, list + 1);
  if (content) add_refusals(L, t, true, to, list, list + 1);
  lua_pushvalue(L, list);
  lua_setfield(L, result, "rejected");
  lua_remove(L, list);
}

static const char *stage_of(smtp_transaction_part part) {
  switch (part) {
  case SMTP_PART_MAIL: return "mail";
  case SMTP_PART_RCPT: return "rcpt";
  case SMTP_PART_DATA: return "data";
  default: return "final";
  }
}

/*
** Pushes what became of a transaction: part, "accepted" | "refused" | "open",
** a table, places, too_many. The table has `accepted`, `rejected` and `replies`;
** the reply that says so, if it is not open; `stage` and `address`, if it was
** refused. `places` and `too_many` are about the entries of `rejected`.
*/
static int push_result(lua_State *L, const smtp_transaction *t,
                       smtp_outcome outcome) {
  static const char *const names[] = {"open", "accepted", "refused"};
  const smtp_kept *good = NULL;
  smtp_refusal why;
  smtp_message_verdict verdict = smtp_transaction_verdict(t, &good, &why);
  bool content = verdict != SMTP_MESSAGE_OPEN ||
                 (outcome == SMTP_OUTCOME_PARTIAL && !t->unsure);
  int top = lua_gettop(L), part = top + 1, result = top + 3, to = top + 4;
  lua_getiuservalue(L, 1, 1);
  lua_rawgeti(L, -1, t->tag);
  lua_remove(L, -2); /* part */
  drop(L, t->tag);
  lua_pushstring(L, names[verdict]);
  lua_createtable(L, 0, 8);    /* result */
  lua_getfield(L, part, "to"); /* to */
  if (t->open)
    set_replies(L, t, result);
  else if (content)
    set_accepted(L, t, to, result);
  if (t->unsure || t->open) {
    lua_pushnil(L);
    lua_pushnil(L);
  } else {
    set_rejected(L, t, content, to, result);
  }
  if (verdict == SMTP_MESSAGE_REFUSED) {
    lua_pushstring(L, stage_of(why.part));
    lua_setfield(L, result, "stage");
    lua_rawgeti(L, to, (lua_Integer)why.place);
    lua_setfield(L, result, "address");
    good = why.reply;
  }
  if (good != NULL) {
    lua_pushvalue(L, result);
    set_kept(L, t, good);
    lua_pop(L, 1);
  }
  lua_remove(L, to);
  return lua_gettop(L) - top;
}

int smtp_client_session_push_message(lua_State *L, const smtp_transaction *t) {
  lua_pushliteral(L, "message");
  return 1 + push_result(L, t, SMTP_OUTCOME_NOT_SENT);
}

static const char *outcome_name(smtp_outcome outcome) {
  static const char *const names[] = {"not_sent", "unknown", "partial"};
  return names[outcome];
}

/* client:outcome() -> of the first message under way, if nothing more is heard:
** "not_sent" | "unknown" | "partial" */
int smtp_client_session_outcome(lua_State *L) {
  smtp_client_session *c = smtp_client_session_check(L);
  lua_pushstring(L, outcome_name(smtp_client_outcome(c->machine)));
  return 1;
}

/* client:lose(): the session is over -> the outcome of the next message that was
** under way, and what push_result tells; nothing where there is none */
int smtp_client_session_lose(lua_State *L) {
  smtp_client_session *c = smtp_client_session_check(L);
  smtp_transaction *t;
  smtp_outcome outcome;
  lua_settop(L, 1);
  t = smtp_client_lose(c->machine);
  if (t == NULL) return 0;
  outcome = smtp_transaction_outcome(t, smtp_client_written(c->machine));
  lua_pushstring(L, outcome_name(outcome));
  return 1 + push_result(L, t, outcome);
}

/* client:idle() -> whether no message is under way */
int smtp_client_session_idle(lua_State *L) {
  lua_pushboolean(L, smtp_client_idle(smtp_client_session_check(L)->machine));
  return 1;
}

/* client:needs_rset() -> whether a message has left something at the server */
int smtp_client_session_needs_rset(lua_State *L) {
  lua_pushboolean(L, smtp_client_open(smtp_client_session_check(L)->machine));
  return 1;
}

/* client:anew(): XCLIENT was accepted */
int smtp_client_session_anew(lua_State *L) {
  smtp_client_anew(smtp_client_session_check(L)->machine);
  return 0;
}

/* ---- the transcript -------------------------------------------------- */

/* Appends the lines of an entry to the list on top: "C" or "S", line ... */
static void add_lines(lua_State *L, const smtp_transcript_entry *entry) {
  const char *from = entry->text.p, *end = from + entry->text.n;
  lua_Integer n = (lua_Integer)lua_rawlen(L, -1);
  for (;;) {
    const char *lf =
        entry->code == 0 ? NULL : memchr(from, '\n', (size_t)(end - from));
    const char *stop = lf == NULL ? end : lf;
    lua_pushstring(L, entry->code == 0 ? "C" : "S");
    lua_rawseti(L, -2, ++n);
    if (entry->code != 0)
      lua_pushfstring(L, "%d%s", entry->code, lf == NULL ? " " : "-");
    lua_pushlstring(L, from, (size_t)(stop - from));
    if (entry->code != 0) lua_concat(L, 2);
    lua_rawseti(L, -2, ++n);
    if (lf == NULL) return;
    from = lf + 1;
  }
}

/* client:transcript() -> { "C", line, "S", line, ... }, of a closed one too */
int smtp_client_session_transcript(lua_State *L) {
  smtp_client_session *c = luaL_checkudata(L, 1, SMTP_CLIENT_SESSION);
  const smtp_transcript *t =
      c->machine == NULL ? &c->transcript : smtp_client_transcript(c->machine);
  smtp_slice rest = smtp_transcript_log(t);
  smtp_transcript_entry entry;
  lua_newtable(L);
  while (smtp_transcript_next(&rest, &entry)) add_lines(L, &entry);
  return 1;
}

/* client:said() -> the lines of the next entry that nobody has read, in the same
** form; nothing where there is none. For a session with a trace. */
int smtp_client_session_said(lua_State *L) {
  smtp_client_session *c = smtp_client_session_check(L);
  smtp_transcript_entry entry;
  if (!smtp_transcript_read(smtp_client_transcript(c->machine), &entry))
    return 0;
  lua_newtable(L);
  add_lines(L, &entry);
  return 1;
}
