/* SPDX-License-Identifier: MIT */
/* plan.c: a queue of ranges; see plan.h. */
#include "plan.h"

#include <stdlib.h>
#include <string.h>

#include "text.h"

struct smtp_plan_item {
  smtp_plan_item *next;
  uint64_t from, to; /* of the machine's bytes */
  smtp_slice text;   /* in their place, owned; p NULL: they themselves */
  size_t done;       /* bytes of the range, or of text, that are written */
  smtp_mock_pace pace;
  size_t left; /* of the piece at hand; 0: none was begun */
  double due;  /* of the next piece */
};

void smtp_plan_init(smtp_plan *p, smtp_server *machine) {
  *p = (smtp_plan){.machine = machine};
}

void smtp_plan_clear(smtp_plan *p) {
  while (p->first != NULL) {
    smtp_plan_item *item = p->first;
    p->first = item->next;
    smtp_text_clear(&item->text);
    free(item);
  }
  p->last = NULL;
}

uint64_t smtp_plan_end(const smtp_plan *p) {
  return p->sent + smtp_server_queued(p->machine).n;
}

static size_t length(const smtp_plan_item *item) {
  return item->text.p != NULL ? item->text.n : (size_t)(item->to - item->from);
}

/* Ranges that are at their end, empty ones too, are left behind. */
static void settle(smtp_plan *p) {
  while (p->first != NULL && p->sent >= p->first->from &&
         p->first->done == length(p->first)) {
    smtp_plan_item *item = p->first;
    if (item->text.p != NULL) {
      smtp_server_sent(p->machine, (size_t)(item->to - p->sent));
      p->sent = item->to;
      smtp_text_clear(&item->text);
    }
    p->first = item->next;
    if (p->first == NULL) p->last = NULL;
    free(item);
  }
}

int smtp_plan_add(smtp_plan *p, uint64_t from, smtp_slice text,
                  smtp_mock_pace pace) {
  smtp_plan_item *item = calloc(1, sizeof *item);
  if (item == NULL) return SMTP_ENOMEM;
  if (text.p != NULL && smtp_text_set(&item->text, text) != 0) {
    free(item);
    return SMTP_ENOMEM;
  }
  item->from = from;
  item->to = smtp_plan_end(p);
  item->pace = pace;
  if (p->last != NULL)
    p->last->next = item;
  else
    p->first = item;
  p->last = item;
  settle(p); /* it may be of no bytes at all */
  return 0;
}

smtp_slice smtp_plan_peek(const smtp_plan *p, double now) {
  smtp_slice out = smtp_server_peek(p->machine);
  const smtp_plan_item *item = p->first;
  size_t n;
  if (item == NULL) return out;
  if (p->sent < item->from) { /* the range is still to come */
    if (out.n > item->from - p->sent) out.n = (size_t)(item->from - p->sent);
    return out;
  }
  if (item->left == 0 && now < item->due) return (smtp_slice){"", 0};
  if (item->text.p != NULL && item->done == 0 && out.n < item->to - p->sent)
    return (smtp_slice){"", 0}; /* what it stands for is held back */
  n = length(item) - item->done;
  if (item->left > 0 && item->left < n)
    n = item->left;
  else if (item->left == 0 && item->pace.size > 0 && item->pace.size < n)
    n = item->pace.size;
  if (item->text.p != NULL)
    out.p = item->text.p + item->done;
  else if (out.n < n)
    n = out.n; /* the machine holds it back */
  out.n = n;
  return out;
}

/* The piece at hand went on by n bytes. */
static void advance(smtp_plan_item *item, size_t n, double now) {
  if (item->left == 0) {
    item->left = item->pace.size;
    if (item->left > length(item) - item->done || item->left == 0)
      item->left = length(item) - item->done;
  }
  item->done += n;
  item->left -= n;
  if (item->left > 0) return;
  item->due = now + item->pace.seconds;
  if (item->pace.once) item->pace.size = 0;
}

void smtp_plan_sent(smtp_plan *p, size_t n, double now) {
  smtp_plan_item *item = p->first;
  if (item == NULL || p->sent < item->from) {
    smtp_server_sent(p->machine, n);
    p->sent += n;
  } else {
    advance(item, n, now);
    if (item->text.p == NULL) {
      smtp_server_sent(p->machine, n);
      p->sent += n;
    }
  }
  settle(p);
}

double smtp_plan_due(const smtp_plan *p) {
  const smtp_plan_item *item = p->first;
  if (item == NULL || p->sent < item->from || item->left > 0) return -1;
  return item->due > 0 ? item->due : -1;
}

bool smtp_plan_done(const smtp_plan *p) {
  return p->first == NULL && smtp_server_queued(p->machine).n == 0;
}
