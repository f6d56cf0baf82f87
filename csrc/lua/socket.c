/* SPDX-License-Identifier: MIT */
/*
** socket.c: the class "smtp.socket": a listener, a connection, or one that is
** still connecting. The peer's address is remembered from the beginning, so
** that it is still known when the peer has gone.
*/
#include "socket.h"
#include "../net/socket.h"
#include "support.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#define CLASS "smtp.socket"

/* Bytes of one recv: on the C stack, so that they are copied only once. */
#define RECV_MAX 32768

typedef struct handle {
  int fd; /* -1 when closed */
  bool connecting;
  int failed; /* the errno of a connect that failed, for who asks again */
  smtp_address peer;
} handle;

static handle *newhandle(lua_State *L) {
  handle *h = smtp_new_object(L, CLASS, sizeof *h);
  h->fd = -1;
  return h;
}

static handle *checkhandle(lua_State *L, int arg) {
  handle *h = luaL_checkudata(L, arg, CLASS);
  if (h->fd < 0) luaL_argerror(L, arg, "the socket is closed");
  return h;
}

int smtp_check_socket_take(lua_State *L, int arg) {
  handle *h = checkhandle(L, arg);
  int fd = h->fd;
  h->fd = -1;
  return fd;
}

static int socket_close(lua_State *L) {
  handle *h = luaL_checkudata(L, 1, CLASS);
  if (h->fd >= 0) smtp_socket_close(h->fd);
  h->fd = -1;
  return 0;
}

/* An address of numeric text, or the number of pushed values: a failure. */
static int sethost(lua_State *L, smtp_address *a, smtp_slice host,
                   lua_Integer port) {
  if (smtp_address_parse(a, host, (unsigned)port) == 0) return 0;
  return smtp_push_failure(L, "not a numeric address", "EINVAL");
}

/* The address that host and port, or path, of the options at 1 mean. */
static int setaddress(lua_State *L, smtp_address *a) {
  smtp_slice host = smtp_option_slice(L, 1, "host");
  smtp_slice path = smtp_option_slice(L, 1, "path");
  lua_Integer port = smtp_option_integer(L, 1, "port", 0, 65535, -1);
  luaL_argcheck(L, !host.p != !path.p, 1, "one of host and path is needed");
  luaL_argcheck(L, !host.p == (port < 0), 1, "a host and a port go together");
  if (host.p) return sethost(L, a, host, port);
  switch (smtp_address_unix(a, path)) {
  case 0: return 0;
  case SMTP_ETOOBIG: return smtp_push_errno(L, ENAMETOOLONG, NULL);
  default: return smtp_push_errno(L, EINVAL, NULL);
  }
}

static int adopt(lua_State *L, handle *h, int fd) {
  bool listening;
  if (smtp_socket_adopt(fd, &listening) < 0)
    return smtp_push_errno(L, errno, NULL);
  if (!listening) smtp_socket_peer(fd, &h->peer);
  h->fd = fd;
  return 1;
}

static int core_listen(lua_State *L) {
  static const char *const options[] = {"host",    "port",      "path", "fd",
                                        "backlog", "reuseport", NULL};
  unsigned flags = SMTP_LISTEN_V6ONLY; /* the same on every system */
  smtp_address a;
  int backlog, fd, pushed;
  handle *h;
  smtp_check_options(L, 1, options);
  fd = (int)smtp_option_integer(L, 1, "fd", 0, INT_MAX, -1);
  backlog = (int)smtp_option_integer(L, 1, "backlog", 1, INT_MAX, SOMAXCONN);
  if (smtp_option_boolean(L, 1, "reuseport")) flags |= SMTP_LISTEN_REUSEPORT;
  if (fd >= 0) {
    luaL_argcheck(L, !smtp_option_slice(L, 1, "host").p, 1, "fd and host");
    luaL_argcheck(L, !smtp_option_slice(L, 1, "path").p, 1, "fd and path");
    return adopt(L, newhandle(L), fd);
  }
  if ((pushed = setaddress(L, &a)) > 0) return pushed;
  h = newhandle(L);
  h->fd = smtp_socket_listen(&a, backlog, flags);
  if (h->fd < 0) return smtp_push_errno(L, errno, NULL);
  return 1;
}

static int core_connect(lua_State *L) {
  static const char *const options[] = {"host", "port", "path", "local_address",
                                        NULL};
  smtp_address a, own;
  smtp_slice local;
  int pushed;
  handle *h;
  smtp_check_options(L, 1, options);
  local = smtp_option_slice(L, 1, "local_address");
  if ((pushed = setaddress(L, &a)) > 0) return pushed;
  if (local.p && (pushed = sethost(L, &own, local, 0)) > 0) return pushed;
  h = newhandle(L);
  h->fd = smtp_socket_connect(&a, local.p ? &own : NULL);
  if (h->fd < 0) return smtp_push_errno(L, errno, NULL);
  h->connecting = true;
  h->peer = a;
  return 1;
}

