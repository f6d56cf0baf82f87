/* SPDX-License-Identifier: MIT */
/*
** socket.c: the system's calls with their differences and surprises taken
** out. Descriptors are born close-on-exec where the system can do that in one
** call, so that a fork in another thread cannot inherit them.
*/
#include "feature.h"

#include "socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* macOS: SO_NOSIGPIPE is set instead */
#endif

#if defined(SOCK_CLOEXEC) && defined(SOCK_NONBLOCK) && !defined(SMTP_PORTABLE)
#define HAVE_SOCK_FLAGS 1 /* with accept4 */
#endif

static int failed(int fd) {
  int error = errno;
  if (fd >= 0) close(fd);
  errno = error;
  return SMTP_ESYSTEM;
}

static void seton(int fd, int level, int option) {
  int on = 1;
  setsockopt(fd, level, option, &on, sizeof on);
}

/* Not for unix sockets; there the system refuses and nothing is lost. */
static void settraits(int fd) {
  seton(fd, IPPROTO_TCP, TCP_NODELAY);
#ifdef SO_NOSIGPIPE
  seton(fd, SOL_SOCKET, SO_NOSIGPIPE);
#endif
}

static int setflags(int fd) {
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
      fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
    return SMTP_ESYSTEM;
  return 0;
}

static int newsocket(int family) {
#ifdef HAVE_SOCK_FLAGS
  int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return SMTP_ESYSTEM;
#else
  int fd = socket(family, SOCK_STREAM, 0);
  if (fd < 0) return SMTP_ESYSTEM;
  if (setflags(fd) < 0) return failed(fd);
#endif
  settraits(fd);
  return fd;
}

/* Whether the file at a is a socket without a server. */
static bool isstale(const smtp_address *a) {
  struct stat st;
  bool refused;
  int fd;
  if (lstat(a->u.un.sun_path, &st) < 0 || !S_ISSOCK(st.st_mode)) return false;
  if ((fd = newsocket(AF_UNIX)) < 0) return false;
  refused = connect(fd, &a->u.any, a->length) < 0 && errno == ECONNREFUSED;
  close(fd);
  return refused;
}

static int bindto(int fd, const smtp_address *a) {
  if (bind(fd, &a->u.any, a->length) == 0) return 0;
  if (errno != EADDRINUSE || a->u.any.sa_family != AF_UNIX) return -1;
  if (!isstale(a) || unlink(a->u.un.sun_path) < 0) {
    errno = EADDRINUSE;
    return -1;
  }
  return bind(fd, &a->u.any, a->length);
}

static int setreuseport(int fd) {
  int on = 1;
#if defined(SO_REUSEPORT_LB) /* FreeBSD: the one that spreads the load */
  return setsockopt(fd, SOL_SOCKET, SO_REUSEPORT_LB, &on, sizeof on);
#elif defined(SO_REUSEPORT)
  return setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
#else
  (void)fd, (void)on;
  errno = ENOTSUP;
  return -1;
#endif
}

int smtp_socket_listen(const smtp_address *a, int backlog, unsigned flags) {
  int family = a->u.any.sa_family;
  int v6only = (flags & SMTP_LISTEN_V6ONLY) != 0;
  int fd = newsocket(family);
  if (fd < 0) return fd;
  if (family != AF_UNIX) {
    seton(fd, SOL_SOCKET, SO_REUSEADDR);
    if ((flags & SMTP_LISTEN_REUSEPORT) && setreuseport(fd) < 0)
      return failed(fd);
  }
  if (family == AF_INET6 &&
      setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof v6only) < 0)
    return failed(fd);
  if (bindto(fd, a) < 0 || listen(fd, backlog) < 0) return failed(fd);
  return fd;
}

int smtp_socket_adopt(int fd, bool *listening) {
  int type = 0, listens = 0;
  socklen_t n = sizeof type;
  smtp_address a;
  if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) < 0) return SMTP_ESYSTEM;
  if (smtp_socket_name(fd, &a) < 0) return SMTP_ESYSTEM;
  if (type != SOCK_STREAM ||
      (a.u.any.sa_family != AF_INET && a.u.any.sa_family != AF_INET6 &&
       a.u.any.sa_family != AF_UNIX)) {
    errno = EINVAL;
    return SMTP_ESYSTEM;
  }
  n = sizeof listens;
  if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &n) < 0)
    return SMTP_ESYSTEM;
  if (!listens && smtp_socket_peer(fd, &a) < 0) return SMTP_ESYSTEM;
  if (setflags(fd) < 0) return SMTP_ESYSTEM;
  settraits(fd);
  *listening = listens != 0;
  return 0;
}

