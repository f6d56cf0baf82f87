/* SPDX-License-Identifier: MIT */
/*
** value.c: see value.h. The store is given its whole size at the start, so
** that slices of it stay where they are: nothing that is made of the text is
** longer than it, and parts are joined once.
*/
#include "value.h"

#include <string.h>

#include "../core/ascii.h"
#include "charset.h"
#include "decode.h"
#include "fields.h"

#define WHOLE (-1) /* section of a parameter that is not in parts */

/* A parameter as it is written, before its parts are joined. */
typedef struct piece {
  smtp_slice name; /* without its stars */
  smtp_slice value;
  int section;
  bool extended; /* the name ended with a star: percent forms */
  bool used;
} piece;

typedef struct reader {
  smtp_value *v;
  const char *p, *end;
  piece pieces[SMTP_VALUE_PARAMS];
  size_t count;
} reader;

void smtp_value_init(smtp_value *v, const smtp_mem *mem) {
  smtp_buf_init(&v->store, mem, 0);
  v->main = (smtp_slice){"", 0};
  v->count = 0;
}

void smtp_value_clear(smtp_value *v) {
  smtp_buf_clear(&v->store);
  v->count = 0;
}

static bool isspacing(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Behind the comment whose "(" is at p; end if it has no end. */
static const char *skipcomment(const char *p, const char *end) {
  size_t depth = 0;
  for (; p < end; p++) {
    if (*p == '\\' && p + 1 < end)
      p++;
    else if (*p == '(')
      depth++;
    else if (*p == ')' && --depth == 0)
      return p + 1;
  }
  return end;
}

static void skipblank(reader *r) {
  while (r->p < r->end) {
    if (*r->p == '(')
      r->p = skipcomment(r->p, r->end);
    else if (isspacing(*r->p))
      r->p++;
    else
      break;
  }
}

/* What was appended to the store since it was before long. */
static smtp_slice since(reader *r, size_t before) {
  smtp_slice all = smtp_buf_data(&r->v->store);
  smtp_slice s = {all.p + before, all.n - before};
  return s;
}

static int put(reader *r, char c) {
  return smtp_buf_append(&r->v->store, &c, 1);
}

/* A quoted string, r->p at its quote; folding in it is undone. */
static int readquoted(reader *r, smtp_slice *value) {
  size_t before = smtp_buf_length(&r->v->store);
  int result = 0;
  for (r->p++; r->p < r->end && *r->p != '"' && result == 0; r->p++) {
    if (*r->p == '\r' || *r->p == '\n') continue;
    if (*r->p == '\\' && r->p + 1 < r->end) r->p++;
    result = put(r, *r->p);
  }
  if (r->p < r->end) r->p++;
  *value = since(r, before);
  return result;
}

/* Whether only comments and white space are between p and the next ";". */
static bool closes(const char *p, const char *end) {
  while (p < end && (isspacing(*p) || *p == '('))
    p = *p == '(' ? skipcomment(p, end) : p + 1;
  return p == end || *p == ';';
}

/* Up to the next ";", without white space or comments at the end. A "(" that
** begins no last comment, as in "copy (2).pdf", belongs to the value. */
static int readbare(reader *r, smtp_slice *value) {
  smtp_slice text = {r->p, 0};
  size_t before = smtp_buf_length(&r->v->store), i;
  bool looked = false;
  int result = 0;
  while (r->p < r->end && *r->p != ';') {
    if (*r->p == '(' && !looked && (r->p == text.p || isspacing(r->p[-1]))) {
      looked = true; /* once a value, so that the time stays linear */
      if (closes(r->p, r->end)) break;
    }
    r->p++;
  }
  text.n = (size_t)(r->p - text.p);
  text = smtp_fields_trim(text);
  for (i = 0; i < text.n && result == 0; i++)
    if (text.p[i] != '\r' && text.p[i] != '\n') result = put(r, text.p[i]);
  *value = since(r, before);
  return result;
}

/* Takes the stars and the section off a name. */
static void splitname(piece *p) {
  smtp_slice name = p->name;
  const char *star;
  uint64_t section;
  smtp_slice digits;
  p->section = WHOLE;
  p->extended = name.n > 1 && name.p[name.n - 1] == '*';
  if (p->extended) name.n--;
  star = name.n > 0 ? memchr(name.p, '*', name.n) : NULL;
  if (star != NULL && star > name.p) {
    digits.p = star + 1;
    digits.n = (size_t)(name.p + name.n - digits.p);
    if (smtp_ascii_number(digits, &section) == 0 &&
        section < SMTP_VALUE_PARAMS) {
      p->section = (int)section;
      name.n = (size_t)(star - name.p);
    }
  }
  p->name = name;
}

static int readname(reader *r, smtp_slice *name) {
  size_t before = smtp_buf_length(&r->v->store);
  int result = 0;
  while (r->p < r->end && *r->p != '=' && *r->p != ';' && !isspacing(*r->p) &&
         *r->p != '(' && result == 0)
    result = put(r, (char)smtp_ascii_lower((unsigned char)*r->p++));
  *name = since(r, before);
  return result;
}

static int readparams(reader *r) {
  size_t seen = 0; /* those without a name too: each may look to the end */
  int result = 0;
  while (result == 0 && r->p < r->end && seen < SMTP_VALUE_PARAMS) {
    piece *p = &r->pieces[r->count];
    memset(p, 0, sizeof *p);
    skipblank(r);
    if (r->p < r->end && *r->p == ';') {
      r->p++;
      continue;
    }
    result = readname(r, &p->name);
    skipblank(r);
    if (result == 0 && r->p < r->end && *r->p == '=') {
      r->p++;
      seen++;
      skipblank(r);
      if (r->p < r->end && *r->p == '"')
        result = readquoted(r, &p->value);
      else
        result = readbare(r, &p->value);
      if (p->name.n > 0) {
        splitname(p);
        r->count++;
      }
    }
    if (r->p < r->end && *r->p != ';') { /* what is no parameter */
      const char *q = memchr(r->p, ';', (size_t)(r->end - r->p));
      r->p = q ? q : r->end;
    }
  }
  return result;
}

/* Takes charset'language' off the front of an extended value. */
static void splitcharset(smtp_slice *value, smtp_slice *charset) {
  const char *end = value->p + value->n, *first, *second;
  first = value->n > 0 ? memchr(value->p, '\'', value->n) : NULL;
  if (first == NULL) return;
  second = memchr(first + 1, '\'', (size_t)(end - first - 1));
  if (second == NULL) return;
  charset->p = value->p;
  charset->n = (size_t)(first - value->p);
  value->p = second + 1;
  value->n = (size_t)(end - value->p);
}

/* Joins the parts of a parameter of which the piece first is one. */
static int join(reader *r, size_t first) {
  smtp_slice name = r->pieces[first].name;
  size_t before = smtp_buf_length(&r->v->store), i;
  smtp_value_param *param = &r->v->params[r->v->count];
  int section, result = 0;
  param->charset = (smtp_slice){NULL, 0};
  for (section = 0; result == 0; section++) {
    piece *p = NULL;
    smtp_slice value;
    for (i = first; i < r->count && p == NULL; i++)
      if (r->pieces[i].section == section &&
          smtp_ascii_equal(r->pieces[i].name, name))
        p = &r->pieces[i];
    if (p == NULL) break;
    value = p->value;
    if (section == 0 && p->extended) {
      param->charset.p = "";
      splitcharset(&value, &param->charset);
    }
    result = p->extended ? smtp_decode_percent(&r->v->store, value)
                         : smtp_buf_append_slice(&r->v->store, value);
  }
  for (i = first; i < r->count; i++)
    if (r->pieces[i].section != WHOLE &&
        smtp_ascii_equal(r->pieces[i].name, name))
      r->pieces[i].used = true;
  param->name = name;
  param->value = since(r, before);
  if (section > 0) r->v->count++; /* else the part 0 is missing */
  return result;
}

static int whole(reader *r, const piece *p) {
  size_t before = smtp_buf_length(&r->v->store);
  smtp_value_param *param = &r->v->params[r->v->count++];
  smtp_slice value = p->value;
  int result = 0;
  param->name = p->name;
  param->charset = (smtp_slice){NULL, 0};
  if (p->extended) {
    param->charset.p = "";
    splitcharset(&value, &param->charset);
    result = smtp_decode_percent(&r->v->store, value);
    value = since(r, before);
  }
  param->value = value;
  return result;
}

int smtp_value_parse(smtp_value *v, smtp_slice text) {
  reader r;
  char *place;
  size_t i;
  int pass, result;
  v->store.cap = 2 * text.n + 1; /* as written, and joined */
  result = smtp_buf_reserve(&v->store, v->store.cap, &place);
  if (result != 0) return result;
  r.v = v;
  r.p = text.p;
  r.end = text.p + text.n;
  r.count = 0;
  skipblank(&r);
  while (r.p < r.end && *r.p != ';' && result == 0) {
    if (*r.p == '(')
      r.p = skipcomment(r.p, r.end);
    else if (isspacing(*r.p))
      r.p++;
    else
      result = put(&r, (char)smtp_ascii_lower((unsigned char)*r.p++));
  }
  v->main = since(&r, 0);
  if (result == 0) result = readparams(&r);
  for (pass = 0; pass < 2 && result == 0; pass++) { /* with a charset first */
    for (i = 0; i < r.count && result == 0; i++) {
      piece *p = &r.pieces[i];
      bool preferred = p->extended || p->section != WHOLE;
      if (p->used || preferred != (pass == 0)) continue;
      result = p->section == WHOLE ? whole(&r, p) : join(&r, i);
    }
  }
  return result;
}

const smtp_value_param *smtp_value_find(const smtp_value *v, smtp_slice name) {
  size_t i;
  for (i = 0; i < v->count; i++)
    if (smtp_ascii_equal(v->params[i].name, name)) return &v->params[i];
  return NULL;
}

int smtp_value_text(smtp_buf *out, const smtp_value_param *param) {
  if (param->charset.p == NULL) return smtp_decode_words(out, param->value);
  return smtp_charset_utf8(out, param->value, param->charset);
}
