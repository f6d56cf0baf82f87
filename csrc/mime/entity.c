/* SPDX-License-Identifier: MIT */
/*
** entity.c: see entity.h. The parts that are open lie on a stack, the first
** one below; a line that begins with "--" is compared with the boundaries on
** it, of which there are at most SMTP_ENTITY_DEPTH.
*/
#include "entity.h"

#include <string.h>

#include "../core/ascii.h"
#include "decode.h"
#include "fields.h"
#include "value.h"

enum state { HEADER, BODY, EPILOGUE };

typedef struct frame {
  size_t entity; /* index in the list */
  enum state state;
  smtp_fields_scan scan; /* of its header */
  bool looked;           /* for the boundary, in a header that is not whole */
  bool digest;
  size_t n; /* length of the boundary; 0 if there is none */
  char boundary[SMTP_BOUNDARY_MAX];
} frame;

typedef struct walker {
  smtp_entity *list;
  size_t max, count;
  smtp_slice text;
  const smtp_mem *mem;
  size_t open; /* frames in use */
  bool full;
  frame stack[SMTP_ENTITY_DEPTH + 1];
} walker;

static frame *top(walker *w) {
  return &w->stack[w->open - 1];
}

/* Begins an entity at an offset, in the one on the top. */
static void begin(walker *w, size_t at) {
  frame *f = &w->stack[w->open];
  smtp_entity *e = &w->list[w->count];
  memset(e, 0, sizeof *e);
  e->begin = e->body = e->end = at;
  if (w->open > 0) {
    e->parent = top(w)->entity;
    e->depth = (unsigned)w->open;
    e->digest = top(w)->digest;
  }
  f->entity = w->count++;
  f->state = HEADER;
  memset(&f->scan, 0, sizeof f->scan);
  f->looked = f->digest = false;
  f->n = 0;
  w->open++;
  if (w->count == w->max) {
    e->kind = SMTP_ENTITY_REST;
    f->state = BODY;
    w->full = true;
  }
}

/* Ends all entities above the lowest n; their last byte is before end. */
static void finish(walker *w, size_t n, size_t end) {
  while (w->open > n) {
    smtp_entity *e = &w->list[top(w)->entity];
    size_t last = end > e->begin ? end : e->begin;
    if (top(w)->state == HEADER)
      e->body = last;
    else if (last < e->body) /* the line end was that of the empty line */
      last = e->body;
    e->end = end = last; /* and what holds it ends no earlier */
    w->open--;
  }
}

/* Where the text before a boundary line ends: the line end is the line's. */
static size_t before(const walker *w, size_t at) {
  if (at > 0 && w->text.p[at - 1] == '\n') at--;
  if (at > 0 && w->text.p[at - 1] == '\r' && w->text.p[at] == '\n') at--;
  return at;
}

static bool isencoded(smtp_slice header) {
  smtp_slice value;
  size_t n = 0;
  if (!smtp_fields_find(header, SMTP_LIT("content-transfer-encoding"), &value))
    return false;
  value = smtp_fields_trim(value);
  while (n < value.n &&
         (value.p[n] == '-' ||
          smtp_ascii_is((unsigned char)value.p[n], SMTP_ALPHA | SMTP_DIGIT)))
    n++;
  value.n = n;
  return smtp_decode_changes(value);
}

static bool ismultipart(const smtp_value *type) {
  return smtp_ascii_begins(type->main, SMTP_LIT("multipart/"));
}

/* Keeps the boundary of a multipart; false if there is none, or a long one. */
static bool keepboundary(frame *f, const smtp_value *type, bool *is_long) {
  const smtp_value_param *boundary =
      smtp_value_find(type, SMTP_LIT("boundary"));
  size_t n = boundary == NULL ? 0 : boundary->value.n;
  *is_long = n > SMTP_BOUNDARY_MAX;
  if (n == 0 || *is_long) return false;
  memcpy(f->boundary, boundary->value.p, n);
  while (n > 1 && f->boundary[n - 1] == ' ') n--;
  f->n = n;
  return true;
}

/* Tells by its Content-Type what the entity on the top is, whose header is
** whole, and so how its body is read. */
static void classify(walker *w, const smtp_value *type, smtp_slice header) {
  frame *f = top(w);
  smtp_entity *e = &w->list[f->entity];
  bool is_deep = w->open > SMTP_ENTITY_DEPTH, is_long;
  f->n = 0;
  if (ismultipart(type)) {
    bool is_kept = keepboundary(f, type, &is_long);
    if (is_long)
      e->limit = SMTP_LIMIT_BOUNDARY;
    else if (is_kept && is_deep)
      e->limit = SMTP_LIMIT_DEPTH;
    if (!is_kept || is_deep) {
      f->n = 0;
      return;
    }
    f->digest = smtp_ascii_equal(type->main, SMTP_LIT("multipart/digest"));
    e->kind = SMTP_ENTITY_MULTIPART;
  } else if (smtp_ascii_equal(type->main, SMTP_LIT("message/rfc822")) ||
             smtp_ascii_equal(type->main, SMTP_LIT("message/global")) ||
             (type->main.n == 0 && e->digest)) {
    if (isencoded(header)) return;
    if (is_deep) {
      e->limit = SMTP_LIMIT_DEPTH;
      return;
    }
    e->kind = SMTP_ENTITY_MESSAGE;
    begin(w, e->body);
  }
}

