/* SPDX-License-Identifier: MIT */
/*
** value.c: see value.h. The store is given its whole size at the start:
** nothing that is made of the text is longer than it, and parts are joined
** once. So slices of the store stay where they are, and no append to it fails.
*/
#include "value.h"

#include <string.h>

#include "../core/ascii.h"
#include "charset.h"
#include "decode.h"
#include "fields.h"

#define WHOLE (-1)       /* section of a parameter that is not in parts */
#define SECTIONS 1000000 /* a larger number is none */

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
  piece last; /* beyond those; section WHOLE if there is none */
} reader;

void smtp_value_init(smtp_value *v, const smtp_mem *mem) {
  smtp_buf_init(&v->store, mem, 0);
  v->main = (smtp_slice){"", 0};
  v->count = 0;
  v->truncated = false;
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

/* The bytes that were appended to the store since its length was before. */
static smtp_slice since(reader *r, size_t before) {
  smtp_slice all = smtp_buf_data(&r->v->store);
  smtp_slice s = {all.p + before, all.n - before};
  return s;
}

static void put(reader *r, char c) {
  smtp_buf_append(&r->v->store, &c, 1);
}

/* A quoted string, r->p at its quote; folding in it is undone. */
static void readquoted(reader *r, smtp_slice *value) {
  size_t before = smtp_buf_length(&r->v->store);
  for (r->p++; r->p < r->end && *r->p != '"'; r->p++) {
    if (*r->p == '\r' || *r->p == '\n') continue;
    if (*r->p == '\\' && r->p + 1 < r->end) r->p++;
    put(r, *r->p);
  }
  if (r->p < r->end) r->p++;
  *value = since(r, before);
}

/* Whether only comments and white space are between p and the next ";". */
static bool closes(const char *p, const char *end) {
  while (p < end && (isspacing(*p) || *p == '('))
    p = *p == '(' ? skipcomment(p, end) : p + 1;
  return p == end || *p == ';';
}

/* The length of the name at p if "=" follows it, else 0. */
static size_t named(const char *p, const char *end) {
  const char *q = p;
  while (q < end && *q != '=' && *q != ';' && *q != '"' && *q != '(' &&
         !isspacing(*q))
    q++;
  return q < end && *q == '=' ? (size_t)(q - p) : 0;
}

/* Whether a parameter of a common name begins at p. */
static bool iscommon(const char *p, const char *end) {
  static const smtp_slice common[] = {
      {"charset", 7}, {"boundary", 8}, {"name", 4},        {"filename", 8},
      {"format", 6},  {"delsp", 5},    {"report-type", 11}};
  smtp_slice name = {p, named(p, end < p + 16 ? end : p + 16)};
  size_t i;
  const char *star = name.n > 0 ? memchr(p, '*', name.n) : NULL;
  if (star != NULL) name.n = (size_t)(star - p);
  for (i = 0; i < sizeof common / sizeof *common; i++)
    if (smtp_ascii_equal(name, common[i])) return true;
  return false;
}

/* Up to the next ";", without white space or comments at the end. A "(" that
** begins no last comment, as in "copy (2).pdf", belongs to the value. */
static void readbare(reader *r, smtp_slice *value) {
  smtp_slice text = {r->p, 0};
  size_t before = smtp_buf_length(&r->v->store), i;
  bool looked = r->v->truncated;
  while (r->p < r->end && *r->p != ';') {
    if (r->p > text.p && isspacing(r->p[-1]) && iscommon(r->p, r->end)) break;
    if (*r->p == '(' && !looked && (r->p == text.p || isspacing(r->p[-1]))) {
      looked = true; /* once a value, so that the time stays linear */
      if (closes(r->p, r->end)) break;
    }
    r->p++;
  }
  text.n = (size_t)(r->p - text.p);
  text = smtp_fields_trim(text);
  for (i = 0; i < text.n; i++)
    if (text.p[i] != '\r' && text.p[i] != '\n') put(r, text.p[i]);
  *value = since(r, before);
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
  star = memchr(name.p, '*', name.n);
  if (star != NULL && star > name.p) {
    digits.p = star + 1;
    digits.n = (size_t)(name.p + name.n - digits.p);
    if (smtp_ascii_number(digits, &section) == 0 && section < SECTIONS) {
      p->section = (int)section;
      name.n = (size_t)(star - name.p);
    }
  }
  p->name = name;
}

static void readname(reader *r, smtp_slice *name) {
  size_t before = smtp_buf_length(&r->v->store);
  while (r->p < r->end && *r->p != '=' && *r->p != ';' && !isspacing(*r->p) &&
         *r->p != '(')
    put(r, (char)smtp_ascii_lower((unsigned char)*r->p++));
  *name = since(r, before);
}

/* Reads the value of a parameter after its "=", up to the next parameter. */
static void readvalue(reader *r, smtp_slice *value) {
  const char *q;
  skipblank(r);
  if (r->p == r->end || *r->p != '"') {
    readbare(r, value);
    if (r->p < r->end && *r->p == '(') skipblank(r);
    return;
  }
  readquoted(r, value);
  for (q = r->p; q < r->end && isspacing(*q);) q++;
  if (q > r->p && named(q, r->end) > 0) return; /* without a ";" */
  q = memchr(r->p, ';', (size_t)(r->end - r->p));
  r->p = q ? q : r->end;
}

/* Keeps a parameter that was read, unless there are too many. */
static void keep(reader *r, piece *p) {
  if (p->name.n == 0) return;
  splitname(p);
  if (r->count < SMTP_VALUE_PARAMS && !r->v->truncated) {
    r->pieces[r->count++] = *p;
  } else if (r->count > 0 && p->section != WHOLE &&
             r->pieces[r->count - 1].section != WHOLE &&
             smtp_ascii_equal(p->name, r->pieces[r->count - 1].name) &&
             p->section > r->last.section) {
    r->last = *p;
  }
}

static void readparams(reader *r) {
  size_t seen = 0; /* those without a name too: each may look to the end */
  while (r->p < r->end) {
    piece p;
    memset(&p, 0, sizeof p);
    skipblank(r);
    if (r->p < r->end && (*r->p == ';' || *r->p == ',')) {
      r->p++;
      continue;
    }
    readname(r, &p.name);
    skipblank(r);
    if (r->p < r->end && *r->p == '=') {
      r->p++;
      if (seen++ == SMTP_VALUE_PARAMS) r->v->truncated = true;
      readvalue(r, &p.value);
      keep(r, &p);
    } else if (r->p < r->end) { /* text outside a parameter */
      const char *q = memchr(r->p, ';', (size_t)(r->end - r->p));
      r->p = q ? q : r->end;
    }
  }
}

/* Takes charset'language' off the front of an extended value. */
static void splitcharset(smtp_slice *value, smtp_slice *charset) {
  const char *end = value->p + value->n, *first, *second;
  first = memchr(value->p, '\'', value->n);
  if (first == NULL) return;
  second = memchr(first + 1, '\'', (size_t)(end - first - 1));
  if (second == NULL) return;
  charset->p = value->p;
  charset->n = (size_t)(first - value->p);
  value->p = second + 1;
  value->n = (size_t)(end - value->p);
}

/* Joins the parts of a parameter of which the piece first is one. */
static void join(reader *r, size_t first) {
  smtp_slice name = r->pieces[first].name;
  size_t before = smtp_buf_length(&r->v->store), i;
  smtp_value_param *param = &r->v->params[r->v->count];
  int section;
  bool ended = false;
  param->charset = (smtp_slice){NULL, 0};
  for (section = 0; !ended; section++) {
    const piece *p = NULL;
    smtp_slice value;
    for (i = first; i < r->count && p == NULL; i++)
      if (r->pieces[i].section == section &&
          smtp_ascii_equal(r->pieces[i].name, name))
        p = &r->pieces[i];
    if (p == NULL) { /* the end of a file name is of more use than its middle */
      if (section == 0 || r->last.section <= section ||
          !smtp_ascii_equal(r->last.name, name))
        break;
      p = &r->last;
      ended = true;
    }
    value = p->value;
    if (section == 0 && p->extended) {
      param->charset.p = "";
      splitcharset(&value, &param->charset);
    }
    if (p->extended)
      smtp_decode_percent(&r->v->store, value);
    else
      smtp_buf_append_slice(&r->v->store, value);
  }
  for (i = first; i < r->count; i++)
    if (r->pieces[i].section != WHOLE &&
        smtp_ascii_equal(r->pieces[i].name, name))
      r->pieces[i].used = true;
  param->name = name;
  param->value = since(r, before);
  if (section > 0) r->v->count++; /* else the part 0 is missing */
}

static void whole(reader *r, const piece *p) {
  size_t before = smtp_buf_length(&r->v->store);
  smtp_value_param *param = &r->v->params[r->v->count++];
  smtp_slice value = p->value;
  param->name = p->name;
  param->charset = (smtp_slice){NULL, 0};
  if (p->extended) {
    param->charset.p = "";
    splitcharset(&value, &param->charset);
    smtp_decode_percent(&r->v->store, value);
    value = since(r, before);
  }
  param->value = value;
}

/* Reads the main value, before the parameters. White space around a "/" belongs
** to the value; other white space stands for a missing ";". */
static void readmain(reader *r) {
  char last = '/';
  skipblank(r);
  if (iscommon(r->p, r->end)) return; /* the main value is missing */
  while (r->p < r->end && *r->p != ';' && *r->p != ',') {
    const char *p = r->p;
    skipblank(r);
    if (r->p == r->end) break;
    if (r->p > p && last != '/' && *r->p != '/') break;
    if (*r->p == ';' || *r->p == ',') break;
    last = *r->p++;
    put(r, (char)smtp_ascii_lower((unsigned char)last));
  }
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
  r.last.section = WHOLE;
  readmain(&r);
  v->main = since(&r, 0);
  readparams(&r);
  for (pass = 0; pass < 2; pass++) { /* with a charset first */
    for (i = 0; i < r.count; i++) {
      piece *p = &r.pieces[i];
      bool preferred = p->extended || p->section != WHOLE;
      if (p->used || preferred != (pass == 0)) continue;
      if (p->section == WHOLE)
        whole(&r, p);
      else
        join(&r, i);
    }
  }
  return 0;
}

const smtp_value_param *smtp_value_find(const smtp_value *v, smtp_slice name) {
  size_t i;
  for (i = 0; i < v->count; i++)
    if (smtp_ascii_equal(v->params[i].name, name)) return &v->params[i];
  return NULL;
}

int smtp_value_text(smtp_buf *out, const smtp_value_param *param) {
  if (param->charset.p == NULL) return smtp_decode_words(out, param->value);
  return smtp_charset_line(out, param->value, param->charset);
}
