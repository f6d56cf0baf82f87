/* SPDX-License-Identifier: MIT */
/* dns.c: see dns.h. The question and the answer are one block of the job. */
#include "feature.h"

#include "dns.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#ifdef SMTP_HAVE_RES_NQUERY
#include <arpa/nameser.h>
#include <netdb.h>
#include <resolv.h>
#endif

#define ANSWER_MAX 65535
#define AD 0x20 /* in the fourth byte (RFC 4035 section 3.2.3) */

typedef struct lookup {
  smtp_dns_reply reply;
  unsigned seconds;
  smtp_address server;
  char name[SMTP_DNS_NAME_MAX + 1];
  unsigned char *answer;
} lookup;

static void destroy(void *data) {
  lookup *l = data;
  free(l->answer);
  free(l);
}

#ifdef SMTP_HAVE_RES_NQUERY

/* One server in place of the system's. IPv6 lies in the extension, in memory
** that res_nclose frees. */
static bool use_server(struct __res_state *state, const smtp_address *server) {
  struct sockaddr_in6 *six;
  if (server->u.any.sa_family == AF_INET) {
    state->nsaddr_list[0] = server->u.in;
    state->nscount = 1;
    return true;
  }
  six = malloc(sizeof *six);
  if (six == NULL) return false;
  *six = server->u.in6;
  free(state->_u._ext.nsaddrs[0]);
  memset(&state->nsaddr_list[0], 0, sizeof state->nsaddr_list[0]);
  state->_u._ext.nsaddrs[0] = six;
  state->_u._ext.nscount = 1;
  state->nscount = 1;
  return true;
}

/* Whether each server of the system is on this machine. */
static bool is_here(const struct __res_state *state) {
  int i;
  for (i = 0; i < state->nscount; i++) {
    smtp_address a;
    memset(&a, 0, sizeof a);
    if (state->nsaddr_list[i].sin_family == AF_INET) {
      a.u.in = state->nsaddr_list[i];
      a.length = sizeof a.u.in;
    } else if (state->_u._ext.nsaddrs[i] != NULL) {
      a.u.in6 = *state->_u._ext.nsaddrs[i];
      a.length = sizeof a.u.in6;
    }
    if (!smtp_address_is_loopback(&a)) return false;
  }
  return state->nscount > 0;
}

static void ask(lookup *l, struct __res_state *state) {
  int n = res_nquery(state, l->name, ns_c_in, (int)l->reply.type, l->answer,
                     ANSWER_MAX);
  if (n >= 0 && n <= ANSWER_MAX) {
    l->reply.status = SMTP_DNS_OK;
    l->reply.packet = (smtp_slice){(const char *)l->answer, (size_t)n};
  } else if (n < 0 && state->res_h_errno == NO_DATA) {
    l->reply.status = SMTP_DNS_NO_DATA;
  } else if (n < 0 && state->res_h_errno == HOST_NOT_FOUND) {
    l->reply.status = SMTP_DNS_NO_NAME;
  }
  /* A negative answer has no length here, but its header is there. */
  l->reply.secure = (l->answer[3] & AD) != 0;
}

static void run(void *data) {
  lookup *l = data;
  struct __res_state state;
  memset(&state, 0, sizeof state);
  l->answer = calloc(1, ANSWER_MAX);
  if (l->answer == NULL || res_ninit(&state) != 0) return;
  if (l->server.length == 0 || use_server(&state, &l->server)) {
    state.options |= RES_USE_EDNS0;
    if (is_here(&state) || l->server.length > 0) state.options |= RES_TRUSTAD;
    state.retrans = (int)l->seconds;
    state.retry = 2;
    ask(l, &state);
  }
  res_nclose(&state);
}

#else

static void run(void *data) {
  ((lookup *)data)->reply.status = SMTP_DNS_NO_MEANS;
}

#endif

smtp_job *smtp_dns_start(smtp_slice name, unsigned type,
                         const smtp_address *server, unsigned seconds) {
  lookup *l = calloc(1, sizeof *l);
  smtp_job *job;
  int error;
  if (l == NULL) return NULL;
  l->reply.status = SMTP_DNS_FAILED;
  l->reply.type = type;
  l->server = *server;
  l->seconds = seconds;
  memcpy(l->name, name.p, name.n); /* the block was cleared: terminated */
  job = smtp_job_start(SMTP_JOB_LOOKUP, run, destroy, l);
  if (job != NULL) return job;
  error = errno;
  destroy(l);
  errno = error;
  return NULL;
}

const smtp_dns_reply *smtp_dns_result(smtp_job *job) {
  const lookup *l = smtp_job_data(job);
  return &l->reply;
}
