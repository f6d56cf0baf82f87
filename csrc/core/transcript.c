/* SPDX-License-Identifier: MIT */
/* transcript.c: see transcript.h for what this promises. */
#include "transcript.h"

#include <string.h>

/* The text of the kept entries, unless the last one alone is longer. */
#define BYTES_MAX ((size_t)128 * 1024)

struct head {
  int code;
  size_t n;
};

void smtp_transcript_init(smtp_transcript *t, const smtp_mem *mem, bool all) {
  memset(t, 0, sizeof *t);
  smtp_buf_init(&t->log, mem, SIZE_MAX);
  t->all = all;
}

void smtp_transcript_clear(smtp_transcript *t) {
  smtp_buf_clear(&t->log);
  t->entries = t->unread = 0;
}

void smtp_transcript_move(smtp_transcript *to, smtp_transcript *from) {
  *to = *from;
  smtp_transcript_init(from, to->log.mem, to->all);
}

smtp_slice smtp_transcript_log(const smtp_transcript *t) {
  return smtp_buf_data(&t->log);
}

bool smtp_transcript_next(smtp_slice *rest, smtp_transcript_entry *entry) {
  struct head head;
  if (rest->n == 0) return false;
  memcpy(&head, rest->p, sizeof head);
  entry->code = head.code;
  entry->text = (smtp_slice){rest->p + sizeof head, head.n};
  rest->p += sizeof head + head.n;
  rest->n -= sizeof head + head.n;
  return true;
}

/* Drops the oldest entries that nobody has to read any more. */
static void drop_old(smtp_transcript *t) {
  smtp_transcript_entry entry;
  smtp_slice rest = smtp_transcript_log(t);
  while (t->entries > 1 && t->entries > t->unread &&
         (t->entries > SMTP_TRANSCRIPT_KEPT || rest.n > BYTES_MAX)) {
    smtp_transcript_next(&rest, &entry);
    t->entries--;
  }
  smtp_buf_consume(&t->log, smtp_buf_length(&t->log) - rest.n);
}

void smtp_transcript_add(smtp_transcript *t, int code, smtp_slice text,
                         smtp_slice more) {
  struct head head = {code, text.n + more.n};
  char *place;
  if (smtp_buf_reserve(&t->log, sizeof head + head.n, &place) != 0) return;
  memcpy(place, &head, sizeof head);
  memcpy(place + sizeof head, text.p, text.n);
  memcpy(place + sizeof head + text.n, more.p, more.n);
  smtp_buf_commit(&t->log, sizeof head + head.n);
  t->entries++;
  if (t->all) t->unread++;
  drop_old(t);
}

bool smtp_transcript_read(smtp_transcript *t, smtp_transcript_entry *entry) {
  smtp_slice rest = smtp_transcript_log(t);
  size_t i;
  if (t->unread == 0) return false;
  for (i = t->entries - t->unread; i > 0; i--)
    smtp_transcript_next(&rest, entry);
  t->unread--;
  return smtp_transcript_next(&rest, entry);
}
