/* SPDX-License-Identifier: MIT */
/*
** process.h: processes that share the work of one program: a supervisor forks
** workers, sees them end, and may end them; a lifeline tells them of its own
** end, however that came.
**
** What the library itself has for forks is where it belongs: job.h, poller.h,
** spool.h, tls.h.
*/
#ifndef SMTP_NET_PROCESS_H
#define SMTP_NET_PROCESS_H

#include <sys/types.h>

#include "../core/smtp.h"

/*
** 0 in the child, its number in the parent, or SMTP_ESYSTEM. Streams of stdio
** are flushed before it, or both would write what they hold. A SIGCHLD that
** was ignored no longer is: there would be nothing to wait for.
*/
SMTP_FUNC pid_t smtp_process_fork(void);

/*
** Whether a child of ours has ended, without waiting: 1, and then its number
** is free for others; 0: it runs. status is what it gave, or 128 and the signal
** that ended it; -1 where somebody else has taken that away.
*/
SMTP_FUNC int smtp_process_ended(pid_t child, int *status);

/* Sends a signal to a child that was not seen to end. 0 or SMTP_ESYSTEM. */
SMTP_FUNC int smtp_process_signal(pid_t child, int number);

/*
** Ends a forked child. What was registered for the end of the process, in C or
** in Lua, is its parent's and does not run; streams are flushed.
*/
SMTP_FUNC void smtp_process_exit(int status);

/* Descriptors that this process may have at once (RLIMIT_NOFILE); 0: there is
** no limit. */
SMTP_FUNC size_t smtp_process_descriptors(void);

/* Gives memory that was freed back to the system, where the C library keeps
** it. */
SMTP_FUNC void smtp_process_trim(void);

/* Processors that this process may run on; at least 1. */
SMTP_FUNC int smtp_process_cpus(void);

/* A pipe that nobody writes to: its end is that of all who hold the writer. */
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
