/* SPDX-License-Identifier: MIT */
/*
** socket.h: stream sockets (TCP and unix) as plain descriptors. All are
** non-blocking and close-on-exec, TCP ones have TCP_NODELAY; a write to a dead
** peer is an error, never SIGPIPE; EINTR is never seen by the caller.
**
** Results: 0 or positive; SMTP_EBUSY: it would block, wait for the descriptor;
** SMTP_ESYSTEM: errno tells. A call that fails leaves the descriptor open.
**
** After a fork both processes have the same sockets: closing one sends nothing
** while the other still has it, but shutdown and abort act for both.
*/
#ifndef SMTP_NET_SOCKET_H
#define SMTP_NET_SOCKET_H

#include "address.h"

#include <stdbool.h>
#include <sys/types.h>

/* Flags of smtp_socket_listen. */
#define SMTP_LISTEN_REUSEPORT 1u /* several listeners share the port */
#define SMTP_LISTEN_V6ONLY 2u    /* "::" leaves IPv4 to another listener */

/*
** A new listening descriptor. At a unix path, a socket file that no server
** answers at is replaced; a live server or any other file is EADDRINUSE.
** (A server between its bind and its listen looks dead for that moment.)
** The socket file stays when the descriptor is closed.
*/
SMTP_FUNC int smtp_socket_listen(const smtp_address *a, int backlog,
                                 unsigned flags);

/*
** Adopts a foreign descriptor: 0 and whether it listens; ENOTSOCK, EINVAL or
** ENOTCONN if it is not a listening or connected stream socket.
*/
SMTP_FUNC int smtp_socket_adopt(int fd, bool *listening);

/*
** The next connection and its peer. A connection that died while it waited is
** SMTP_EBUSY. EMFILE, ENFILE, ENOBUFS and ENOMEM are SMTP_ESYSTEM: the
** connection still waits and the descriptor stays readable, so the caller
** must pause before it asks again.
*/
SMTP_FUNC int smtp_socket_accept(int fd, smtp_address *peer);

/*
** A descriptor that connects to a, from the address local (its port may be 0)
** if that is not NULL. It becomes writable when smtp_socket_finish has news.
** A unix socket whose server's queue is full is EAGAIN.
*/
SMTP_FUNC int smtp_socket_connect(const smtp_address *a,
                                  const smtp_address *local);

/* 1 if connected, 0 if not yet; a failure is reported once. */
SMTP_FUNC int smtp_socket_finish(int fd);

/* At most n (not 0) bytes; 0 is the end of the stream. */
SMTP_FUNC ssize_t smtp_socket_recv(int fd, char *p, size_t n);

/* Receives bytes without taking them. */
SMTP_FUNC ssize_t smtp_socket_peek(int fd, char *p, size_t n);

/* How many bytes the system took, which may be fewer than n. */
SMTP_FUNC ssize_t smtp_socket_send(int fd, const char *p, size_t n);

/* Sends the end of the stream; receiving goes on. */
SMTP_FUNC int smtp_socket_shutdown(int fd);

/* Asks for an acknowledgement at once of what was received (Linux only). */
SMTP_FUNC void smtp_socket_quickack(int fd);

/* Own and peer's address. */
SMTP_FUNC int smtp_socket_name(int fd, smtp_address *a);
SMTP_FUNC int smtp_socket_peer(int fd, smtp_address *a);

/* Never block. The second drops what was not sent: on TCP, a reset. */
SMTP_FUNC void smtp_socket_close(int fd);
SMTP_FUNC void smtp_socket_abort(int fd);

#endif
