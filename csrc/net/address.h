/* SPDX-License-Identifier: MIT */
/*
** address.h: the address of a socket: IPv4, IPv6 or a unix path, made from
** numeric text or by the system, and written back as text. Names are never
** looked up here (resolve.h does that).
*/
#ifndef SMTP_NET_ADDRESS_H
#define SMTP_NET_ADDRESS_H

#include "../core/smtp.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

/* A length of 0: no address. */
typedef struct smtp_address {
  union {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    struct sockaddr_un un;
    struct sockaddr_storage store;
  } u;
  socklen_t length;
} smtp_address;

/* Room for the text of any address, terminator included. */
#define SMTP_ADDRESS_TEXT 128

/*
** "192.0.2.1", "2001:db8::1" or "fe80::1%eth0", without brackets, and a port
** up to 65535. SMTP_EINVALID for anything else: there are no short, octal or
** hexadecimal forms of IPv4.
*/
SMTP_FUNC int smtp_address_parse(smtp_address *a, smtp_slice host,
                                 unsigned port);

/* SMTP_EINVALID: empty or with NUL; SMTP_ETOOBIG: longer than sun_path. */
SMTP_FUNC int smtp_address_unix(smtp_address *a, smtp_slice path);

/*
** Writes the host or the path with its terminator and gives the length. The
** name of an abstract unix socket begins with "@"; without a name it is "".
*/
SMTP_FUNC size_t smtp_address_format(const smtp_address *a,
                                     char text[SMTP_ADDRESS_TEXT]);

/* The port, or -1 where there is none. */
SMTP_FUNC int smtp_address_port(const smtp_address *a);

/* On this machine: 127.0.0.0/8, ::1, ::ffff:127.0.0.0/104, any unix socket. */
SMTP_FUNC bool smtp_address_is_loopback(const smtp_address *a);

#endif
