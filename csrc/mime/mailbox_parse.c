/* SPDX-License-Identifier: MIT */
/* mailbox_parse.c: see mailbox_parse.h. */
#include "mailbox_parse.h"

#include <string.h>

#include "../core/path.h"
#include "mailbox_span.h"

typedef struct reader {
  smtp_mailbox_list *list;
  smtp_mailbox_span span; /* the text since the last comma */
  const char *p, *end;
} reader;

static void blame(reader *r, const char *fault) {
  smtp_mailbox_list_blame(r->list, fault);
}

/* ---- tokens ------------------------------------------------------------ */

/* The first byte from p on that is in a set, or the end. */
static const char *find(const reader *r, const char *p, smtp_slice set) {
  while (p < r->end && memchr(set.p, *p, set.n) == NULL) p++;
  return p;
}

/* Takes the comment at r->p, and gives its text. */
static smtp_slice take_comment(reader *r) {
  const char *from = r->p + 1, *p = r->p;
  size_t depth = 0;
  for (; p < r->end; p++) {
    if (*p == '\\' && r->end - p > 1)
      p++;
    else if (*p == '(')
      depth++;
    else if (*p == ')' && --depth == 0)
      break;
  }
  if (p == r->end) blame(r, "has a ( without )");
  r->p = p < r->end ? p + 1 : p;
  return (smtp_slice){from, (size_t)(p - from)};
}

static void take_quoted(reader *r) {
  const char *p = r->p + 1;
  while (p < r->end && *p != '"') p += *p == '\\' && r->end - p > 1 ? 2 : 1;
  if (p == r->end) blame(r, "has a \" without another");
  r->p = p < r->end ? p + 1 : p;
}

/* Takes the domain literal at r->p; in received mail other bytes of `stops` than
** "]" end it too. */
static void take_literal(reader *r, smtp_slice stops) {
  r->p = find(r, r->p, stops);
  if (r->p < r->end && *r->p == ']')
    r->p++;
  else
    blame(r, "has a [ without ]");
}

/* Behind the encoded word at r->p, which may hold any mark but "?"; or r->p. */
static const char *encoded_word_end(const reader *r) {
  const smtp_slice stops = SMTP_LIT("? \t\n\v\f\r");
  const char *charset = r->p + 2, *p;
  if (r->end - r->p < 2 || r->p[0] != '=' || r->p[1] != '?') return r->p;
  p = find(r, charset, stops);
  if (p == charset || r->end - p < 3 || *p != '?') return r->p;
  if (memchr("BbQq", p[1], 4) == NULL || p[2] != '?') return r->p;
  p = find(r, p + 3, stops);
  return r->end - p > 1 && p[0] == '?' && p[1] == '=' ? p + 2 : r->p;
}

/* Behind ">" there must be a comma. */
static void need_comma(reader *r) {
  if (!r->span.has_angle) return;
  blame(r, "has no comma between two addresses");
  smtp_mailbox_span_end(&r->span);
}

static void take_word(reader *r) {
  const char *from = r->p, *word = encoded_word_end(r);
  r->p = find(r, from + 1, SMTP_LIT(" \t()<>[\",;:@"));
  if (word > r->p) {
    blame(r, "has a mark of addresses in an encoded word");
    r->p = word;
  }
}

/* ---- between "<" and ">" ----------------------------------------------- */

