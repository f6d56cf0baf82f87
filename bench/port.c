/* SPDX-License-Identifier: MIT */
/*
 * bench/port: for servers that cannot choose a port themselves.
 *
 *   port free          prints a port of 127.0.0.1 that is free now
 *   port wait PORT     waits, 5 s at most, until a connection is accepted
 */
#include "net.h"
#include <time.h>

static int print_free(void) {
  struct sockaddr_in address = loopback(0);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0) die("socket");
  if (bind(fd, (struct sockaddr *)&address, sizeof address)) die("bind");
  printf("%u\n", bound_port(fd));
  return 0;
}

static int wait_for(unsigned port) {
  const struct timespec pause = {0, 10000000};
  struct sockaddr_in address = loopback(port);
  int i;
  for (i = 0; i < 500; i++) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int failed;
    if (fd < 0) die("socket");
    failed = connect(fd, (struct sockaddr *)&address, sizeof address);
    close(fd);
    if (!failed) return 0;
    nanosleep(&pause, NULL);
  }
  fprintf(stderr, "port: nobody listens on %u\n", port);
  return 1;
}

int main(int argc, char **argv) {
  if (argc == 2 && argv[1][0] == 'f') return print_free();
  if (argc == 3 && argv[1][0] == 'w')
    return wait_for((unsigned)number(argv[2], 65535));
  return 2;
}
