/* SPDX-License-Identifier: MIT */
/*
** field_writer.c: a field is a row of tokens, each after a space at which the line may
** be folded. See field_writer.h for the contract.
*/
#include "field_writer.h"

#include <string.h>

#include "../core/ascii.h"
#include "../core/base64.h"

/* RFC 5322 section 2.1.1: should and must. */
#define FOLD 78
#define LINE_MAX 998

/* RFC 2047 section 2: an encoded word, and a line that has one. */
#define WORD_MAX 75
#define WORD_LINE 76
#define PREFIX "=?UTF-8?"
#define OVERHEAD (sizeof PREFIX - 1 + 4) /* of a word: it, "Q?" and "?=" */

/* The rest of a line gets the beginning of a long word if it has this length.
** */
#define WORTH 12

/* A longer word of a text is encoded: it might not fit after a name. */
#define TOKEN_MAX 900

/* More white space than this at once is encoded. */
#define WIDE 40

/* The name of a parameter may not be longer. */
#define NAME_MAX_LENGTH 60

static const char hex[] = "0123456789ABCDEF";

static bool is_control(unsigned char c) {
  return c < 32 || c == 127;
}

static int fail(smtp_field_writer *f, const char *why) {
  f->why = why;
  return SMTP_EINVALID;
}

/* SMTP_EINVALID if a text has a control but TAB, or is not UTF-8. */
static int check(smtp_field_writer *f, smtp_slice text) {
  size_t i;
  for (i = 0; i < text.n; i++)
    if (is_control((unsigned char)text.p[i]) && text.p[i] != '\t')
      return fail(f, "has a control character");
  return smtp_utf8_valid(text) ? 0 : fail(f, "is not UTF-8");
}

static bool is_ascii(smtp_slice text) {
  return !smtp_ascii_eightbit(text);
}

static int append(smtp_field_writer *f, const char *p, size_t n) {
  int r;
  if (f->column + n > LINE_MAX) return fail(f, "is too long for a line");
  r = n == 0 ? 0 : smtp_buf_append(f->out, p, n);
  if (r == 0) f->column += n;
  return r;
}

static int fold(smtp_field_writer *f) {
  f->column = 0;
  f->bare = f->encoded = false;
  return smtp_buf_append(f->out, "\r\n", 2);
}

/* Begins a new line if n more bytes do not fit into this line. The line of the
** name is never empty: some readers take the blank of the next line for text.
** */
static int make_room(smtp_field_writer *f, size_t n) {
  size_t line = f->bare ? LINE_MAX : f->encoded ? WORD_LINE : FOLD;
  return f->column > 0 && f->column + n > line ? fold(f) : 0;
}

int smtp_field_writer_begin(smtp_field_writer *f, smtp_buf *out,
                            smtp_slice name) {
  size_t i;
  int r;
  f->out = out;
  f->column = f->behind = 0;
  f->bare = true;
  f->encoded = false;
  f->why = "has a name that is none";
  if (name.n == 0 || name.n > FOLD - 2) return SMTP_EINVALID;
  for (i = 0; i < name.n; i++)
    if (name.p[i] <= 32 || name.p[i] > 126 || name.p[i] == ':')
      return SMTP_EINVALID;
  r = append(f, name.p, name.n);
  return r != 0 ? r : append(f, ":", 1);
}

int smtp_field_writer_end(smtp_field_writer *f) {
  return smtp_buf_append(f->out, "\r\n", 2);
}

/* spaces: the white space before it, of which the line is folded at the first.
** behind: bytes that must fit behind it. */
static int put_spaced(smtp_field_writer *f, smtp_slice spaces, smtp_slice token,
                      size_t behind) {
  int r = make_room(f, spaces.n + token.n + behind);
  if (r == 0) r = append(f, spaces.p, spaces.n);
  if (r == 0) r = append(f, token.p, token.n);
  f->bare = false;
  return r;
}

int smtp_field_writer_mailbox(smtp_field_writer *f, smtp_slice mailbox) {
  int r = check(f, mailbox);
  return r != 0 ? r : put_spaced(f, SMTP_LIT(" "), mailbox, f->behind);
}

int smtp_field_writer_token(smtp_field_writer *f, smtp_slice token,
                            bool spaced) {
  int r = check(f, token);
  if (r == 0 && !is_ascii(token)) r = fail(f, "must be ASCII");
  if (r != 0) return r;
  return spaced ? put_spaced(f, SMTP_LIT(" "), token, f->behind)
                : append(f, token.p, token.n);
}

/* ---- encoded words --------------------------------------------------- */