/* The header of the entity on the top as far as an offset, and its type, which is
** cleared by the caller. */
static int readtype(walker *w, size_t at, smtp_slice *header,
                    smtp_value *type) {
  smtp_entity *e = &w->list[top(w)->entity];
  smtp_slice text;
  header->p = w->text.p + e->begin;
  header->n = at - e->begin;
  smtp_value_init(type, w->mem);
  if (!smtp_fields_find(*header, SMTP_LIT("content-type"), &text)) return 0;
  return smtp_value_parse(type, text);
}

/* The header of the entity on the top ended, and its body is at an offset. */
static int endheader(walker *w, size_t at) {
  smtp_slice header;
  smtp_value type;
  int result = readtype(w, at, &header, &type);
  w->list[top(w)->entity].body = at;
  top(w)->state = BODY;
  if (result == 0) classify(w, &type, header);
  smtp_value_clear(&type);
  return result;
}

/* Whether line is the boundary of f; 2 if it is the final one. */
static int matches(const frame *f, smtp_slice line) {
  size_t at = f->n + 2;
  int result = 1;
  if (f->n == 0 || line.n < at) return 0;
  if (memcmp(line.p + 2, f->boundary, f->n) != 0) return 0;
  if (line.n >= at + 2 && line.p[at] == '-' && line.p[at + 1] == '-') {
    at += 2;
    result = 2;
  }
  while (at < line.n && (line.p[at] == ' ' || line.p[at] == '\t')) at++;
  if (at < line.n && line.p[at] == '\r') at++;
  return at == line.n || line.p[at] == '\n' ? result : 0;
}

static int isboundary(const frame *f, smtp_slice line) {
  return f->state == BODY ? matches(f, line) : 0;
}

/* Whether the line at an offset, which begins with "--", is the boundary of the
** entity on the top, in whose header the empty line is missing: 1, 0, or an
** error. */
static int isown(walker *w, smtp_slice line, size_t at) {
  frame *f = top(w);
  if (!f->scan.typed) return 0;
  if (!f->looked) {
    smtp_slice header;
    smtp_value type;
    bool is_long;
    int result = readtype(w, at, &header, &type);
    if (result == 0 && ismultipart(&type)) keepboundary(f, &type, &is_long);
    smtp_value_clear(&type);
    if (result != 0) return result;
    f->looked = true;
  }
  return matches(f, line) != 0;
}

/* If the header on the top has no empty line, and its last lines are no fields,
** they are its body: true, and *at is where the walk goes on. */
static int cutheader(walker *w, size_t *at) {
  frame *f = top(w);
  size_t body = smtp_fields_cut(&f->scan, *at);
  if (f->state != HEADER || body == *at) return 0;
  return endheader(w, *at = body) == 0 ? 1 : SMTP_ENOMEM;
}

/* 1 if the line at *at is a boundary: begins or ends its part, and moves *at
** after the line. Else 0, or an error. */
static int atboundary(walker *w, smtp_slice line, size_t *at) {
  size_t i;
  for (i = w->open; i > 0; i--) {
    int cut, found = isboundary(&w->stack[i - 1], line);
    if (found == 0) continue;
    cut = cutheader(w, at);
    if (cut != 0) return cut;
    finish(w, i, before(w, *at));
    *at += line.n;
    if (found == 2)
      top(w)->state = EPILOGUE;
    else
      begin(w, *at);
    return 1;
  }
  return 0;
}

/* Takes the line at *at; *at is where the next one is. */
static int takeline(walker *w, size_t *at) {
  smtp_slice rest = {w->text.p + *at, w->text.n - *at};
  smtp_slice line = smtp_fields_first(rest);
  frame *f = top(w);
  bool dashed = line.n > 2 && line.p[0] == '-' && line.p[1] == '-';
  if (dashed) {
    int found = atboundary(w, line, at);
    if (found != 0) return found < 0 ? found : 0;
  }
  if (f->state == HEADER) {
    size_t body;
    int own = dashed ? isown(w, line, *at) : 0;
    if (own < 0) return own;
    if (own == 1) body = smtp_fields_cut(&f->scan, *at);
    if (own == 1 || smtp_fields_scanned(&f->scan, line, *at, &body))
      return endheader(w, *at = body);
  }
  *at += line.n;
  return 0;
}

int smtp_entity_walk(smtp_entity *list, size_t max, smtp_slice text,
                     const smtp_mem *mem) {
  walker w;
  size_t at = 0;
  int result = 0;
  w.list = list;
  w.max = max;
  w.count = w.open = 0;
  w.text = text;
  w.mem = mem;
  w.full = false;
  begin(&w, 0);
  while (result == 0 && !w.full) {
    if (at < text.n) {
      result = takeline(&w, &at);
    } else {
      int cut = cutheader(&w, &at);
      if (cut <= 0) {
        result = cut;
        break;
      }
    }
  }
  if (result == 0 && !w.full && top(&w)->state == HEADER) {
    /* a header without a body: its type still counts */
    result = endheader(&w, text.n);
  }
  finish(&w, 0, text.n);
  return result == 0 ? (int)w.count : result;
}
