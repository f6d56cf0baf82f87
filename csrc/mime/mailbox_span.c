/* SPDX-License-Identifier: MIT */
/* mailbox_span.c: see mailbox_span.h. */
#include "mailbox_span.h"

#include <string.h>

#include "../core/path.h"

typedef struct token {
  smtp_slice text; /* as it stands, never empty */
  bool begins;     /* a chunk */
  bool is_spaced;  /* behind white space or a comment within its chunk */
  bool is_address; /* its chunk, which it begins, is an address */
} token;

void smtp_mailbox_span_init(smtp_mailbox_span *span, smtp_mailbox_list *list) {
  const smtp_mem *mem = list->bytes.mem;
  memset(span, 0, sizeof *span);
  span->list = list;
  smtp_buf_init(&span->tokens, mem, SIZE_MAX / 4);
  smtp_buf_init(&span->name, mem, SIZE_MAX / 4);
  smtp_buf_init(&span->address, mem, SIZE_MAX / 4);
}

void smtp_mailbox_span_clear(smtp_mailbox_span *span) {
  smtp_buf_clear(&span->tokens);
  smtp_buf_clear(&span->name);
  smtp_buf_clear(&span->address);
}

static void restart(smtp_mailbox_span *span) {
  smtp_buf_truncate(&span->tokens, 0);
  span->has_angle = span->has_at = span->has_comment = false;
  span->is_spaced = span->is_broken = false;
}

static void append(smtp_mailbox_span *span, smtp_buf *b, const void *p,
                   size_t n) {
  int *result = &span->list->result;
  if (*result == 0) *result = smtp_buf_append(b, p, n);
}

void smtp_mailbox_span_append(smtp_mailbox_span *span, smtp_slice text) {
  append(span, &span->address, text.p, text.n);
}

/* ---- tokens ------------------------------------------------------------ */

static token *token_at(const smtp_mailbox_span *span, size_t i) {
  return (token *)(void *)span->tokens.p + i;
}

static size_t count_of(const smtp_mailbox_span *span) {
  return smtp_buf_length(&span->tokens) / sizeof(token);
}

bool smtp_mailbox_span_is_empty(const smtp_mailbox_span *span) {
  return smtp_buf_length(&span->tokens) == 0;
}

static bool is_joint(char c) {
  return c == '@' || c == '.';
}

void smtp_mailbox_span_add(smtp_mailbox_span *span, smtp_slice text) {
  token t = {{NULL, 0}, true, false, false};
  size_t count = count_of(span);
  t.text = text;
  if (count > 0) {
    smtp_slice last = token_at(span, count - 1)->text;
    t.begins =
        span->is_spaced && !is_joint(last.p[last.n - 1]) && !is_joint(*text.p);
    t.is_spaced = span->is_spaced && !t.begins;
  }
  span->is_spaced = false;
  append(span, &span->tokens, &t, sizeof t);
}

/* Where the chunk that token i begins ends. */
static size_t chunk_end(const smtp_mailbox_span *span, size_t i) {
  size_t count = count_of(span);
  do i++;
  while (i < count && !token_at(span, i)->begins);
  return i;
}

/* ---- names and addresses ----------------------------------------------- */

/* Appends text to the name, without the backslashes that quote. */
static void append_unescaped(smtp_mailbox_span *span, smtp_slice text) {
  const char *p = text.p, *end = text.p + text.n;
  while (p < end) {
    const char *slash = memchr(p, '\\', (size_t)(end - p));
    if (slash == NULL || end - slash < 2) slash = end;
    append(span, &span->name, p, (size_t)(slash - p));
    if (slash == end) return;
    append(span, &span->name, slash + 1, 1);
    p = slash + 2;
  }
}

static void append_token(smtp_mailbox_span *span, smtp_slice text) {
  if (*text.p != '"') {
    append(span, &span->name, text.p, text.n);
    return;
  }
  text.p++;
  text.n--;
  if (text.n > 0 && text.p[text.n - 1] == '"') text.n--;
  append_unescaped(span, text);
}

/* All chunks that are no addresses, as a name. */
static smtp_slice name_of_chunks(smtp_mailbox_span *span) {
  size_t i, count = count_of(span);
  bool is_left_out = false, is_first = true;
  smtp_buf_truncate(&span->name, 0);
  for (i = 0; i < count; i++) {
    const token *t = token_at(span, i);
    if (t->begins) is_left_out = t->is_address;
    if (is_left_out) continue;
    if (t->is_spaced || (t->begins && !is_first))
      append(span, &span->name, " ", 1);
    is_first = false;
    append_token(span, t->text);
  }
  return smtp_buf_data(&span->name);
}

