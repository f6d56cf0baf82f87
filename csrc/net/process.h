/* SPDX-License-Identifier: MIT */
/*
** process.h: processes that share the work of one program. A supervisor forks
** workers, sees them end, and may end them. A lifeline shows them the end of
** the supervisor, for any reason.
**
** See also job.h, poller.h, spool.h and tls.h about forks.
*/
#ifndef SMTP_NET_PROCESS_H
#define SMTP_NET_PROCESS_H

#include <sys/types.h>

#include "../core/smtp.h"

/*
** 0 in the child, its number in the parent, or SMTP_ESYSTEM. Streams of stdio
** are flushed before, else both processes would write their contents. SIGCHLD
** is not ignored any more, else there would be no child to wait for.
*/
SMTP_FUNC pid_t smtp_process_fork(void);

/*
** Whether a child has ended, without waiting: 1, and then its number is free
** for other processes; 0: it runs. status is its exit status, or 128 and the
** signal that ended it; -1 if other code has taken the status.
*/
SMTP_FUNC int smtp_process_ended(pid_t child, int *status);

/* Sends a signal to a child that has not ended. 0 or SMTP_ESYSTEM. */
SMTP_FUNC int smtp_process_signal(pid_t child, int number);

/*
** Ends a forked child. Exit handlers, in C or in Lua, are its parent's and do
** not run; streams are flushed.
*/
SMTP_FUNC void smtp_process_exit(int status);

/* Descriptors that this process may have at once (RLIMIT_NOFILE); 0: there is
** no limit. */
SMTP_FUNC size_t smtp_process_descriptors(void);

/* Gives freed memory back to the system, if the C library keeps it. */
SMTP_FUNC void smtp_process_trim(void);

/* Processors that this process may run on; at least 1. */
SMTP_FUNC int smtp_process_cpus(void);

/* A pipe without data: it ends when all holders of the writer have ended. */
typedef struct smtp_lifeline {
  int reader, writer; /* -1: closed */
} smtp_lifeline;

/* 0, or SMTP_ESYSTEM and both descriptors -1. */
SMTP_FUNC int smtp_lifeline_open(smtp_lifeline *l);

/* In a child: from here on the reader becomes readable when the parent ends. */
SMTP_FUNC void smtp_lifeline_follow(smtp_lifeline *l);

/* May be called again. */
SMTP_FUNC void smtp_lifeline_close(smtp_lifeline *l);

#endif
