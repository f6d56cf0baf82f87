/* SPDX-License-Identifier: MIT */
/*
** job.h: the class "smtp.job", for bindings with work for helper threads.
*/
#ifndef SMTP_LUA_JOB_H
#define SMTP_LUA_JOB_H

#include "../net/job.h"

#include <lua.h>

/* Pushes the result of a job that is done; returns how many values. */
typedef int (*smtp_job_pusher)(lua_State *L, smtp_job *job);

/*
** Pushes a new object, whose job the caller fills in without a call of Lua in
** between; while that is NULL the object is closed.
*/
SMTP_FUNC smtp_job **smtp_push_job(lua_State *L, smtp_job_pusher push);

/* Adds resolve to the table on the top. */
SMTP_FUNC int smtp_open_job(lua_State *L);

#endif
