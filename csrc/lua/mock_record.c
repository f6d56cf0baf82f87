/* SPDX-License-Identifier: MIT */
/* mock_record.c: see mock_record.h. */
#include "mock_record.h"

#include <lauxlib.h>

#include "push.h"

/* Absent text leaves the field out. */
static void set_text(lua_State *L, const char *key, smtp_slice text) {
  if (text.p == NULL) return;
  smtp_push_slice(L, text);
  lua_setfield(L, -2, key);
}

static void set_number(lua_State *L, const char *key, uint64_t n) {
  lua_pushinteger(L, (lua_Integer)n);
  lua_setfield(L, -2, key);
}

static void set_flag(lua_State *L, const char *key, bool flag) {
  lua_pushboolean(L, flag);
  lua_setfield(L, -2, key);
}

static void set_time(lua_State *L, const char *key, double time) {
  if (time <= 0) return;
  lua_pushnumber(L, time);
  lua_setfield(L, -2, key);
}

static void push_recipients(lua_State *L, const smtp_mock_mail *mail) {
  size_t i;
  lua_createtable(L, (int)mail->recipients_n, 0);
  for (i = 0; i < mail->recipients_n; i++) {
    const smtp_mock_recipient *one = &mail->recipients[i];
    lua_createtable(L, 0, 4);
    set_text(L, "address", one->address);
    set_text(L, "params", one->params);
    set_text(L, "reply", one->reply);
    set_number(L, "code", (uint64_t)one->code);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
}

static void push_mail(lua_State *L, const smtp_mock_mail *mail) {
  lua_createtable(L, 0, 12);
  set_number(L, "number", mail->number);
  set_number(L, "session", mail->session);
  set_number(L, "code", (uint64_t)mail->code);
  set_text(L, "from", mail->from);
  set_text(L, "params", mail->params);
  set_text(L, "helo", mail->helo);
  set_text(L, "user", mail->user);
  set_flag(L, "tls", mail->tls);
  set_flag(L, "stored", mail->stored);
  smtp_push_slice(L, smtp_buf_data(&mail->raw));
  lua_setfield(L, -2, "raw");
  push_recipients(L, mail);
  lua_setfield(L, -2, "recipients");
}

void smtp_push_mock_mails(lua_State *L, const smtp_mock_record *r,
                          size_t from) {
  lua_Integer n = 0;
  size_t i;
  lua_newtable(L);
  for (i = from > r->mails_before ? from - r->mails_before - 1 : 0;
       i < r->mails_n; i++) {
    push_mail(L, r->mails[i]);
    lua_rawseti(L, -2, ++n);
  }
}

void smtp_push_mock_visits(lua_State *L, const smtp_mock_record *r,
                           uint64_t number) {
  lua_Integer n = 0;
  size_t i;
  lua_createtable(L, number == 0 ? (int)r->visits_n : 1, 0);
  for (i = 0; i < r->visits_n; i++) {
    const smtp_mock_visit *v = r->visits[i];
    if (number != 0 && v->number != number) continue;
    lua_createtable(L, 0, 16);
    set_number(L, "number", v->number);
    set_number(L, "commands", v->commands);
    set_number(L, "mails", v->mails);
    set_number(L, "port", (uint64_t)(v->port < 0 ? 0 : v->port));
    lua_pushstring(L, v->peer);
    lua_setfield(L, -2, "address");
    set_time(L, "opened", v->opened);
    set_time(L, "closed", v->closed);
    set_flag(L, "esmtp", v->esmtp);
    set_flag(L, "authenticated", v->auth);
    set_text(L, "helo", v->helo);
    set_text(L, "user", v->user);
    set_text(L, "mechanism", v->mechanism);
    set_text(L, "tls_version", v->tls_version);
    set_text(L, "tls_cipher", v->tls_cipher);
    set_text(L, "tls_name", v->tls_name);
    set_text(L, "tls_error", v->tls_error);
    set_text(L, "reason", v->reason);
    lua_rawseti(L, -2, ++n);
  }
}

void smtp_push_mock_violations(lua_State *L, const smtp_mock_record *r) {
  size_t i;
  lua_createtable(L, (int)r->violations_n, 0);
  for (i = 0; i < r->violations_n; i++) {
    const smtp_mock_violation *v = &r->violations[i];
    lua_createtable(L, 0, 4);
    set_number(L, "session", v->session);
    lua_pushstring(L, v->rule);
    lua_setfield(L, -2, "rule");
    lua_pushstring(L, v->section);
    lua_setfield(L, -2, "section");
    set_text(L, "text", v->text);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  if (!r->lost) return;
  lua_createtable(L, 0, 2);
  lua_pushliteral(L, "lost");
  lua_setfield(L, -2, "rule");
  lua_pushliteral(L, "the mock");
  lua_setfield(L, -2, "section");
  lua_rawseti(L, -2, (lua_Integer)i + 1);
}

void smtp_push_mock_counts(lua_State *L, const smtp_mock_record *r) {
  int i;
  lua_createtable(L, 0, SMTP_MOCK_POINTS);
  for (i = 0; i < SMTP_MOCK_POINTS; i++)
    set_number(L, smtp_mock_point_name((smtp_mock_point)i), r->counts[i]);
}

void smtp_push_mock_rules(lua_State *L, const smtp_mock *m) {
  size_t i;
  lua_createtable(L, (int)m->rules_n, 0);
  for (i = 0; i < m->rules_n; i++) {
    lua_createtable(L, 0, 2);
    set_number(L, "matched", m->rules[i]->matched);
    set_number(L, "fired", m->rules[i]->fired);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
}

void smtp_push_mock_facts(lua_State *L, const smtp_mock_facts *f) {
  size_t i;
  lua_createtable(L, 0, 8);
  lua_pushstring(L, smtp_mock_point_name(f->point));
  lua_setfield(L, -2, "event");
  set_text(L, "verb", f->verb);
  set_text(L, "text", f->text);
  set_text(L, "from", f->from);
  set_text(L, "user", f->user);
  set_number(L, "session", f->session);
  set_flag(L, "tls", f->tls);
  set_flag(L, "auth", f->auth);
  lua_createtable(L, (int)f->to_n, 0);
  for (i = 0; i < f->to_n; i++) {
    smtp_push_slice(L, f->to[i]);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  lua_setfield(L, -2, "to");
}
