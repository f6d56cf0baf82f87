/* SPDX-License-Identifier: MIT */
/* fields.c: see fields.h. */
#include "fields.h"

#include <string.h>

#include "../core/ascii.h"

static bool isspacing(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

smtp_slice smtp_fields_trim(smtp_slice text) {
  while (text.n > 0 && isspacing(text.p[text.n - 1])) text.n--;
  while (text.n > 0 && isspacing(*text.p)) {
    text.p++;
    text.n--;
  }
  return text;
}

smtp_slice smtp_fields_first(smtp_slice text) {
  const char *lf = text.n > 0 ? memchr(text.p, '\n', text.n) : NULL;
  if (lf != NULL) text.n = (size_t)(lf - text.p) + 1;
  return text;
}

/* The length of a name and its colon at the front of a line, or 0. */
static size_t colon(smtp_slice line, size_t *name) {
  size_t n = 0;
  while (n < line.n && line.p[n] > 32 && line.p[n] < 127 && line.p[n] != ':')
    n++;
  *name = n;
  while (n < line.n && (line.p[n] == ' ' || line.p[n] == '\t')) n++;
  return *name > 0 && n < line.n && line.p[n] == ':' ? n + 1 : 0;
}

enum line_kind {
  LINE_EMPTY,  /* the end of the header */
  LINE_FIELD,  /* name and colon */
  LINE_FOLDED, /* begins with white space */
  LINE_OTHER   /* no field */
};

/* A line of a header, with or without its line end. */
static enum line_kind kind_of(smtp_slice line) {
  size_t name;
  char c = line.n > 0 ? line.p[0] : '\n';
  if (c == '\n' || (c == '\r' && (line.n == 1 || line.p[1] == '\n')))
    return LINE_EMPTY;
  if (c == ' ' || c == '\t') return LINE_FOLDED;
  return colon(line, &name) > 0 ? LINE_FIELD : LINE_OTHER;
}

/* Whether a line is the "From " line that mailbox files have before a message. */
static bool is_mailbox(smtp_slice line) {
  if (line.n > 0 && *line.p == '>') {
    line.p++;
    line.n--;
  }
  return line.n > 5 && memcmp(line.p, "From ", 5) == 0;
}

/* The size of the byte order mark at the front: some programs put it there. */
static size_t mark(smtp_slice text) {
  return text.n >= 3 && memcmp(text.p, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}

static bool is_type(smtp_slice line) {
  smtp_slice name = {line.p, 0};
  return colon(line, &name.n) > 0 &&
         smtp_ascii_equal(name, SMTP_LIT("content-type"));
}

bool smtp_fields_scanned(smtp_fields_scan *scan, smtp_slice line, size_t at,
                         size_t *body) {
  bool first = !scan->begun;
  size_t skip = first ? mark(line) : 0;
  smtp_slice rest = {line.p + skip, line.n - skip};
  enum line_kind kind = kind_of(rest);
  scan->begun = true;
  if (kind == LINE_EMPTY) {
    *body = scan->field || !scan->stray ? at + line.n : scan->tail;
    return true;
  }
  if (kind == LINE_FIELD) {
    scan->field = true;
    scan->typed = scan->typed || is_type(rest);
    scan->stray = false;
    return false;
  }
  if (scan->field && kind == LINE_FOLDED) return false;
  if (first && is_mailbox(rest)) return false;
  if (!scan->stray) scan->tail = at;
  scan->stray = true;
  return false;
}

size_t smtp_fields_cut(const smtp_fields_scan *scan, size_t end) {
  return scan->stray ? scan->tail : end;
}

size_t smtp_fields_body(smtp_slice text) {
  smtp_fields_scan scan = {false, false, false, false, 0};
  size_t at = 0, body;
  while (at < text.n) {
    smtp_slice rest = {text.p + at, text.n - at};
    smtp_slice line = smtp_fields_first(rest);
    if (smtp_fields_scanned(&scan, line, at, &body)) return body;
    at += line.n;
  }
  return smtp_fields_cut(&scan, text.n);
}

int smtp_fields_next(smtp_slice header, size_t *at, smtp_field *field) {
  smtp_slice rest = {header.p + *at, header.n - *at};
  bool found = false;
  if (*at == 0) {
    size_t skip = mark(rest);
    rest.p += skip;
    rest.n -= skip;
  }
  while (rest.n > 0) {
    smtp_slice line = smtp_fields_first(rest);
    enum line_kind kind = kind_of(line);
    if (found && kind != LINE_FOLDED) break;
    if (kind == LINE_FIELD) {
      found = true;
      field->value.p = line.p + colon(line, &field->name.n);
      field->name.p = line.p;
    }
    rest.p += line.n;
    rest.n -= line.n;
  }
  *at = (size_t)(rest.p - header.p);
  if (!found) return 0;
  field->value.n = (size_t)(rest.p - field->value.p);
  if (field->value.n > 0 && field->value.p[field->value.n - 1] == '\n')
    field->value.n--;
  if (field->value.n > 0 && field->value.p[field->value.n - 1] == '\r')
    field->value.n--;
  return 1;
}

int smtp_fields_find(smtp_slice header, smtp_slice name, smtp_slice *value) {
  smtp_field field;
  size_t at = 0;
  while (smtp_fields_next(header, &at, &field) == 1) {
    if (smtp_ascii_equal(field.name, name)) {
      *value = field.value;
      return 1;
    }
  }
  return 0;
}
