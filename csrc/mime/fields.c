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

enum smtp_fields_kind smtp_fields_line(smtp_slice line) {
  size_t name;
  char c = line.n > 0 ? line.p[0] : '\n';
  if (c == '\n' || (c == '\r' && (line.n == 1 || line.p[1] == '\n')))
    return SMTP_LINE_EMPTY;
  if (c == ' ' || c == '\t') return SMTP_LINE_FOLDED;
  return colon(line, &name) > 0 ? SMTP_LINE_FIELD : SMTP_LINE_OTHER;
}

bool smtp_fields_mailbox(smtp_slice line) {
  if (line.n > 0 && *line.p == '>') {
    line.p++;
    line.n--;
  }
  return line.n > 5 && memcmp(line.p, "From ", 5) == 0;
}

int smtp_fields_next(smtp_slice text, size_t *at, smtp_field *field) {
  smtp_slice rest = {text.p + *at, text.n - *at};
  size_t skip = 0, begin;
  bool found = false;
  while (rest.n > 0) {
    smtp_slice line = smtp_fields_first(rest);
    enum smtp_fields_kind kind = smtp_fields_line(line);
    if (kind == SMTP_LINE_OTHER && *at == 0 && !found &&
        smtp_fields_mailbox(line))
      kind = SMTP_LINE_FOLDED; /* skipped */
    if (kind == SMTP_LINE_FIELD && !found) {
      found = true;
      skip = colon(line, &field->name.n);
      field->name.p = line.p;
      field->value.p = line.p + skip;
    } else if (kind == SMTP_LINE_EMPTY && !found) {
      *at = (size_t)(line.p - text.p) + line.n;
      return 0;
    } else if (kind != SMTP_LINE_FOLDED) {
      break;
    }
    rest.p += line.n;
    rest.n -= line.n;
  }
  *at = (size_t)(rest.p - text.p);
  if (!found) return 0;
  begin = (size_t)(field->value.p - text.p);
  field->value.n = *at - begin;
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
