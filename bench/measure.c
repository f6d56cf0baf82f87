/* SPDX-License-Identifier: MIT */
/*
 * bench/measure: runs a command and says what it cost.
 *
 *   measure RESULT COMMAND ARGUMENT...
 *
 * When the command has ended, the file RESULT gets one line, by rename:
 *
 *   user_seconds system_seconds wall_seconds peak_rss_kib status
 *
 * The times are those of the command and of children that it waited for.
 * SIGTERM is passed on. The wrapper is small so that the peak RSS, which
 * counts the child before exec too, is the command's own.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t child;

static void pass_on(int signal_number) {
  if (child > 0) kill((pid_t)child, signal_number);
}

static double seconds(struct timeval t) {
  return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int tell(const char *result, double wall, int status) {
  char temporary[4096];
  struct rusage usage;
  FILE *file;
  getrusage(RUSAGE_CHILDREN, &usage);
  snprintf(temporary, sizeof temporary, "%s.new", result);
  file = fopen(temporary, "w");
  if (!file) return -1;
  fprintf(file, "%.6f %.6f %.6f %ld %d\n", seconds(usage.ru_utime),
          seconds(usage.ru_stime), wall, usage.ru_maxrss, status);
  if (fclose(file)) return -1;
  return rename(temporary, result);
}

int main(int argc, char **argv) {
  struct sigaction action = {0};
  sigset_t term, before;
  double start;
  int status = 0;
  pid_t pid;
  if (argc < 3) return 2;
  action.sa_handler = pass_on;
  sigaction(SIGTERM, &action, NULL);
  /* SIGTERM waits until the child is known, so none is lost */
  sigemptyset(&term);
  sigaddset(&term, SIGTERM);
  sigprocmask(SIG_BLOCK, &term, &before);
  start = now();
  pid = fork();
  if (pid < 0) return 1;
  if (pid == 0) {
    signal(SIGTERM, SIG_DFL);
    sigprocmask(SIG_SETMASK, &before, NULL);
    execvp(argv[2], argv + 2);
    perror(argv[2]);
    _exit(127);
  }
  child = pid;
  sigprocmask(SIG_SETMASK, &before, NULL);
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  if (tell(argv[1], now() - start, status)) {
    perror(argv[1]);
    return 1;
  }
  return status;
}
