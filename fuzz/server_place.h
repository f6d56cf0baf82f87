/* SPDX-License-Identifier: MIT */
/*
** server_place.h: the model of a session that fuzz/server.c has, and where it
** meets the machine's table.
*/
#ifndef SMTP_FUZZ_SERVER_PLACE_H
#define SMTP_FUZZ_SERVER_PLACE_H

#include "../csrc/core/server_table.h"

#include <stdbool.h>
#include <stddef.h>

/* Where a session stands, as its events tell. */
enum place { NEW, REFUSED, START, READY, MAIL, RCPT, BODY, OVER };

/* The states of the machine in which a session may be at each place. What it
** has in mind and has not told yet: TLS, a refused chunk, an exchange. */
static const unsigned states[] = {
    [NEW] = ST_CONNECT,
    [REFUSED] = ST_REFUSED | ST_SKIP,
    [START] = ST_START | ST_SKIP | ST_TLS,
    [READY] = ST_READY | ST_SKIP | ST_TLS | ST_AUTH,
    [MAIL] = ST_MAIL,
    [RCPT] = ST_RCPT,
    [BODY] = ST_BODY | ST_CHUNK | ST_CHUNKS,
    [OVER] = ST_CLOSED,
};

/* Whether a row of the machine's table leads from one place to another. */
static inline bool leads(enum place from, enum place to) {
  static const struct {
    unsigned from, to;
  } rows[] = {
#define ROW(event, from, to) {from, to},
      SMTP_SERVER_MOVES(ROW)
#undef ROW
  };
  size_t i;
  for (i = 0; i < sizeof rows / sizeof *rows; i++)
    if ((rows[i].from & states[from]) != 0 && (rows[i].to & states[to]) != 0)
      return true;
  return false;
}

#endif