static smtp_slice name_of_comment(smtp_mailbox_span *span) {
  smtp_buf_truncate(&span->name, 0);
  if (span->has_comment) append_unescaped(span, span->comment);
  return smtp_buf_data(&span->name);
}

/* The tokens from first to before last as they stand. */
static smtp_slice joined(smtp_mailbox_span *span, size_t first, size_t last) {
  smtp_buf_truncate(&span->address, 0);
  for (; first < last; first++)
    smtp_mailbox_span_append(span, token_at(span, first)->text);
  return smtp_buf_data(&span->address);
}

/* ---- several chunks without "<" ---------------------------------------- */

/*
** A dot behind a name may be the dot of an initial, "John Q. doe@x". The address
** of a chunk begins behind the last white space before its "@" that a dot does
** not follow. Makes the address a chunk, and gives its place.
*/
static size_t cut_initial(smtp_mailbox_span *span, size_t first, size_t last) {
  size_t i, cut = first;
  for (i = first; i < last; i++) {
    token *t = token_at(span, i);
    if (t->text.n == 1 && *t->text.p == '@') break;
    if (t->is_spaced && *t->text.p != '.') cut = i;
  }
  if (i == last) return first;
  token_at(span, cut)->begins = true;
  token_at(span, cut)->is_spaced = false;
  return cut;
}

/* The text within [] or {} around it. */
static smtp_slice without_brackets(smtp_slice text) {
  char last = text.p[text.n - 1];
  if (text.n > 1 && (*text.p == '[' || *text.p == '{') &&
      (last == ']' || last == '}'))
    return (smtp_slice){text.p + 1, text.n - 2};
  return text;
}

/* The address that a chunk is; or an empty text. */
static smtp_slice address_of(smtp_mailbox_span *span, size_t first) {
  smtp_path path;
  smtp_slice text = joined(span, first, chunk_end(span, first)), none = {"", 0};
  if (span->is_broken || text.n == 0 || memchr(text.p, '@', text.n) == NULL)
    return none;
  if (smtp_path_parse_mailbox(&path, text, 0) == 0) return text;
  text = without_brackets(text);
  return smtp_path_parse_mailbox(&path, text, 0) == 0 ? text : none;
}

/* The addresses among the chunks count, and the others are the name, as in
** `Ada Lovelace ada@code.energy`. */
static void put_chunks(smtp_mailbox_span *span) {
  size_t i, last, count = count_of(span), found = 0;
  smtp_slice name, none = {"", 0};
  for (i = 0; i < count; i = last) {
    last = chunk_end(span, i);
    i = cut_initial(span, i, last);
    if (address_of(span, i).n == 0) continue;
    token_at(span, i)->is_address = true;
    found++;
  }
  smtp_mailbox_list_blame(
      span->list, "has several words: a name needs <> around its address, and "
                  "two addresses a comma");
  name = found > 1 ? none : name_of_chunks(span);
  if (found == 0) smtp_mailbox_list_put(span->list, name, none);
  for (i = 0; i < count; i++)
    if (token_at(span, i)->is_address)
      smtp_mailbox_list_put(span->list, name, address_of(span, i));
}

/* ---- the end of a span -------------------------------------------------- */

static bool has_encoded_word(smtp_slice text) {
  size_t i;
  for (i = 0; i + 1 < text.n; i++)
    if (text.p[i] == '=' && text.p[i + 1] == '?') return true;
  return false;
}

/* One chunk without "<": an address, or a name. */
static void put_chunk(smtp_mailbox_span *span) {
  size_t i, count = count_of(span);
  smtp_slice first = token_at(span, 0)->text, name, none = {"", 0};
  bool is_bare = count == 1 && *first.p != '"' && !has_encoded_word(first);
  for (i = 0; i < count; i++)
    if (token_at(span, i)->is_spaced)
      smtp_mailbox_list_blame(span->list,
                              "has a space or a comment within an address");
  if (is_bare || (span->has_at && !span->is_broken)) {
    name = name_of_comment(span);
    smtp_mailbox_list_put(span->list, name, joined(span, 0, count));
  } else {
    smtp_mailbox_list_put(span->list, name_of_chunks(span), none);
  }
}

void smtp_mailbox_span_end(smtp_mailbox_span *span) {
  size_t count = count_of(span);
  if (span->has_angle)
    smtp_mailbox_list_put(span->list, name_of_chunks(span),
                          smtp_buf_data(&span->address));
  else if (count > 0 && chunk_end(span, 0) == count)
    put_chunk(span);
  else if (count > 0)
    put_chunks(span);
  restart(span);
}

void smtp_mailbox_span_end_as_group(smtp_mailbox_span *span) {
  smtp_mailbox_list_begin_group(span->list, name_of_chunks(span));
  restart(span);
}
