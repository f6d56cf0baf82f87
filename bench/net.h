/* SPDX-License-Identifier: MIT */
/*
 * bench/net.h: the few socket calls that the benchmark programs share.
 *
 * Loopback only: the address is always 127.0.0.1. Every function ends the
 * program with a message when the system says no; a benchmark that limps
 * on measures nothing.
 */
#ifndef BENCH_NET_H
#define BENCH_NET_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static inline void die(const char *what) {
  perror(what);
  exit(1);
}

static inline struct sockaddr_in loopback(unsigned port) {
  struct sockaddr_in address;
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_port = htons((unsigned short)port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

/* The port that fd is bound to. */
static inline unsigned bound_port(int fd) {
  struct sockaddr_in address;
  socklen_t size = sizeof address;
  if (getsockname(fd, (struct sockaddr *)&address, &size)) die("getsockname");
  return ntohs(address.sin_port);
}

/* Listens on a free port and writes its number to the file portfile, by
 * rename, so that whoever waits for the file never reads half of it. */
static inline int listen_and_tell(const char *portfile) {
  char temporary[4096];
  struct sockaddr_in address = loopback(0);
  FILE *file;
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0) die("socket");
  if (bind(fd, (struct sockaddr *)&address, sizeof address)) die("bind");
  if (listen(fd, 1024)) die("listen");
  snprintf(temporary, sizeof temporary, "%s.new", portfile);
  file = fopen(temporary, "w");
  if (!file) die(temporary);
  fprintf(file, "%u\n", bound_port(fd));
  if (fclose(file) || rename(temporary, portfile)) die(portfile);
  return fd;
}

static inline int connect_to(unsigned port) {
  struct sockaddr_in address = loopback(port);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0) die("socket");
  if (connect(fd, (struct sockaddr *)&address, sizeof address)) die("connect");
  return fd;
}

/* Writes all of it; on a blocking socket this is nearly always one call. */
static inline void send_all(int fd, const char *data, size_t size) {
  while (size > 0) {
    ssize_t n = send(fd, data, size, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) die("send");
    data += n;
    size -= (size_t)n;
  }
}

/* A number from the command line, at most limit. */
static inline unsigned long number(const char *text, unsigned long limit) {
  unsigned long value = 0;
  const char *c;
  for (c = text; *c >= '0' && *c <= '9' && value <= limit; c++)
    value = value * 10 + (unsigned long)(*c - '0');
  if (*c || c == text || value > limit) {
    fprintf(stderr, "not a number up to %lu: %s\n", limit, text);
    exit(2);
  }
  return value;
}

#endif
