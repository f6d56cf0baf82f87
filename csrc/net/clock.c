/* SPDX-License-Identifier: MIT */
/*
** clock.c: CLOCK_MONOTONIC as a double. A double holds a century of
** nanoseconds to better than a microsecond, which is all that time-outs need.
*/
#include "feature.h"

#include "clock.h"

#include <limits.h>
#include <time.h>

double smtp_clock_now(void) {
  struct timespec t = {0, 0};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Rounded up, or a wait would end before its time and be called in a spin. */
int smtp_clock_milliseconds(double seconds) {
  double ms = seconds * 1000.0;
  int whole;
  if (ms < 0) return -1;
  if (!(ms < (double)(INT_MAX - 1))) return INT_MAX;
  whole = (int)ms;
  return (double)whole < ms ? whole + 1 : whole;
}
