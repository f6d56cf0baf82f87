/* SPDX-License-Identifier: MIT */
/*
** words.c: a field is a row of tokens, each after a space at which the line may
** be folded. See words.h for the contract.
*/
#include "words.h"

#include <string.h>

#include "../core/ascii.h"
#include "../core/base64.h"

/* RFC 5322 section 2.1.1: should and must. */
#define FOLD 78
#define LINE_MAX 998

/* RFC 2047 section 2. */
#define WORD_MAX 75
#define PREFIX "=?UTF-8?"

/* A token longer than this could not stand on a line of its own for sure. */
#define TOKEN_MAX 900

/* More white space than this at once is encoded. */
#define WIDE 40

/* The name of a parameter may not be longer. */
#define NAME_MAX_LENGTH 60

static const char hex[] = "0123456789ABCDEF";

static bool is_control(unsigned char c) {
  return c < 32 || c == 127;
}

/* True for text that may be in a field at all. */
static bool may_send(smtp_slice text) {
  size_t i;
  for (i = 0; i < text.n; i++)
    if (is_control((unsigned char)text.p[i]) && text.p[i] != '\t') return false;
  return smtp_utf8_valid(text);
}

static bool is_ascii(smtp_slice text) {
  return !smtp_ascii_eightbit(text);
}

static int append(smtp_field *f, const char *p, size_t n) {
  int r = n == 0 ? 0 : smtp_buf_append(f->out, p, n);
  if (r == 0) f->column += n;
  return r;
}

static int fold(smtp_field *f) {
  int r = smtp_buf_append(f->out, "\r\n", 2);
  f->column = 0;
  return r;
}

int smtp_field_begin(smtp_field *f, smtp_buf *out, smtp_slice name) {
  size_t i;
  int r;
  f->out = out;
  f->column = 0;
  if (name.n == 0 || name.n > FOLD - 2) return SMTP_EINVALID;
  for (i = 0; i < name.n; i++)
    if (name.p[i] <= 32 || name.p[i] > 126 || name.p[i] == ':')
      return SMTP_EINVALID;
  r = append(f, name.p, name.n);
  return r != 0 ? r : append(f, ":", 1);
}

int smtp_field_end(smtp_field *f) {
  return smtp_buf_append(f->out, "\r\n", 2);
}

/* spaces: the white space before it, of which the line is folded at the first. */
static int put_spaced(smtp_field *f, smtp_slice spaces, smtp_slice token) {
  int r = 0;
  if (f->column + spaces.n + token.n > FOLD && f->column > 1) r = fold(f);
  if (r == 0) r = append(f, spaces.p, spaces.n);
  return r != 0 ? r : append(f, token.p, token.n);
}

int smtp_field_mailbox(smtp_field *f, smtp_slice mailbox) {
  if (!may_send(mailbox) || mailbox.n > TOKEN_MAX) return SMTP_EINVALID;
  return put_spaced(f, SMTP_LIT(" "), mailbox);
}

int smtp_field_token(smtp_field *f, smtp_slice token, bool spaced) {
  if (!is_ascii(token)) return SMTP_EINVALID;
  if (spaced) return smtp_field_mailbox(f, token);
  if (!may_send(token) || token.n > TOKEN_MAX) return SMTP_EINVALID;
  return append(f, token.p, token.n);
}

/* ---- encoded words --------------------------------------------------- */

