/* SPDX-License-Identifier: MIT */
/*
** transcript.h: the last lines of a dialogue, for errors and for people. Each
** entry is a command, or a reply with all its lines. Old entries are dropped, so
** the memory is bounded; under `all` an entry stays until it was read, for
** somebody who reads along. Where there is no memory an entry is lost.
*/
#ifndef SMTP_TRANSCRIPT_H
#define SMTP_TRANSCRIPT_H

#include <stdbool.h>

#include "buf.h"
#include "smtp.h"

#define SMTP_TRANSCRIPT_KEPT 32 /* entries */

typedef struct smtp_transcript {
  smtp_buf log;
  size_t entries; /* in log */
  size_t unread;  /* of them, at the end, under `all` */
  bool all;
} smtp_transcript;

typedef struct smtp_transcript_entry {
  int code;        /* of a reply; 0: a command */
  smtp_slice text; /* without CRLF; the lines of a reply are joined by LF */
} smtp_transcript_entry;

SMTP_FUNC void smtp_transcript_init(smtp_transcript *t, const smtp_mem *mem,
                                    bool all);
SMTP_FUNC void smtp_transcript_clear(smtp_transcript *t);

/* Gives the entries of a transcript to one that has none. */
SMTP_FUNC void smtp_transcript_move(smtp_transcript *to, smtp_transcript *from);

/* Notes a command, or a reply; the two parts of the text are joined. */
SMTP_FUNC void smtp_transcript_add(smtp_transcript *t, int code,
                                   smtp_slice text, smtp_slice more);

/* Gives the entry at *rest, which is all of smtp_transcript_log at first, and
** goes on; false at the end. */
SMTP_FUNC smtp_slice smtp_transcript_log(const smtp_transcript *t);
SMTP_FUNC bool smtp_transcript_next(smtp_slice *rest,
                                    smtp_transcript_entry *entry);

/* The next entry that was not read, under `all`; false: there is none.
** Borrowed until the next call on t. */
SMTP_FUNC bool smtp_transcript_read(smtp_transcript *t,
                                    smtp_transcript_entry *entry);

#endif
