/* SPDX-License-Identifier: MIT */
/*
** spool.h: a file that is either whole and durable under its name, or absent.
** Bytes are written to a temporary file; a commit, done as a job, syncs it,
** gives it its name and syncs the folder. A failure before that, and freeing a
** spool without a commit, removes the temporary file. A failed sync is never
** tried again: the system may have dropped the bytes, and a second sync would
** then succeed.
**
** The temporary file and the target lie on one file system: side by side, or
** in tmp/ and new/ of a maildir. In a forked child the files remain the
** parent's: freeing a spool there removes nothing.
*/
#ifndef SMTP_NET_SPOOL_H
#define SMTP_NET_SPOOL_H

#include "job.h"

#include <stdbool.h>

typedef struct smtp_spool smtp_spool;

/*
** Creates the file at path, which may not exist (EEXIST), for its owner only.
** A path that ends in "XXXXXX" gets other letters there, so that it is new.
** NULL and errno on failure.
*/
SMTP_FUNC smtp_spool *smtp_spool_new(smtp_slice path);

/* Removes the temporary file unless it was committed. NULL is allowed. */
SMTP_FUNC void smtp_spool_free(smtp_spool *s);

/* The path of the temporary file; borrowed. */
SMTP_FUNC const char *smtp_spool_path(const smtp_spool *s);

/*
** Appends n bytes. Some wait in memory, so a full disk may show later, at the
** latest in the commit. After a failure all later calls fail with its error.
*/
SMTP_FUNC int smtp_spool_write(smtp_spool *s, const char *p, size_t n);

/*
** Begins to give the file the name target. Without overwrite an existing
** target is EEXIST. So many folders above the target's folder are synced, too,
** since they may have new folders. The job owns the spool from here on. NULL
** and errno: nothing began, and the spool is still the caller's.
*/
SMTP_FUNC smtp_job *smtp_spool_commit(smtp_spool *s, smtp_slice target,
                                      bool overwrite, int above);

/*
** Whether the job is done, and its result: 0 in *error, or an errno and its
** path (borrowed from the job).
*/
SMTP_FUNC bool smtp_spool_result(smtp_job *job, int *error, const char **path);

#endif