/* The length of the character at p. */
static size_t character(const char *p) {
  unsigned char c = (unsigned char)*p;
  return c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

/* A byte that stands for itself in a phrase (RFC 2047 section 5, rule 3). */
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

/* The bytes of text, in whole characters and at least one, that fit into a word
** of this room; the end of the text fits only together with `behind`. */
static size_t fitting(smtp_slice text, bool q, size_t room, size_t behind) {
  size_t n = 0, size = 0;
  while (n < text.n) {
    size_t one = character(text.p + n);
    size = q ? size + q_size(text.p + n, one) : b_size(n + one);
    if (n + one == text.n) size += behind;
    if (size > room && n > 0) break;
    n += one;
  }
  return n;
}

/* The room for text in an encoded word that stands after spaces on this line.
** */
static size_t room_of(const smtp_field_writer *f, smtp_slice spaces) {
  size_t lead = f->column + spaces.n + OVERHEAD;
  size_t room = lead < WORD_LINE ? WORD_LINE - lead : 0;
  return room < WORD_MAX - OVERHEAD ? room : WORD_MAX - OVERHEAD;
}

/* Text as encoded words, none of which is cut within a character. */
static int put_words(smtp_field_writer *f, smtp_slice spaces, smtp_slice text,
                     size_t behind) {
  size_t size = q_size(text.p, text.n), room = room_of(f, spaces);
  bool q = size <= b_size(text.n);
  int r = 0;
  size = behind + (q ? size : b_size(text.n));
  /* The rest of a line is used if all words fit, or if it has room enough and one
  ** word on the next line would be too short. */
  if (!f->bare && f->column > 0 && size > room &&
      (room < WORTH || size <= WORD_MAX - OVERHEAD))
    r = fold(f);
  while (r == 0 && text.n > 0) {
    char word[WORD_MAX + 8];
    size_t n = fitting(text, q, room_of(f, spaces), behind);
    r = append(f, spaces.p, spaces.n);
    if (r == 0) r = append(f, word, make_word(text.p, n, q, word));
    f->bare = false;
    f->encoded = true;
    text.p += n;
    text.n -= n;
    spaces = SMTP_LIT(" "); /* between encoded words it does not count */
    if (r == 0 && text.n > 0) r = fold(f);
  }
  return r;
}

/* ---- text ------------------------------------------------------------ */

/* Text that readers might take for an encoded word, quoted or not: "=?", a
** charset, "?", an encoding, "?". In a URL the first of it is a query. */
static bool looks_encoded(smtp_slice text) {
  const char *p = text.p, *end = text.p + text.n;
  while ((p = memchr(p, '=', (size_t)(end - p))) != NULL) {
    const char *q;
    if (++p == end || *p != '?') continue;
    q = memchr(p + 1, '?', (size_t)(end - p - 1));
    if (q == NULL) return false;
    if (end - q > 2 && memchr("BbQq", q[1], 4) != NULL && q[2] == '?')
      return true;
  }
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
  while (i < text->n && smtp_ascii_blank(text->p[i], true)) i++;
  *spaces = (smtp_slice){text->p, i};
  from = i;
  while (i < text->n && !smtp_ascii_blank(text->p[i], true)) i++;
  *word = (smtp_slice){text->p + from, i - from};
  text->p += i;
  text->n -= i;
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

/* Words with the white space before each. *spaces stands before a first word that
** has none; it becomes the white space at the end. */
static int put_plain(smtp_field_writer *f, smtp_slice text, smtp_slice *spaces,
                     size_t behind) {
  int r = 0;
  while (r == 0 && text.n > 0) {
    smtp_slice here, word;
    cut(&text, &here, &word);
    if (spaces->n == 0) *spaces = here;
    if (word.n == 0) break;
    r = put_spaced(f, *spaces, word, text.n == 0 ? behind : 0);
    spaces->n = 0;
  }
  return r;
}

int smtp_field_writer_text(smtp_field_writer *f, smtp_slice text) {
  smtp_slice part, head, tail, spaces = SMTP_LIT(" ");
  int r = check(f, text);
  if (r != 0) return r;
  head = text = smtp_ascii_trim(text, true);
  part = encoded_part(text);
  if (part.n == 0) return put_plain(f, text, &spaces, 0);
  head.n = (size_t)(part.p - text.p);
  tail = (smtp_slice){part.p + part.n, text.n - head.n - part.n};
  r = put_plain(f, head, &spaces, 0);
  if (r == 0) r = put_words(f, spaces, part, 0);
  spaces.n = 0;
  return r != 0 ? r : put_plain(f, tail, &spaces, 0);
}

int smtp_field_writer_structured(smtp_field_writer *f, smtp_slice text) {
  smtp_slice spaces = SMTP_LIT(" ");
  int r = check(f, text);
  if (r == 0 && !is_ascii(text))
    r = fail(f, "must be ASCII, as no encoded word may be there");
  return r != 0 ? r : put_plain(f, smtp_ascii_trim(text, true), &spaces, 0);
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
static int put_quoted(smtp_field_writer *f, smtp_slice text) {
  size_t i;
  int r = append(f, "\"", 1);
  for (i = 0; r == 0 && i < text.n; i++) {
    if (text.p[i] == '"' || text.p[i] == '\\') r = append(f, "\\", 1);
    if (r == 0) r = append(f, text.p + i, 1);
  }
  return r != 0 ? r : append(f, "\"", 1);
}

static size_t quoted_size(smtp_slice text) {
  size_t i, size = text.n + 2;
  for (i = 0; i < text.n; i++) size += text.p[i] == '"' || text.p[i] == '\\';
  return size;
}

int smtp_field_writer_phrase(smtp_field_writer *f, smtp_slice phrase) {
  smtp_slice space = SMTP_LIT(" ");
  size_t size;
  int r = check(f, phrase);
  if (r != 0) return r;
  phrase = smtp_ascii_trim(phrase, true);
  if (is_atoms(phrase) && phrase.n <= TOKEN_MAX)
    return put_plain(f, phrase, &space, f->behind);
  size = 1 + quoted_size(phrase) + f->behind;
  if (!is_ascii(phrase) || looks_encoded(phrase) ||
      (f->bare ? f->column : 0) + size > FOLD)
    return put_words(f, space, phrase, f->behind);
  r = make_room(f, size);
  if (r == 0) r = append(f, " ", 1);
  f->bare = false;
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

static int put_number(smtp_field_writer *f, size_t n) {
  size_t before = smtp_buf_length(f->out);
  int r = smtp_buf_append_number(f->out, n);
  f->column += smtp_buf_length(f->out) - before;
  return r;
}

/* One section: " name*0*=UTF-8''..." as long as there is room; *used bytes. */
static int put_section(smtp_field_writer *f, smtp_slice name, size_t number,
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

static int put_extended(smtp_field_writer *f, smtp_slice name,
                        smtp_slice value) {
  bool whole = name.n + percent_size(value) + 12 <= FOLD;
  size_t number = 0, used;
  int r;
  do {
    r = number > 0 ? append(f, ";", 1) : 0;
    if (r == 0) r = fold(f);
    if (r == 0) r = put_section(f, name, number, whole, value, &used);
    value.p += used;
    value.n -= used;
    number++;
  } while (r == 0 && value.n > 0);
  return r;
}

/* " name=" and encoded words between quotes. */
static int put_quoted_words(smtp_field_writer *f, smtp_slice name,
                            smtp_slice value) {
  int r = fold(f);
  if (r == 0) r = append(f, " ", 1);
  if (r == 0) r = append(f, name.p, name.n);
  if (r == 0) r = append(f, "=\"", 2);
  f->bare = true; /* the first word follows on this line */
  if (r == 0) r = put_words(f, SMTP_LIT(""), value, 1 + f->behind);
  return r != 0 ? r : append(f, "\"", 1);
}

/* A token of attribute-char (RFC 2231 section 7): some readers take the other marks
** for those of an extended value. */
static bool is_plain(smtp_slice text) {
  return is_token(text) && memchr(text.p, '*', text.n) == NULL &&
         memchr(text.p, '\'', text.n) == NULL &&
         memchr(text.p, '%', text.n) == NULL;
}

int smtp_field_writer_param(smtp_field_writer *f, smtp_slice name,
                            smtp_slice value, bool words) {
  size_t size = 1 + name.n + 1 + quoted_size(value) + f->behind;
  int r = check(f, value);
  if (r == 0 && (!is_plain(name) || name.n > NAME_MAX_LENGTH))
    r = fail(f, "has a parameter without a name");
  if (r == 0) r = append(f, ";", 1);
  if (r != 0) return r;
  if (!is_ascii(value) || looks_encoded(value) || size > FOLD ||
      (value.n > 0 && memchr(value.p, '\t', value.n) != NULL))
    return words ? put_quoted_words(f, name, value)
                 : put_extended(f, name, value);
  r = make_room(f, size);
  if (r == 0) r = append(f, " ", 1);
  if (r == 0) r = append(f, name.p, name.n);
  if (r == 0) r = append(f, "=", 1);
  if (r != 0) return r;
  return is_plain(value) ? append(f, value.p, value.n) : put_quoted(f, value);
}
