/* SPDX-License-Identifier: MIT */
/*
** dns.h: asks a name server for the records of a name, as a job around the
** resolver of the C library: its time-outs, its second tries, and TCP for what
** does not fit into a datagram. core/dns.h reads the answer.
**
** The server's word that it has validated the answer (AD) counts only if it
** can be trusted: the caller named the server, or the system's servers are all
** on this machine or trusted by "options trust-ad".
*/
#ifndef SMTP_NET_DNS_H
#define SMTP_NET_DNS_H

#include "../core/dns.h"
#include "address.h"
#include "job.h"

typedef enum smtp_dns_status {
  SMTP_DNS_OK,      /* records, of the type or aliases */
  SMTP_DNS_NO_DATA, /* the name has none of the type */
  SMTP_DNS_NO_NAME, /* there is no such name */
  SMTP_DNS_FAILED,  /* SERVFAIL, or no answer in time: temporary */
  SMTP_DNS_NO_MEANS /* this system has no such resolver */
} smtp_dns_status;

typedef struct smtp_dns_reply {
  smtp_dns_status status;
  unsigned type;
  bool secure;       /* the absence of records was validated */
  smtp_slice packet; /* of SMTP_DNS_OK; borrowed from the job */
} smtp_dns_reply;

/*
** Begins to ask for a type of a name of smtp_dns_is_name. A server of length 0:
** those of the system. A server has so many seconds, and twice as many when it
** is asked again. NULL and errno if no job can be made.
*/
SMTP_FUNC smtp_job *smtp_dns_start(smtp_slice name, unsigned type,
                                   const smtp_address *server,
                                   unsigned seconds);

/* The reply, after the job is done. */
SMTP_FUNC const smtp_dns_reply *smtp_dns_result(smtp_job *job);

#endif
