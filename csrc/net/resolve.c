/* SPDX-License-Identifier: MIT */
/*
** resolve.c: the request and its result are one block, that the job owns.
*/
#include "feature.h"

#include "resolve.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct lookup {
  smtp_addresses found;
  unsigned port;
  char host[SMTP_DOMAIN_MAX + 1];
} lookup;

static void destroy(void *data) {
  lookup *l = data;
  free(l->found.list);
  free(l);
}

static void setfailed(lookup *l, int code, int error) {
  l->found.code = code;
  l->found.error = error;
}

/* Copies the results; families outside of address.h are left out. */
static void keep(lookup *l, const struct addrinfo *first) {
  const struct addrinfo *i;
  size_t n = 0;
  for (i = first; i; i = i->ai_next) n++;
  if (!(l->found.list = calloc(n ? n : 1, sizeof *l->found.list))) {
    setfailed(l, EAI_MEMORY, 0);
    return;
  }
  for (i = first; i; i = i->ai_next) {
    smtp_address *a = &l->found.list[l->found.count];
    if (i->ai_family != AF_INET && i->ai_family != AF_INET6) continue;
    if ((size_t)i->ai_addrlen > sizeof a->u) continue;
    memcpy(&a->u, i->ai_addr, i->ai_addrlen);
    a->length = i->ai_addrlen;
    l->found.count++;
  }
  if (l->found.count == 0) setfailed(l, EAI_NONAME, 0);
}

static void run(void *data) {
  lookup *l = data;
  struct addrinfo hints, *first = NULL;
  char port[8];
  int code;
  memset(&hints, 0, sizeof hints);
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV;
  snprintf(port, sizeof port, "%u", l->port);
  code = getaddrinfo(l->host, port, &hints, &first);
  if (code) {
    setfailed(l, code, errno);
    return;
  }
  keep(l, first);
  freeaddrinfo(first);
}

/* Whether the system need not be asked: a numeric address, or no name. */
static bool isknown(lookup *l, smtp_slice host) {
  smtp_address a;
  if (smtp_address_parse(&a, host, l->port) == 0) {
    if ((l->found.list = malloc(sizeof a))) {
      l->found.list[0] = a;
      l->found.count = 1;
    } else {
      setfailed(l, EAI_MEMORY, 0);
    }
    return true;
  }
  if (host.n > 0 && host.n < sizeof l->host && !memchr(host.p, 0, host.n))
    return false;
  setfailed(l, EAI_NONAME, 0);
  return true;
}

smtp_job *smtp_resolve_start(smtp_slice host, unsigned port) {
  lookup *l = calloc(1, sizeof *l);
  smtp_job *job;
  int error;
  if (!l) return NULL;
  l->port = port;
  if (isknown(l, host)) {
    job = smtp_job_finished(destroy, l);
  } else {
    memcpy(l->host, host.p, host.n); /* the block was cleared: terminated */
    job = smtp_job_start(SMTP_JOB_LOOKUP, run, destroy, l);
  }
  if (job) return job;
  error = errno;
  destroy(l);
  errno = error;
  return NULL;
}

const smtp_addresses *smtp_resolve_result(smtp_job *job) {
  lookup *l;
  if (!smtp_job_done(job)) return NULL;
  l = smtp_job_data(job);
  return &l->found;
}

const char *smtp_resolve_text(const smtp_addresses *found) {
  if (found->code == EAI_SYSTEM) return strerror(found->error);
  return gai_strerror(found->code);
}

bool smtp_resolve_temporary(const smtp_addresses *found) {
  return found->code == EAI_AGAIN || found->code == EAI_MEMORY ||
         found->code == EAI_SYSTEM;
}
