/* SPDX-License-Identifier: MIT */
/*
** net_faults.c: a program for spec/net/faults_spec.lua: csrc/net under failures
** of the system, and on systems that lack a call. The argument names the check.
** The status is 0 if the check passed; if it failed, the failed line is
** printed. An alarm ends a check that hangs.
**
** This file defines the failing calls: the program is built with
** -Drealloc=check_realloc, and so on for calloc, poll, pthread_create and
** renameat2.
*/
#include "net_check.h"

#include "../../csrc/net/poller.h"
#include "../../csrc/net/process.h"
#include "../../csrc/net/resolve.h"
#include "../../csrc/net/socket.h"
#include "../../csrc/net/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* ---- the system ---- */

#undef realloc
#undef calloc
#undef poll
#undef pthread_create
#undef renameat2

extern void *realloc(void *p, size_t n);
extern void *calloc(size_t n, size_t size);
extern int poll(struct pollfd *p, nfds_t n, int timeout);
extern int pthread_create(pthread_t *thread, const pthread_attr_t *attr,
                          void *(*run)(void *), void *arg);

void *check_realloc(void *p, size_t n);
void *check_calloc(size_t n, size_t size);
int check_poll(struct pollfd *p, nfds_t n, int timeout);
int check_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
                         void *(*run)(void *), void *arg);
int check_renameat2(int from_at, const char *from, int to_at, const char *to,
                    unsigned flags);

static int allocations = -1; /* that succeed yet; negative: all succeed */
static int poll_error;       /* the errno of the next poll */
static int threads;          /* made up to now */

static int exhausted(void) {
  if (allocations < 0 || allocations-- > 0) return 0;
  allocations = 0;
  errno = ENOMEM;
  return 1;
}

void *check_realloc(void *p, size_t n) {
  return exhausted() ? NULL : realloc(p, n);
}

void *check_calloc(size_t n, size_t size) {
  return exhausted() ? NULL : calloc(n, size);
}

int check_poll(struct pollfd *p, nfds_t n, int timeout) {
  int error = poll_error;
  if (error == 0) return poll(p, n, timeout);
  poll_error = 0;
  errno = error;
  return -1;
}

int check_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
                         void *(*run)(void *), void *arg) {
  threads++;
  return pthread_create(thread, attr, run, arg);
}

#ifdef SMTP_HAVE_RENAMEAT2
extern int renameat2(int from_at, const char *from, int to_at, const char *to,
                     unsigned flags);

static int rename_error; /* of each renameat2 */

int check_renameat2(int from_at, const char *from, int to_at, const char *to,
                    unsigned flags) {
  errno = rename_error;
  return errno != 0 ? -1 : renameat2(from_at, from, to_at, to, flags);
}
#endif

/* ---- checks ---- */

/* Each lane has its threads and no more, however long its queue is. */
static void threads_of_lanes(void) {
  smtp_wake started;
  int i;
  REQUIRE(smtp_wake_init(&started) == 0);
  for (i = 1; i <= 3 * SMTP_JOB_THREADS; i++) {
    REQUIRE(smtp_job_start(SMTP_JOB_FILE, block, nothing, &started));
    REQUIRE(threads == (i < SMTP_JOB_THREADS ? i : SMTP_JOB_THREADS));
  }
  REQUIRE(smtp_job_start(SMTP_JOB_LOOKUP, block, nothing, &started));
  REQUIRE(threads == SMTP_JOB_THREADS + 1);
  exit(0);
}

/* The longest name is looked up, by a thread; a longer one is none. */
static void longest_name(void) {
  static char name[SMTP_DOMAIN_MAX + 1];
  smtp_job *job;
  memset(name, 'x', sizeof name);
  job = smtp_resolve_start((smtp_slice){name, sizeof name}, 25);
  REQUIRE(job && smtp_job_done(job) && threads == 0);
  smtp_job_release(job);
  job = smtp_resolve_start((smtp_slice){name, sizeof name - 1}, 25);
  REQUIRE(job && threads == 1);
  await(job);
  REQUIRE(smtp_resolve_result(job)->count == 0);
  smtp_job_release(job);
}

