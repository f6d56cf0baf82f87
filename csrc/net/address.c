/* SPDX-License-Identifier: MIT */
/*
** address.c: numeric addresses by inet_pton, which knows only the full forms,
** so that "127.1" or "0x7f.1" cannot pass for something that they are not.
*/
#include "feature.h"

#include "address.h"

#include <arpa/inet.h>
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
  char text[INET6_ADDRSTRLEN + IF_NAMESIZE + 1];
  char *zone;
  memset(a, 0, sizeof *a);
  if (port > 65535 || !copytext(text, sizeof text, host)) return SMTP_EINVALID;
  if (inet_pton(AF_INET, text, &a->u.in.sin_addr) == 1) {
    a->u.in.sin_family = AF_INET;
    a->u.in.sin_port = htons((uint16_t)port);
    a->length = sizeof a->u.in;
    return 0;
  }
  memset(a, 0, sizeof *a); /* the members lie over each other */
  if ((zone = strchr(text, '%'))) {
    *zone++ = 0;
    if (!(a->u.in6.sin6_scope_id = if_nametoindex(zone))) return SMTP_EINVALID;
  }
  if (inet_pton(AF_INET6, text, &a->u.in6.sin6_addr) != 1) return SMTP_EINVALID;
  a->u.in6.sin6_family = AF_INET6;
  a->u.in6.sin6_port = htons((uint16_t)port);
  a->length = sizeof a->u.in6;
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
  size_t n;
  text[0] = 0;
  if (a->length == 0) return 0;
  switch (a->u.any.sa_family) {
  case AF_UNIX: return formatunix(a, text);
  case AF_INET:
    inet_ntop(AF_INET, &a->u.in.sin_addr, text, SMTP_ADDRESS_TEXT);
    break;
  case AF_INET6:
    inet_ntop(AF_INET6, &a->u.in6.sin6_addr, text, INET6_ADDRSTRLEN);
    break;
  default: return 0;
  }
  n = (size_t)((char *)memchr(text, 0, SMTP_ADDRESS_TEXT) - text);
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
