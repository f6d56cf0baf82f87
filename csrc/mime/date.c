/* SPDX-License-Identifier: MIT */
/*
** date.c: see date.h. Years are counted from March, so that a leap day is the
** last day of its year. 400 years have 146097 days.
*/
#include "date.h"

#include <string.h>

static char *put(char *to, const char *from, size_t n) {
  memcpy(to, from, n);
  return to + n;
}

/* A number in n digits, and the byte behind it. */
static char *put_digits(char *to, unsigned number, size_t n, char behind) {
  size_t i;
  for (i = n; i-- > 0; number /= 10) to[i] = (char)('0' + number % 10);
  to[n] = behind;
  return to + n + 1;
}

size_t smtp_date_format(char *to, int64_t seconds) {
  static const char weekdays[] = "Thu, Fri, Sat, Sun, Mon, Tue, Wed, ";
  static const char months[] =
      "Mar Apr May Jun Jul Aug Sep Oct Nov Dec Jan Feb ";
  unsigned days = (unsigned)(seconds / 86400),
           clock = (unsigned)(seconds % 86400);
  unsigned day = days + 719468; /* from 0000-03-01 */
  unsigned era = day / 146097, of_era = day % 146097;
  unsigned year =
      (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
  unsigned of_year = of_era - (365 * year + year / 4 - year / 100);
  unsigned month = (5 * of_year + 2) / 153; /* from March */
  unsigned of_month = of_year - (153 * month + 2) / 5 + 1;
  char *p = put(to, weekdays + 5 * (days % 7), 5);
  year += 400 * era + (month >= 10);
  p = put_digits(p, of_month, of_month < 10 ? 1 : 2, ' ');
  p = put(p, months + 4 * month, 4);
  p = put_digits(p, year, 4, ' ');
  p = put_digits(p, clock / 3600, 2, ':');
  p = put_digits(p, clock / 60 % 60, 2, ':');
  p = put_digits(p, clock % 60, 2, ' ');
  return (size_t)(put(p, "+0000", 5) - to);
}