static void put(const char *path, const char *text) {
  FILE *file = fopen(path, "wb");
  REQUIRE(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

static int is(const char *path, const char *text) {
  char bytes[16] = {0};
  FILE *file = fopen(path, "rb");
  REQUIRE(file);
  fread(bytes, 1, sizeof bytes - 1, file);
  fclose(file);
  return strcmp(bytes, text) == 0;
}

/* The errno of a commit of "new"; its temporary file is gone in any case. */
static int commit(const char *target, bool overwrite) {
  smtp_spool *s = smtp_spool_new(SMTP_LIT("a.tmp"));
  smtp_slice name = {target, strlen(target)};
  const char *path = NULL;
  smtp_job *job;
  int error = -1;
  REQUIRE(s && smtp_spool_write(s, "new", 3) == 0);
  REQUIRE((job = smtp_spool_commit(s, name, overwrite, 0)));
  await(job);
  REQUIRE(smtp_spool_result(job, &error, &path));
  REQUIRE(strcmp(path, target) == 0);
  smtp_job_release(job);
  REQUIRE(access("a.tmp", F_OK) < 0);
  return error;
}

static void name_once(void) {
  put("b", "old");
  REQUIRE(commit("b", false) == EEXIST && is("b", "old"));
  REQUIRE(commit("b", true) == 0 && is("b", "new"));
  REQUIRE(commit("c", false) == 0 && is("c", "new"));
  REQUIRE(commit("c", false) == EEXIST);
  REQUIRE(commit("none/c", false) == ENOENT &&
          commit("none/c", true) == ENOENT);
  REQUIRE(unlink("b") == 0 && unlink("c") == 0);
}

/* Each way of giving a file a name that is not taken. */
static void naming(void) {
  name_once();
#ifdef SMTP_HAVE_RENAMEAT2
  rename_error = ENOSYS; /* an old kernel */
  name_once();
  rename_error = EINVAL; /* a file system that cannot */
  name_once();
  rename_error = EACCES;
  REQUIRE(commit("d", false) == EACCES && access("d", F_OK) < 0);
#endif
}

/* A poller without memory, at each of its allocations, is as it was before. */
static void poller_memory(void) {
  int pair[2], far, n;
  smtp_ready ready[4];
  REQUIRE(pipe(pair) == 0 && write(pair[1], "x", 1) == 1);
  REQUIRE((far = fcntl(pair[0], F_DUPFD, 200)) >= 200);
  for (n = 0; n < 20; n++) {
    smtp_poller *p;
    int done;
    allocations = n;
    p = smtp_poller_new("poll");
    if (p == NULL) {
      REQUIRE(errno == ENOMEM);
      continue;
    }
    done = smtp_poller_set(p, pair[0], SMTP_READ) == 0 &&
           smtp_poller_set(p, far, SMTP_READ) == 0;
    REQUIRE(done || errno == ENOMEM);
    allocations = -1;
    if (!done) { /* the number near zero may be watched, the far one is not */
      REQUIRE(smtp_poller_wait(p, 0, ready, 4) < 2);
      REQUIRE(smtp_poller_set(p, far, 0) == 0);
      REQUIRE(smtp_poller_set(p, pair[0], SMTP_READ) == 0);
      REQUIRE(smtp_poller_set(p, far, SMTP_READ) == 0);
    }
    REQUIRE(smtp_poller_wait(p, 0, ready, 4) == 2);
    REQUIRE(ready[0].fd == pair[0] && ready[1].fd == far);
    smtp_poller_free(p);
    if (done) break;
  }
  REQUIRE(n >= 5 && n < 20); /* two blocks, and three tables that grow */
}

static void poller_errors(void) {
  smtp_poller *p = smtp_poller_new("poll");
  smtp_ready ready[4];
  int pair[2];
  REQUIRE(p && pipe(pair) == 0);
  REQUIRE(smtp_poller_set(p, pair[1], SMTP_WRITE) == 0);
  poll_error = EINTR;
  REQUIRE(smtp_poller_wait(p, 5, ready, 4) == 0);
  poll_error = ENOMEM;
  REQUIRE(smtp_poller_wait(p, 5, ready, 4) == SMTP_ESYSTEM && errno == ENOMEM);
  REQUIRE(smtp_poller_wait(p, 5, ready, 4) == 1);
  REQUIRE(ready[0].fd == pair[1] && ready[0].bits == SMTP_WRITE);
  close(pair[0]); /* nobody reads it any more: both bits */
  REQUIRE(smtp_poller_wait(p, 5, ready, 4) == 1);
  REQUIRE(ready[0].bits == (SMTP_READ | SMTP_WRITE));
  close(pair[1]); /* and then it is no descriptor */
  REQUIRE(smtp_poller_set(p, pair[1], SMTP_READ) == 0);
  REQUIRE(smtp_poller_wait(p, 5, ready, 4) == 1);
  REQUIRE(ready[0].bits == (SMTP_READ | SMTP_WRITE));
  REQUIRE(smtp_poller_fd(p) == -1);
  smtp_poller_free(p);
}

/* Each that is ready has its turn, however few there is room for; and that is so
** when two of them are no longer watched, whichever they are. */
static void poller_turns(void) {
  enum { N = 5 };
  int gone, room;
  for (gone = 0; gone < N; gone++) {
    for (room = 1; room <= N; room++) {
      smtp_poller *p = smtp_poller_new("poll");
      int pairs[N][2], turns[1024] = {0}, i, k, n;
      smtp_ready ready[N];
      for (i = 0; i < N; i++) {
        REQUIRE(p && pipe(pairs[i]) == 0 && pairs[i][1] < 1024);
        REQUIRE(smtp_poller_set(p, pairs[i][1], SMTP_WRITE) == 0);
      }
      for (i = 0; i < N; i += room) {
        REQUIRE((n = smtp_poller_wait(p, 5, ready, room)) == room);
        for (k = 0; k < n; k++) turns[ready[k].fd]++;
      }
      for (i = 0; i < N; i++) REQUIRE(turns[pairs[i][1]] >= 1);
      REQUIRE(smtp_poller_set(p, pairs[gone][1], 0) == 0);
      REQUIRE(smtp_poller_set(p, pairs[N - 1][1], 0) == 0);
      n = gone == N - 1 ? N - 1 : N - 2;
      REQUIRE(smtp_poller_wait(p, 5, ready, N) == n);
      for (k = 0; k < n; k++)
        REQUIRE(ready[k].fd != pairs[gone][1] &&
                ready[k].fd != pairs[N - 1][1]);
      for (i = 0; i < N; i++) REQUIRE(close(pairs[i][0]) == 0);
      for (i = 0; i < N; i++) REQUIRE(close(pairs[i][1]) == 0);
      smtp_poller_free(p);
    }
  }
}

/* A child whose status somebody else took away has ended all the same. */
static void reaped(void) {
  int status = 7;
  pid_t child = smtp_process_fork();
  REQUIRE(child >= 0);
  if (child == 0) smtp_process_exit(3);
  REQUIRE(outcome(child) == 3);
  REQUIRE(smtp_process_ended(child, &status) == 1 && status == -1);
}

/* ---- sockets ---- */

/* A signal in the wait does not end it, and an earlier one is none of its. */
static void finish(void) {
  char full[4096];
  int fds[2];
  memset(full, 0, sizeof full);
  REQUIRE(pipe(fds) == 0);
  poll_error = EINTR;
  REQUIRE(smtp_socket_finish(fds[1]) == SMTP_ESYSTEM && errno == ENOTSOCK);
  REQUIRE(fcntl(fds[1], F_SETFL, O_NONBLOCK) == 0);
  while (write(fds[1], full, sizeof full) > 0) continue;
  poll_error = EINTR;
  REQUIRE(smtp_socket_finish(fds[1]) == 0);
  errno = EINTR;
  REQUIRE(smtp_socket_finish(fds[1]) == 0);
  poll_error = ENOMEM;
  REQUIRE(smtp_socket_finish(fds[1]) == SMTP_ESYSTEM && errno == ENOMEM);
}

/* ---- the resolver ---- */

#ifdef SMTP_HAVE_RES_NQUERY

#include <arpa/nameser.h>
#include <netdb.h>
#include <resolv.h>

#include "../../csrc/core/ip.h"
#include "../../csrc/net/address.h"

static const char *const *servers;   /* of the system, by their addresses */
static char asked[SMTP_IP_TEXT + 1]; /* the server that got the question */
static int asked_of;                 /* servers that could have got it */

static int check_ninit(res_state state) {
  int i;
  for (i = 0; servers[i] != NULL; i++) {
    smtp_address a;
    smtp_slice text = {servers[i], strlen(servers[i])};
    REQUIRE(smtp_address_parse(&a, text, 53) == 0);
    if (a.u.any.sa_family == AF_INET) {
      state->nsaddr_list[i] = a.u.in;
    } else {
      REQUIRE((state->_u._ext.nsaddrs[i] = malloc(sizeof a.u.in6)));
      *state->_u._ext.nsaddrs[i] = a.u.in6;
    }
  }
  state->nscount = i;
  return 0;
}

/* An answer that is secure if the resolver was told to believe that. */
static int check_nquery(res_state state, unsigned char *answer) {
  const struct sockaddr_in6 *six = state->_u._ext.nsaddrs[0];
  smtp_ip ip = {.n = 4};
  REQUIRE(state->nscount >= 1 && (state->options & RES_USE_EDNS0));
  REQUIRE(state->retrans == 5 && state->retry == 2);
  asked_of = state->nscount;
  if (state->nsaddr_list[0].sin_family == AF_INET) {
    memcpy(ip.bytes, &state->nsaddr_list[0].sin_addr, 4);
  } else {
    ip.n = 16;
    memcpy(ip.bytes, &six->sin6_addr, 16);
  }
  asked[smtp_ip_format(asked, &ip)] = 0;
  if (state->options & RES_TRUSTAD) answer[3] |= 0x20;
  return 12;
}

static void check_nclose(res_state state) {
  int i;
  for (i = 0; i < MAXNS; i++) free(state->_u._ext.nsaddrs[i]);
}

/* The state that it makes is seen by the functions above. */
#undef res_ninit
#undef res_nquery
#undef res_nclose
#define res_ninit check_ninit
#define res_nquery(state, name, class, type, answer, max) \
  check_nquery(state, answer)
#define res_nclose check_nclose
#include "../../csrc/net/dns.c"

static bool is_secure(const char *const *system, const char *server) {
  smtp_address a;
  smtp_job *job;
  bool secure;
  memset(&a, 0, sizeof a);
  servers = system;
  if (server != NULL)
    REQUIRE(smtp_address_parse(&a, (smtp_slice){server, strlen(server)}, 53) ==
            0);
  REQUIRE((job = smtp_dns_start(SMTP_LIT("a.example"), SMTP_DNS_A, &a, 5)));
  await(job);
  REQUIRE(smtp_dns_result(job)->status == SMTP_DNS_OK);
  REQUIRE(server == NULL || asked_of == 1);
  secure = smtp_dns_result(job)->secure;
  smtp_job_release(job);
  return secure;
}

/* An answer is believed to be validated where every server of the system is on
** this machine, or where the caller has named the server. */
static void resolver(void) {
  static const char *const
      far[] = {"192.0.2.1", NULL},
      *const near[] = {"127.0.0.1", NULL}, *const near_six[] = {"::1", NULL},
      *const far_six[] = {"2001:db8::1", NULL},
      *const all_near[] = {"127.0.0.53", "::1", "127.255.255.254", NULL},
      *const last_far[] = {"127.0.0.1", "::1", "192.0.2.1", NULL},
      *const first_far[] = {"2001:db8::1", "127.0.0.1", NULL},
      *const mapped[] = {"::ffff:127.0.0.1", NULL};
  REQUIRE(!is_secure(far, NULL) && strcmp(asked, "192.0.2.1") == 0);
  REQUIRE(is_secure(near, NULL) && strcmp(asked, "127.0.0.1") == 0);
  REQUIRE(is_secure(near_six, NULL) && strcmp(asked, "::1") == 0);
  REQUIRE(!is_secure(far_six, NULL));
  REQUIRE(is_secure(all_near, NULL) && is_secure(mapped, NULL));
  REQUIRE(!is_secure(last_far, NULL) && !is_secure(first_far, NULL));
  REQUIRE(is_secure(far, "192.0.2.9") && strcmp(asked, "192.0.2.9") == 0);
  REQUIRE(is_secure(far_six, "192.0.2.9") && strcmp(asked, "192.0.2.9") == 0);
  REQUIRE(is_secure(far, "2001:db8::9") && strcmp(asked, "2001:db8::9") == 0);
  REQUIRE(is_secure(far_six, "::9") && strcmp(asked, "::9") == 0);
  REQUIRE(is_secure(all_near, NULL) && asked_of == 3);
  REQUIRE(is_secure(last_far, "192.0.2.9") && is_secure(last_far, "::9"));
}

/* A system without any server is not one on this machine. */
static void no_resolver(void) {
  struct __res_state state;
  memset(&state, 0, sizeof state);
  REQUIRE(!is_here(&state));
}

#else

static void resolver(void) {
}
static void no_resolver(void) {
}

#endif

int main(int argc, char **argv) {
  static const struct check checks[] = {{"threads", threads_of_lanes},
                                        {"longest-name", longest_name},
                                        {"naming", naming},
                                        {"poller-memory", poller_memory},
                                        {"poller-errors", poller_errors},
                                        {"poller-turns", poller_turns},
                                        {"reaped", reaped},
                                        {"resolver", resolver},
                                        {"no-resolver", no_resolver},
                                        {"finish", finish}};
  return run_check(checks, sizeof checks / sizeof *checks, argc, argv);
}