/* The length of the character at p. */
static size_t character(const char *p) {
  unsigned char c = (unsigned char)*p;
  return c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

/* What may stand for itself in a phrase (RFC 2047 section 5, rule 3). */
static bool is_q_safe(unsigned char c) {
  return smtp_ascii_is(c, SMTP_ALPHA | SMTP_DIGIT) || c == '!' || c == '*' ||
         c == '+' || c == '-' || c == '/';
}

static size_t q_size(const char *p, size_t n) {
  size_t i, size = 0;
  for (i = 0; i < n; i++)
    size += p[i] == ' ' || is_q_safe((unsigned char)p[i]) ? 1 : 3;
  return size;
}

static size_t b_size(size_t n) {
  return (n + 2) / 3 * 4;
}

/* "=?UTF-8?Q?...?=" or "B", whichever is shorter, into word; its length. */
static size_t make_word(const char *p, size_t n, bool q, char *word) {
  size_t i, at = sizeof PREFIX - 1;
  memcpy(word, PREFIX, at);
  word[at++] = q ? 'Q' : 'B';
  word[at++] = '?';
  for (i = 0; q && i < n; i++) {
    unsigned char c = (unsigned char)p[i];
    if (c == ' ' || is_q_safe(c)) {
      word[at++] = c == ' ' ? '_' : (char)c;
    } else {
      word[at++] = '=';
      word[at++] = hex[c >> 4];
      word[at++] = hex[c & 15];
    }
  }
  for (i = 0; !q && i < n; i += 3, at += 4)
    smtp_base64_group(p + i, n - i < 3 ? n - i : 3, word + at);
  word[at++] = '?';
  word[at++] = '=';
  return at;
}

/* Text as encoded words, none of which is cut within a character. */
static int put_words(smtp_field *f, smtp_slice spaces, smtp_slice text) {
  size_t left = q_size(text.p, text.n); /* of all that is to come, as Q */
  bool q = left <= b_size(text.n);
  size_t overhead = sizeof PREFIX - 1 + 4;
  int r = 0;
  while (r == 0 && text.n > 0) {
    char word[WORD_MAX + 8];
    size_t lead = f->column + spaces.n, n = 0, size;
    size_t room = WORD_MAX - overhead;
    /* What is left of this line is used if it is worth it, and if one word on
    ** the next line would not do. */
    if ((q ? left : b_size(text.n)) > room && lead + overhead + 12 < FOLD &&
        FOLD - lead - overhead < room)
      room = FOLD - lead - overhead;
    while (n < text.n) {
      size_t next = n + character(text.p + n);
      if (next > text.n) next = text.n;
      size = q ? q_size(text.p, next) : b_size(next);
      if (size > room) break;
      n = next;
    }
    left -= q_size(text.p, n);
    size = make_word(text.p, n, q, word);
    r = put_spaced(f, spaces, (smtp_slice){word, size});
    text.p += n;
    text.n -= n;
    spaces = SMTP_LIT(" "); /* between encoded words it does not count */
  }
  return r;
}

/* ---- text ------------------------------------------------------------ */

static bool is_space(char c) {
  return c == ' ' || c == '\t';
}

/* Text that readers might take for an encoded word, quoted or not. */
static bool looks_encoded(smtp_slice text) {
  size_t i;
  for (i = 0; i + 1 < text.n; i++)
    if (text.p[i] == '=' && text.p[i + 1] == '?') return true;
  return false;
}

/* A word that must not be taken for an encoded one, or is too long, or is not
** of ASCII. */
static bool needs_encoding(smtp_slice word) {
  return !is_ascii(word) || word.n > TOKEN_MAX || looks_encoded(word);
}

/* White space and the word behind it, off the front of *text. */
static void cut(smtp_slice *text, smtp_slice *spaces, smtp_slice *word) {
  size_t i = 0, from;
  while (i < text->n && is_space(text->p[i])) i++;
  *spaces = (smtp_slice){text->p, i};
  from = i;
  while (i < text->n && !is_space(text->p[i])) i++;
  *word = (smtp_slice){text->p + from, i - from};
  text->p += i;
  text->n -= i;
}

static smtp_slice trim(smtp_slice text) {
  while (text.n > 0 && is_space(text.p[0])) {
    text.p++;
    text.n--;
  }
  while (text.n > 0 && is_space(text.p[text.n - 1])) text.n--;
  return text;
}

/* The bytes from the first word that needs it to the end of the last one. A long
** run of white space needs it too, with the words at both of its ends. */
static smtp_slice encoded_part(smtp_slice text) {
  smtp_slice part = {text.p, 0}, spaces, word, last = {text.p, 0};
  bool found = false;
  while (text.n > 0) {
    bool wide;
    cut(&text, &spaces, &word);
    wide = spaces.n > WIDE;
    if (wide || needs_encoding(word)) {
      if (!found) part.p = wide ? last.p : word.p;
      found = true;
      part.n = (size_t)(word.p + word.n - part.p);
    }
    last = word;
  }
  return part;
}

/* Words with the white space before each; *spaces is what stands before the
** first if it brings none, and what is left at the end. */
static int put_plain(smtp_field *f, smtp_slice text, smtp_slice *spaces) {
  int r = 0;
  while (r == 0 && text.n > 0) {
    smtp_slice here, word;
    cut(&text, &here, &word);
    if (spaces->n == 0) *spaces = here;
    if (word.n == 0) break;
    r = put_spaced(f, *spaces, word);
    spaces->n = 0;
  }
  return r;
}

int smtp_field_text(smtp_field *f, smtp_slice text) {
  smtp_slice part, head, tail, spaces = SMTP_LIT(" ");
  int r;
  if (!may_send(text)) return SMTP_EINVALID;
  head = text = trim(text);
  part = encoded_part(text);
  if (part.n == 0) return put_plain(f, text, &spaces);
  head.n = (size_t)(part.p - text.p);
  tail = (smtp_slice){part.p + part.n, text.n - head.n - part.n};
  r = put_plain(f, head, &spaces);
  if (r == 0) r = put_words(f, spaces, part);
  spaces.n = 0;
  return r != 0 ? r : put_plain(f, tail, &spaces);
}

/* ---- phrases and parameters ------------------------------------------ */

static bool is_atoms(smtp_slice text) {
  size_t i;
  bool before = true; /* a space */
  for (i = 0; i < text.n; i++) {
    bool space = text.p[i] == ' ';
    if (space ? before : !smtp_ascii_is((unsigned char)text.p[i], SMTP_ATEXT))
      return false;
    before = space;
  }
  return text.n > 0 && !before && !looks_encoded(text);
}

/* A quoted-string; '"' and "\\" get a backslash. */
static int put_quoted(smtp_field *f, smtp_slice text) {
  size_t i;
  int r = append(f, "\"", 1);
  for (i = 0; r == 0 && i < text.n; i++) {
    if (text.p[i] == '"' || text.p[i] == '\\') r = append(f, "\\", 1);
    if (r == 0) r = append(f, text.p + i, 1);
  }
  return r != 0 ? r : append(f, "\"", 1);
}

/* A space, or a new line if n more characters do not fit into this one. */
static int put_space(smtp_field *f, size_t n) {
  int r = f->column + 1 + n > FOLD && f->column > 1 ? fold(f) : 0;
  return r != 0 ? r : append(f, " ", 1);
}

static size_t quoted_size(smtp_slice text) {
  size_t i, size = text.n + 2;
  for (i = 0; i < text.n; i++) size += text.p[i] == '"' || text.p[i] == '\\';
  return size;
}

int smtp_field_phrase(smtp_field *f, smtp_slice phrase) {
  int r;
  if (!may_send(phrase)) return SMTP_EINVALID;
  phrase = trim(phrase);
  if (is_atoms(phrase) && phrase.n <= TOKEN_MAX) {
    smtp_slice spaces = SMTP_LIT(" ");
    return put_plain(f, phrase, &spaces);
  }
  if (!is_ascii(phrase) || looks_encoded(phrase) ||
      quoted_size(phrase) > FOLD - 1)
    return put_words(f, SMTP_LIT(" "), phrase);
  r = put_space(f, quoted_size(phrase));
  return r != 0 ? r : put_quoted(f, phrase);
}

/* tspecials are what a token has not (RFC 2045 section 5.1). */
static bool is_token(smtp_slice text) {
  size_t i;
  for (i = 0; i < text.n; i++) {
    unsigned char c = (unsigned char)text.p[i];
    if (c <= 32 || c > 126 || memchr("()<>@,;:\\\"/[]?=", c, 15) != NULL)
      return false;
  }
  return text.n > 0;
}

/* attribute-char of RFC 2231 section 7. */
static bool is_attribute(unsigned char c) {
  return smtp_ascii_is(c, SMTP_ALPHA | SMTP_DIGIT) || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

static int put_number(smtp_field *f, size_t n) {
  size_t before = smtp_buf_length(f->out);
  int r = smtp_buf_append_number(f->out, n);
  f->column += smtp_buf_length(f->out) - before;
  return r;
}

/* One section: " name*0*=UTF-8''..." as long as there is room; *used bytes. */
static int put_section(smtp_field *f, smtp_slice name, size_t number,
                       bool whole, smtp_slice value, size_t *used) {
  size_t i = 0;
  int r = append(f, " ", 1);
  if (r == 0) r = append(f, name.p, name.n);
  if (r == 0) r = append(f, "*", 1);
  if (r == 0 && !whole) r = put_number(f, number);
  if (r == 0) r = whole ? append(f, "=", 1) : append(f, "*=", 2);
  if (r == 0 && number == 0) r = append(f, "UTF-8''", 7);
  while (r == 0 && i < value.n) {
    size_t k, n = character(value.p + i);
    if (!whole && f->column + 3 * n + 1 > FOLD && i > 0) break;
    for (k = 0; r == 0 && k < n && i < value.n; k++, i++) {
      unsigned char c = (unsigned char)value.p[i];
      char text[3] = {'%', hex[c >> 4], hex[c & 15]};
      r = is_attribute(c) ? append(f, value.p + i, 1) : append(f, text, 3);
    }
  }
  *used = i;
  return r;
}

static size_t percent_size(smtp_slice value) {
  size_t i, size = 0;
  for (i = 0; i < value.n; i++)
    size += is_attribute((unsigned char)value.p[i]) ? 1 : 3;
  return size;
}

static int put_extended(smtp_field *f, smtp_slice name, smtp_slice value) {
  bool whole = name.n + percent_size(value) + 12 <= FOLD;
  size_t number = 0, used;
  int r;
  do {
    r = number > 0 ? append(f, ";", 1) : 0;
    if (r == 0 && f->column > 1) r = fold(f);
    if (r == 0) r = put_section(f, name, number, whole, value, &used);
    value.p += used;
    value.n -= used;
    number++;
  } while (r == 0 && value.n > 0);
  return r;
}

int smtp_field_param(smtp_field *f, smtp_slice name, smtp_slice value) {
  size_t size = name.n + 1 + quoted_size(value);
  int r;
  if (!may_send(value) || !is_token(name) || name.n > NAME_MAX_LENGTH ||
      memchr(name.p, '*', name.n) != NULL ||
      memchr(name.p, '\'', name.n) != NULL ||
      memchr(name.p, '%', name.n) != NULL) /* RFC 2231 section 7 */
    return SMTP_EINVALID;
  r = append(f, ";", 1);
  if (r != 0) return r;
  if (!is_ascii(value) || looks_encoded(value) || size > FOLD - 1 ||
      (value.n > 0 && memchr(value.p, '\t', value.n) != NULL))
    return put_extended(f, name, value);
  r = put_space(f, size);
  if (r == 0) r = append(f, name.p, name.n);
  if (r == 0) r = append(f, "=", 1);
  if (r != 0) return r;
  return is_token(value) ? append(f, value.p, value.n) : put_quoted(f, value);
}