static bool is_spacing(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_route(const reader *r) {
  smtp_slice text = smtp_buf_data(&r->span.address);
  return text.n > 0 && *text.p == '@';
}

/* Takes a ":", which ends a route, "@a,@b:": it is dropped. */
static void take_route_end(reader *r) {
  blame(r, "has a route, or a : within an address");
  if (is_route(r))
    smtp_buf_truncate(&r->span.address, 0);
  else
    smtp_mailbox_span_append(&r->span, SMTP_LIT(":"));
  r->p++;
}

/* Takes white space and comments, which are dropped: whether there were any. */
static bool take_spacing(reader *r) {
  const char *from = r->p;
  if (*from == '(') take_comment(r);
  while (r->p < r->end && is_spacing(*r->p)) r->p++;
  if (r->p == from) return false;
  blame(r, "has a space or a comment within an address");
  return true;
}

static void take_inner(reader *r) {
  const char *from = r->p;
  if (take_spacing(r)) return;
  switch (*from) {
  case ':': take_route_end(r); return;
  case '"': take_quoted(r); break;
  case '[': take_literal(r, SMTP_LIT("]>")); break;
  default: r->p = find(r, from + 1, SMTP_LIT(" \t\n\v\f\r()<>[\":,"));
  }
  smtp_mailbox_span_append(&r->span, (smtp_slice){from, (size_t)(r->p - from)});
}

/* Takes a "<" behind another "<": whether an address stands between the two, and
** so the ">" is missing. */
static bool take_second_angle(reader *r) {
  smtp_path path;
  smtp_slice text = smtp_buf_data(&r->span.address);
  blame(r, "has a < behind another");
  if (text.n > 0 && smtp_path_parse_mailbox(&path, text, 0) == 0) return true;
  smtp_buf_truncate(&r->span.address, 0);
  r->p++;
  return false;
}

static void take_angle(reader *r) {
  smtp_buf_truncate(&r->span.address, 0);
  r->span.has_angle = true;
  r->p++;
  while (r->p < r->end && r->list->result == 0) {
    if (*r->p == '>') {
      r->p++;
      return;
    }
    if (*r->p == ',' && !is_route(r)) break;
    if (*r->p != '<')
      take_inner(r);
    else if (take_second_angle(r))
      break;
  }
  blame(r, "has a < without >");
}

/* ---- marks -------------------------------------------------------------- */

static void take_outer_comment(reader *r) {
  smtp_slice text = take_comment(r);
  r->span.is_spaced = true;
  if (!r->span.has_at) return;
  r->span.has_comment = true;
  r->span.comment = text;
}

static void take_colon(reader *r) {
  r->p++;
  if (r->span.has_at || r->span.has_angle) {
    blame(r, "has a : within an address");
    r->span.is_broken = true;
  } else if (smtp_mailbox_span_is_empty(&r->span)) {
    blame(r, "has a : without the name of a group");
  } else {
    if (r->list->in_group) blame(r, "has a group within a group");
    smtp_mailbox_list_end_group(r->list);
    smtp_mailbox_span_end_as_group(&r->span);
  }
}

static void take_semicolon(reader *r) {
  r->p++;
  smtp_mailbox_span_end(&r->span);
  if (!r->list->in_group)
    blame(r, "has a ; without a group, where a comma stands between addresses");
  smtp_mailbox_list_end_group(r->list);
}

/* Takes a token that is no mark. */
static void take_token(reader *r) {
  const char *from = r->p;
  switch (*from) {
  case '"': take_quoted(r); break;
  case '[': take_literal(r, SMTP_LIT("],;<")); break;
  case '@': r->p++; break;
  default: take_word(r);
  }
  need_comma(r);
  if (*from == '"' && r->p - from == 1) return; /* the last byte */
  smtp_mailbox_span_add(&r->span, (smtp_slice){from, (size_t)(r->p - from)});
  if (*from == '@') r->span.has_at = true;
}

static void take_next(reader *r) {
  switch (*r->p) {
  case ' ':
  case '\t':
    r->span.is_spaced = true;
    r->p++;
    break;
  case '(': take_outer_comment(r); break;
  case '<':
    need_comma(r);
    take_angle(r);
    break;
  case ',':
    smtp_mailbox_span_end(&r->span);
    r->p++;
    break;
  case ';': take_semicolon(r); break;
  case ':': take_colon(r); break;
  case '>':
  case ')':
    blame(r, "has a > or ) without its other half");
    r->p++;
    break;
  default: take_token(r);
  }
}

/* ---- the whole ---------------------------------------------------------- */

static void read_list(smtp_mailbox_list *list, smtp_slice text, size_t most) {
  reader r = {0};
  r.list = list;
  r.p = text.p;
  r.end = text.p + text.n;
  smtp_mailbox_span_init(&r.span, list);
  while (r.p < r.end && list->result == 0) {
    if (most != SIZE_MAX && (list->fault != NULL || list->count > most)) break;
    take_next(&r);
  }
  smtp_mailbox_span_end(&r.span);
  if (list->in_group) blame(&r, "has a group without ;");
  smtp_mailbox_list_end_group(list);
  smtp_mailbox_span_clear(&r.span);
}

/* Appends text without the ends of its lines. */
static int unfold(smtp_buf *out, smtp_slice text) {
  const char *p = text.p, *end = text.p + text.n;
  int result = 0;
  while (p < end && result == 0) {
    const char *from = p;
    while (p < end && *p != '\r' && *p != '\n') p++;
    result = smtp_buf_append(out, from, (size_t)(p - from));
    while (p < end && (*p == '\r' || *p == '\n')) p++;
  }
  return result;
}

int smtp_mailbox_parse(smtp_mailbox_list *list, smtp_slice text, size_t most) {
  smtp_buf unfolded;
  smtp_buf_init(&unfolded, list->bytes.mem, text.n);
  if (text.n > 0 && (memchr(text.p, '\n', text.n) != NULL ||
                     memchr(text.p, '\r', text.n) != NULL)) {
    list->result = unfold(&unfolded, text);
    text = smtp_buf_data(&unfolded);
  }
  if (list->result == 0) read_list(list, text, most);
  smtp_buf_clear(&unfolded);
  return list->result;
}
