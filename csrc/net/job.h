/* SPDX-License-Identifier: MIT */
/*
** job.h: blocking work (a name look-up, an fsync), done by one small pool of
** helper threads, so that the thread of the caller never waits.
**
** The caller and a thread share a job; the last to release it frees it. The
** threads are detached, take no signals and are never joined: the process may
** exit at any time, and a job then stops half-way.
**
** After a fork the child has threads of its own. A job of the parent is never
** done in the child, and is not destroyed there: its files remain the
** parent's.
*/
#ifndef SMTP_NET_JOB_H
#define SMTP_NET_JOB_H

#include "../core/smtp.h"

#include <stdbool.h>

/*
** Call pause and the next function around a fork, in one thread. Waiting
** look-ups do not begin, and running ones may end, for at most so many seconds.
** The C library holds locks in a look-up; the child would wait for them for
** ever.
*/
SMTP_FUNC void smtp_job_pause(double seconds);
SMTP_FUNC void smtp_job_resume(void);

/* Threads of a lane, at most. */
#define SMTP_JOB_THREADS 4

typedef struct smtp_job smtp_job;

/* A name server that does not answer must not keep files waiting. */
typedef enum { SMTP_JOB_LOOKUP, SMTP_JOB_FILE } smtp_job_lane;

/*
** Starts run(data) in a helper thread. NULL and errno on failure, and then
** data still is the caller's; else it belongs to the job, which calls
** destroy(data) once, in the caller's thread or in a helper.
*/
SMTP_FUNC smtp_job *smtp_job_start(smtp_job_lane lane, void (*run)(void *data),
                                   void (*destroy)(void *data), void *data);

/* As smtp_job_start, for a job that is already done. */
SMTP_FUNC smtp_job *smtp_job_finished(void (*destroy)(void *data), void *data);

/* A descriptor that becomes readable when the job is done, and stays so. */
SMTP_FUNC int smtp_job_fd(const smtp_job *job);

/* Whether run has returned; only then may the data be looked at. */
SMTP_FUNC bool smtp_job_done(smtp_job *job);
SMTP_FUNC void *smtp_job_data(smtp_job *job);

/* Releases a job, done or not. A running job and a waiting job of files run to
** their end; a waiting look-up is dropped. */
SMTP_FUNC void smtp_job_release(smtp_job *job);

#endif