static int socket_connected(lua_State *L) {
  handle *h = checkhandle(L, 1);
  if (h->connecting) {
    int result = smtp_socket_finish(h->fd);
    if (result == 0) {
      lua_pushboolean(L, 0);
      return 1;
    }
    h->connecting = false;
    if (result < 0) h->failed = errno;
  }
  if (h->failed) return smtp_push_errno(L, h->failed, NULL);
  lua_pushboolean(L, 1);
  return 1;
}

static int socket_accept(lua_State *L) {
  handle *h = checkhandle(L, 1);
  handle *client = newhandle(L);
  client->fd = smtp_socket_accept(h->fd, &client->peer);
  if (client->fd >= 0) return 1;
  if (client->fd == SMTP_ESYSTEM) return smtp_push_errno(L, errno, NULL);
  lua_pushboolean(L, 0);
  return 1;
}

typedef ssize_t receive(int fd, char *p, size_t n);

static int receive_with(lua_State *L, receive *with) {
  char bytes[RECV_MAX];
  handle *h = checkhandle(L, 1);
  lua_Integer max = luaL_checkinteger(L, 2);
  ssize_t n;
  luaL_argcheck(L, max > 0, 2, "at least one byte");
  n = with(h->fd, bytes, max < RECV_MAX ? (size_t)max : sizeof bytes);
  if (n == SMTP_ESYSTEM) return smtp_push_errno(L, errno, NULL);
  if (n >= 0)
    lua_pushlstring(L, bytes, (size_t)n);
  else
    lua_pushboolean(L, 0);
  return 1;
}

static int socket_recv(lua_State *L) {
  return receive_with(L, smtp_socket_recv);
}

/* Peeks at bytes; the next recv gives them again. */
static int socket_peek(lua_State *L) {
  return receive_with(L, smtp_socket_peek);
}

static int socket_send(lua_State *L) {
  handle *h = checkhandle(L, 1);
  smtp_slice s = smtp_check_slice(L, 2);
  lua_Integer first = luaL_optinteger(L, 3, 1);
  ssize_t n = 0;
  luaL_argcheck(L, first >= 1 && (lua_Unsigned)first <= s.n + 1, 3,
                "outside of the string");
  s.p += first - 1;
  s.n -= (size_t)first - 1;
  if (s.n > 0) n = smtp_socket_send(h->fd, s.p, s.n);
  if (n == SMTP_ESYSTEM) return smtp_push_errno(L, errno, NULL);
  lua_pushinteger(L, n > 0 ? n : 0);
  return 1;
}

static int socket_shutdown(lua_State *L) {
  return smtp_push_result(L, smtp_socket_shutdown(checkhandle(L, 1)->fd));
}

static int socket_abort(lua_State *L) {
  smtp_socket_abort(smtp_check_socket_take(L, 1));
  return 0;
}

/* The text and, if it has one, the port. */
static int pushaddress(lua_State *L, const smtp_address *a) {
  char text[SMTP_ADDRESS_TEXT];
  int port = smtp_address_port(a);
  lua_pushlstring(L, text, smtp_address_format(a, text));
  if (port < 0) return 1;
  lua_pushinteger(L, port);
  return 2;
}

static int socket_name(lua_State *L) {
  smtp_address a;
  if (smtp_socket_name(checkhandle(L, 1)->fd, &a) < 0)
    return smtp_push_errno(L, errno, NULL);
  return pushaddress(L, &a);
}

static int socket_peer(lua_State *L) {
  handle *h = checkhandle(L, 1);
  if (h->peer.length == 0) return smtp_push_errno(L, ENOTCONN, NULL);
  return pushaddress(L, &h->peer);
}

static int socket_loopback(lua_State *L) {
  lua_pushboolean(L, smtp_address_is_loopback(&checkhandle(L, 1)->peer));
  return 1;
}

static int socket_pollfd(lua_State *L) {
  lua_pushinteger(L, checkhandle(L, 1)->fd);
  return 1;
}

static int socket_events(lua_State *L) {
  lua_pushstring(L, checkhandle(L, 1)->connecting ? "w" : "r");
  return 1;
}

static int socket_timeout(lua_State *L) {
  checkhandle(L, 1);
  lua_pushnil(L);
  return 1;
}

static int socket_detach(lua_State *L) {
  lua_pushinteger(L, smtp_check_socket_take(L, 1));
  return 1;
}

static const luaL_Reg methods[] = {
    {"connected", socket_connected}, {"accept", socket_accept},
    {"recv", socket_recv},           {"peek", socket_peek},
    {"send", socket_send},           {"shutdown", socket_shutdown},
    {"abort", socket_abort},         {"name", socket_name},
    {"peer", socket_peer},           {"loopback", socket_loopback},
    {"pollfd", socket_pollfd},       {"events", socket_events},
    {"timeout", socket_timeout},     {"detach", socket_detach},
    {"close", socket_close},         {NULL, NULL}};

static const luaL_Reg functions[] = {
    {"listen", core_listen}, {"connect", core_connect}, {NULL, NULL}};

int smtp_open_socket(lua_State *L) {
  smtp_new_class(L, CLASS, methods, socket_close);
  luaL_setfuncs(L, functions, 0);
  return 0;
}
