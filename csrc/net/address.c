/* SPDX-License-Identifier: MIT */
/*
** address.c: numeric addresses by core/ip.h, which knows only the full forms,
** so that "127.1" or "0x7f.1" cannot pass for something that they are not; and
** their zones, which only the system knows.
*/
#include "feature.h"

#include "../core/ip.h"
#include "address.h"

#include <net/if.h>
#include <stdio.h>
#include <string.h>

/* Copies s and a terminator; false if it does not fit or holds a NUL. */
static bool copytext(char *to, size_t size, smtp_slice s) {
  if (s.n == 0 || s.n >= size || memchr(s.p, 0, s.n)) return false;
  memcpy(to, s.p, s.n);
  to[s.n] = 0;
  return true;
}

int smtp_address_parse(smtp_address *a, smtp_slice host, unsigned port) {
  const char *percent = memchr(host.p, '%', host.n);
  unsigned zone = 0;
  smtp_ip ip;
  memset(a, 0, sizeof *a);
  if (port > 65535) return SMTP_EINVALID;
  if (percent != NULL) {
    size_t n = (size_t)(percent - host.p);
    char name[IF_NAMESIZE];
    if (!copytext(name, sizeof name, (smtp_slice){percent + 1, host.n - n - 1}))
      return SMTP_EINVALID;
    if ((zone = if_nametoindex(name)) == 0) return SMTP_EINVALID;
    host.n = n;
  }
  if (smtp_ip_parse(&ip, host) != 0) return SMTP_EINVALID;
  if (ip.n == 4 && zone != 0) return SMTP_EINVALID;
  if (ip.n == 4) {
    a->u.in.sin_family = AF_INET;
    a->u.in.sin_port = htons((uint16_t)port);
    memcpy(&a->u.in.sin_addr, ip.bytes, 4);
    a->length = sizeof a->u.in;
  } else {
    a->u.in6.sin6_family = AF_INET6;
    a->u.in6.sin6_port = htons((uint16_t)port);
    a->u.in6.sin6_scope_id = zone;
    memcpy(&a->u.in6.sin6_addr, ip.bytes, 16);
    a->length = sizeof a->u.in6;
  }
  return 0;
}

int smtp_address_unix(smtp_address *a, smtp_slice path) {
  memset(a, 0, sizeof *a);
  if (path.n >= sizeof a->u.un.sun_path) return SMTP_ETOOBIG;
  if (!copytext(a->u.un.sun_path, sizeof a->u.un.sun_path, path))
    return SMTP_EINVALID;
  a->u.un.sun_family = AF_UNIX;
  a->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.n + 1);
  return 0;
}

static size_t formatunix(const smtp_address *a, char *text) {
  const char *path = a->u.un.sun_path;
  size_t head = offsetof(struct sockaddr_un, sun_path), n, i = 0;
  n = a->length > head ? a->length - head : 0;
  if (n > SMTP_ADDRESS_TEXT - 1) n = SMTP_ADDRESS_TEXT - 1;
  if (n > 0 && path[0] == 0) text[i++] = '@'; /* abstract: no terminator */
  for (; i < n && path[i]; i++) text[i] = path[i];
  text[i] = 0;
  return i;
}

size_t smtp_address_format(const smtp_address *a,
                           char text[SMTP_ADDRESS_TEXT]) {
  char name[IF_NAMESIZE];
  smtp_ip ip;
  size_t n;
  text[0] = 0;
  if (a->length == 0) return 0;
  switch (a->u.any.sa_family) {
  case AF_UNIX: return formatunix(a, text);
  case AF_INET:
    ip.n = 4;
    memcpy(ip.bytes, &a->u.in.sin_addr, 4);
    break;
  case AF_INET6:
    ip.n = 16;
    memcpy(ip.bytes, &a->u.in6.sin6_addr, 16);
    break;
  default: return 0;
  }
  n = smtp_ip_format(text, &ip);
  text[n] = 0;
  if (a->u.any.sa_family == AF_INET6 && a->u.in6.sin6_scope_id &&
      if_indextoname(a->u.in6.sin6_scope_id, name))
    n += (size_t)snprintf(text + n, SMTP_ADDRESS_TEXT - n, "%%%s", name);
  return n;
}

int smtp_address_port(const smtp_address *a) {
  if (a->length == 0) return -1;
  switch (a->u.any.sa_family) {
  case AF_INET: return ntohs(a->u.in.sin_port);
  case AF_INET6: return ntohs(a->u.in6.sin6_port);
  default: return -1;
  }
}

bool smtp_address_is_loopback(const smtp_address *a) {
  const uint8_t *b = a->u.in6.sin6_addr.s6_addr;
  if (a->length == 0) return false;
  switch (a->u.any.sa_family) {
  case AF_UNIX: return true;
  case AF_INET: return (ntohl(a->u.in.sin_addr.s_addr) >> 24) == 127;
  case AF_INET6:
    return IN6_IS_ADDR_LOOPBACK(&a->u.in6.sin6_addr) ||
           (IN6_IS_ADDR_V4MAPPED(&a->u.in6.sin6_addr) && b[12] == 127);
  default: return false;
  }
}
