/* SPDX-License-Identifier: MIT */
/* mock_record.h: what a mock remembers, as tables of Lua. */
#ifndef SMTP_LUA_MOCK_RECORD_H
#define SMTP_LUA_MOCK_RECORD_H

#include <lua.h>

#include "../mock/mock.h"

/* Each pushes one table. Mails are those from number `from` on. */
SMTP_FUNC void smtp_push_mock_mails(lua_State *L, const smtp_mock_record *r,
                                    size_t from);
/* Of all sessions, or (number not 0) of that one alone. */
SMTP_FUNC void smtp_push_mock_visits(lua_State *L, const smtp_mock_record *r,
                                     uint64_t number);
SMTP_FUNC void smtp_push_mock_violations(lua_State *L,
                                         const smtp_mock_record *r);
SMTP_FUNC void smtp_push_mock_counts(lua_State *L, const smtp_mock_record *r);

/* { matched, fired } of each rule. */
SMTP_FUNC void smtp_push_mock_rules(lua_State *L, const smtp_mock *m);

SMTP_FUNC void smtp_push_mock_facts(lua_State *L, const smtp_mock_facts *f);

#endif
