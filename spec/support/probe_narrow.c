/* SPDX-License-Identifier: MIT */
/*
** probe_narrow.c: sockets on loopback with buffers as small as the system has
** them, set before there is a connection, so that the window is never larger.
**
**   probe.narrow([port]) -> a connection to the port | a listener
**   socket:port() :accept() :recv(n) :send(bytes, from) :room() :close()
**
** accept, recv and send give false where they would block.
*/
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "probe.h"

#define NARROW "probe.narrow"

static int *new_socket(lua_State *L) {
  int *fd = lua_newuserdatauv(L, sizeof *fd, 0);
  *fd = -1;
  luaL_setmetatable(L, NARROW);
  return fd;
}

static int check_fd(lua_State *L) {
  int fd = *(int *)luaL_checkudata(L, 1, NARROW);
  luaL_argcheck(L, fd >= 0, 1, "it is closed");
  return fd;
}

/* The name of an error of the system: nothing where it would only block. */
static int failed(lua_State *L) {
  if (errno == EAGAIN || errno == EWOULDBLOCK) {
    lua_pushboolean(L, 0);
    return 1;
  }
  lua_pushnil(L);
  lua_pushinteger(L, errno);
  return 2;
}

static int set_up(int fd) {
  int least = 1;
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  return fcntl(fd, F_SETFL, O_NONBLOCK) |
         setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &least, sizeof least) |
         setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &least, sizeof least);
}

static int narrow(lua_State *L) {
  struct sockaddr_in at = {.sin_family = AF_INET};
  uint16_t port = (uint16_t)luaL_optinteger(L, 1, 0);
  int *fd = new_socket(L);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  at.sin_port = htons(port);
  *fd = socket(AF_INET, SOCK_STREAM, 0);
  if (*fd < 0 || set_up(*fd) != 0) return luaL_error(L, "no socket");
  if (port != 0) {
    if (connect(*fd, (struct sockaddr *)&at, sizeof at) != 0 &&
        errno != EINPROGRESS)
      return luaL_error(L, "no connection");
  } else if (bind(*fd, (struct sockaddr *)&at, sizeof at) != 0 ||
             listen(*fd, 8) != 0) {
    return luaL_error(L, "no listener");
  }
  return 1;
}

static int narrow_port(lua_State *L) {
  struct sockaddr_in at;
  socklen_t n = sizeof at;
  if (getsockname(check_fd(L), (struct sockaddr *)&at, &n) != 0)
    return luaL_error(L, "no name");
  lua_pushinteger(L, ntohs(at.sin_port));
  return 1;
}

static int narrow_accept(lua_State *L) {
  int listener = check_fd(L), *fd = new_socket(L);
  *fd = accept(listener, NULL, NULL);
  if (*fd < 0) return failed(L);
  if (set_up(*fd) != 0) return luaL_error(L, "no socket");
  return 1;
}

static int narrow_recv(lua_State *L) {
  char room[512];
  size_t most = (size_t)luaL_checkinteger(L, 2);
  int fd = check_fd(L);
  ssize_t n = recv(fd, room, most < sizeof room ? most : sizeof room, 0);
  if (n < 0) return failed(L);
  lua_pushlstring(L, room, (size_t)n);
  return 1;
}

static int narrow_send(lua_State *L) {
  size_t size, from = (size_t)luaL_optinteger(L, 3, 1) - 1;
  const char *bytes = luaL_checklstring(L, 2, &size);
  ssize_t n = send(check_fd(L), bytes + from, size - from, MSG_NOSIGNAL);
  if (n < 0) return failed(L);
  lua_pushinteger(L, n);
  return 1;
}

/* How many bytes the system keeps for us before they are read. */
static int narrow_room(lua_State *L) {
  int room = 0;
  socklen_t n = sizeof room;
  getsockopt(check_fd(L), SOL_SOCKET, SO_RCVBUF, &room, &n);
  lua_pushinteger(L, room);
  return 1;
}

static int narrow_pollfd(lua_State *L) {
  lua_pushinteger(L, check_fd(L));
  return 1;
}

static int narrow_close(lua_State *L) {
  int *fd = luaL_checkudata(L, 1, NARROW);
  if (*fd >= 0) close(*fd);
  *fd = -1;
  return 0;
}

static int open_narrow(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"port", narrow_port},     {"accept", narrow_accept},
      {"recv", narrow_recv},     {"send", narrow_send},
      {"room", narrow_room},     {"pollfd", narrow_pollfd},
      {"close", narrow_close},   {"__gc", narrow_close},
      {"__close", narrow_close}, {NULL, NULL}};
  if (luaL_newmetatable(L, NARROW)) {
    luaL_setfuncs(L, methods, 0);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
  }
  lua_pop(L, 1);
  return narrow(L);
}

const luaL_Reg probe_narrow[] = {{"narrow", open_narrow}, {NULL, NULL}};