/*
** Linux gives the pending network errors of a new connection at accept. Such
** an error, and a lost connection, is no failure of the listener.
*/
static int accepterror(void) {
  switch (errno) {
  case EAGAIN:
#if EWOULDBLOCK != EAGAIN
  case EWOULDBLOCK:
#endif
  case ECONNABORTED:
  case EPROTO:
  case EPERM:
  case ENETDOWN:
  case ENETUNREACH:
#ifdef EHOSTDOWN
  case EHOSTDOWN:
#endif
#ifdef ENONET
  case ENONET:
#endif
  case EHOSTUNREACH:
  case ENOPROTOOPT: return SMTP_EBUSY;
  default: return SMTP_ESYSTEM;
  }
}

int smtp_socket_accept(int fd, smtp_address *peer) {
  int client;
  do {
    peer->length = sizeof peer->u;
#ifdef HAVE_SOCK_FLAGS
    client =
        accept4(fd, &peer->u.any, &peer->length, SOCK_CLOEXEC | SOCK_NONBLOCK);
#else
    client = accept(fd, &peer->u.any, &peer->length);
#endif
  } while (client < 0 && errno == EINTR);
  if (client < 0) return accepterror();
#ifndef HAVE_SOCK_FLAGS
  if (setflags(client) < 0) return failed(client);
#endif
  settraits(client);
  if (peer->length == 0) { /* some systems, for a unix socket without a name */
    peer->u.any.sa_family = AF_UNIX;
    peer->length = offsetof(struct sockaddr_un, sun_path);
  }
  return client;
}

int smtp_socket_connect(const smtp_address *a, const smtp_address *local) {
  int fd = newsocket(a->u.any.sa_family);
  if (fd < 0) return fd;
  if (local) {
#ifdef IP_BIND_ADDRESS_NO_PORT /* else a bind takes a port of its own */
    seton(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
#endif
    if (bind(fd, &local->u.any, local->length) < 0) return failed(fd);
  }
  /* after EINTR the connection goes on by itself */
  if (connect(fd, &a->u.any, a->length) < 0 && errno != EINPROGRESS &&
      errno != EINTR)
    return failed(fd);
  return fd;
}

int smtp_socket_finish(int fd) {
  struct pollfd p;
  int error = 0, n;
  socklen_t length = sizeof error;
  p.fd = fd;
  p.events = POLLOUT;
  do n = poll(&p, 1, 0);
  while (n < 0 && errno == EINTR);
  if (n <= 0) return n < 0 ? SMTP_ESYSTEM : 0;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
    return SMTP_ESYSTEM;
  if (error == 0) return 1;
  errno = error;
  return SMTP_ESYSTEM;
}

static ssize_t transfer(ssize_t n) {
  if (n >= 0) return n;
  return errno == EAGAIN || errno == EWOULDBLOCK ? SMTP_EBUSY : SMTP_ESYSTEM;
}

static ssize_t receive(int fd, char *p, size_t n, int flags) {
  ssize_t got;
  do got = recv(fd, p, n, flags);
  while (got < 0 && errno == EINTR);
  return transfer(got);
}

ssize_t smtp_socket_recv(int fd, char *p, size_t n) {
  return receive(fd, p, n, 0);
}

ssize_t smtp_socket_peek(int fd, char *p, size_t n) {
  return receive(fd, p, n, MSG_PEEK);
}

ssize_t smtp_socket_send(int fd, const char *p, size_t n) {
  ssize_t sent;
  do sent = send(fd, p, n, MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  return transfer(sent);
}

int smtp_socket_shutdown(int fd) {
  return shutdown(fd, SHUT_WR) < 0 ? SMTP_ESYSTEM : 0;
}

void smtp_socket_quickack(int fd) {
#ifdef TCP_QUICKACK
  seton(fd, IPPROTO_TCP, TCP_QUICKACK);
#else
  (void)fd;
#endif
}

int smtp_socket_name(int fd, smtp_address *a) {
  a->length = sizeof a->u;
  if (getsockname(fd, &a->u.any, &a->length) == 0) return 0;
  a->length = 0;
  return SMTP_ESYSTEM;
}

int smtp_socket_peer(int fd, smtp_address *a) {
  a->length = sizeof a->u;
  if (getpeername(fd, &a->u.any, &a->length) == 0) return 0;
  a->length = 0;
  return SMTP_ESYSTEM;
}

/* Not repeated after EINTR: the number may already be another file's. */
void smtp_socket_close(int fd) {
  close(fd);
}

void smtp_socket_abort(int fd) {
  struct linger now;
  now.l_onoff = 1;
  now.l_linger = 0;
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  close(fd);
}
