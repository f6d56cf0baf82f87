/* SPDX-License-Identifier: MIT */
/*
** resolve.h: the addresses of a host, as a job around getaddrinfo (files, DNS,
** as the system is configured). A numeric address needs no thread and is done
** at once.
*/
#ifndef SMTP_NET_RESOLVE_H
#define SMTP_NET_RESOLVE_H

#include "address.h"
#include "job.h"

#include <stdbool.h>

typedef struct smtp_addresses {
  smtp_address *list; /* in the order in which to try them */
  size_t count;       /* 0: it failed */
  int code;           /* of getaddrinfo, if it failed */
  int error;          /* errno where the code is EAI_SYSTEM */
} smtp_addresses;

/*
** Begins to look up host; port (up to 65535) is put into the addresses. A host
** that is no name at all (empty, with NUL, over 255 bytes) fails in the result.
** NULL and errno if no job can be made.
*/
SMTP_FUNC smtp_job *smtp_resolve_start(smtp_slice host, unsigned port);

/* The result; NULL while the job runs. Borrowed from the job. */
SMTP_FUNC const smtp_addresses *smtp_resolve_result(smtp_job *job);

/* The reason of a failure as a text, and whether the failure is temporary. */
SMTP_FUNC const char *smtp_resolve_text(const smtp_addresses *found);
SMTP_FUNC bool smtp_resolve_temporary(const smtp_addresses *found);

#endif
