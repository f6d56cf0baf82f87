/* SPDX-License-Identifier: MIT */
/*
** spool.h: a file that is either whole and durable under its name, or not
** there. Bytes are written to a temporary file; a commit, done as a job,
** syncs it, gives it its name and syncs the folder. Whatever fails before
** that, and a spool that is freed without a commit, removes the temporary
** file. A failed sync is never tried again: the system may have dropped the
** bytes and would then answer well to the second.
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
** latest in the commit. After a failure all that follows fails as it did.
*/
SMTP_FUNC int smtp_spool_write(smtp_spool *s, const char *p, size_t n);

/*
** Begins to make it the file target. Without overwrite an existing target is
** EEXIST. So many folders above the target's folder are synced as well: those
** that name a folder which may be new. The job owns the spool from here on. NULL and errno: nothing began,
** and the spool still is the caller's.
*/
SMTP_FUNC smtp_job *smtp_spool_commit(smtp_spool *s, smtp_slice target,
                                      bool overwrite, int above);

/*
** Whether the job is done, and then how: 0 in *error, or an errno and the path
** that it is about (borrowed from the job).
*/
SMTP_FUNC bool smtp_spool_result(smtp_job *job, int *error, const char **path);

#endif
