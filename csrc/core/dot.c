/* SPDX-License-Identifier: MIT */
/*
** dot.c: the dot codec of DATA (RFC 5321 sections 2.3.8, 4.1.1.4 and 4.5.2).
**
** Both directions hop from LF to LF by memchr and judge a line end by the
** byte before it and a dot by the byte behind it; no other byte is looked at
** one by one. What lies between two changes is a run, and is copied whole.
** The decoder moves nothing at all before the first dot that it removes.
**
** The strictness is the security: if LF "." LF or CR "." CR ended content
** here but not at the next server, the rest of a message would be read as
** commands (SMTP smuggling). So there is one way out of decoding, the five
** bytes CRLF "." CRLF, and one way out of encoding: every LF written has a
** CR before it, and every dot behind one is doubled.
*/
#include "dot.h"

#include <string.h>

enum dot_state {
  LINE_START, /* behind CRLF, or at the very start */
  AFTER_CR,
  OTHER,
  ENDED /* decoder only: nothing more is content */
};

/* The first byte c in [p, end), or end. */
static const char *find(const char *p, char c, const char *end) {
  const char *at = memchr(p, c, (size_t)(end - p));
  return at != NULL ? at : end;
}

static uint64_t word(const char *p) {
  uint64_t w;
  memcpy(&w, p, sizeof(w));
  return w;
}

/* NUL and 8-bit bytes; whole messages pass, so four words at a time. */
static unsigned look(const char *p, size_t n) {
  const uint64_t tops = UINT64_C(0x8080808080808080);
  uint64_t a = 0, b = 0, c = 0, d = 0, all;
  uint64_t w[4] = {0, 0, 0, 0};
  size_t i;

  for (i = 0; n - i >= sizeof(w); i += sizeof(w)) {
    a |= word(p + i);
    b |= word(p + i + 8);
    c |= word(p + i + 16);
    d |= word(p + i + 24);
  }
  if (n > i) memcpy(w, p + i, n - i);
  all = a | b | c | d | w[0] | w[1] | w[2] | w[3];
  return (n > 0 && memchr(p, 0, n) != NULL ? SMTP_DOT_NUL : 0u) |
         (all & tops ? SMTP_DOT_EIGHTBIT : 0u);
}

void smtp_dot_decoder_init(smtp_dot_decoder *d) {
  d->state = LINE_START;
  d->seen = 0;
}

/*
** Passes over one line from in, up to its LF or to end if there is none, and
** notes CR and LF that stand alone. Where the next line or chunk begins.
*/
static const char *pass_line(smtp_dot_decoder *d, const char *in,
                             const char *end) {
  const char *lf = find(in, '\n', end);
  bool cr = lf > in ? lf[-1] == '\r' : d->state == AFTER_CR;

  if (lf > in) {
    if (d->state == AFTER_CR) d->seen |= SMTP_DOT_BARE_CR;
    if (!(d->seen & SMTP_DOT_BARE_CR) && find(in, '\r', lf - cr) < lf - cr)
      d->seen |= SMTP_DOT_BARE_CR;
  }
  if (lf == end) {
    d->state = cr ? AFTER_CR : OTHER;
    return end;
  }
  if (!cr) d->seen |= SMTP_DOT_BARE_LF;
  d->state = cr ? LINE_START : OTHER;
  return lf + 1;
}

/* Moves the run [from, to) down to out; where the next run goes. */
static char *move_run(char *out, const char *from, const char *to) {
  size_t n = (size_t)(to - from);
  if (out != from) memmove(out, from, n);
  return out + n;
}

int smtp_dot_decode(smtp_dot_decoder *d, char *p, size_t n, size_t *used,
                    size_t *made) {
  const char *in = p, *run = p, *end = p + n;
  char *out = p;

  while (in < end && d->state != ENDED) {
    if (d->state == LINE_START && *in == '.') {
      size_t left = (size_t)(end - in);
      if (left < 2 || (left == 2 && in[1] == '\r')) break;
      out = move_run(out, run, in);
      if (in[1] == '\r' && in[2] == '\n') {
        d->state = ENDED;
        run = in += 3;
        break;
      }
      if (in[1] != '.') d->seen |= SMTP_DOT_UNSTUFFED;
      run = ++in; /* a dot behind this one is content */
    }
    in = pass_line(d, in, end);
  }
  out = move_run(out, run, in);
  *used = (size_t)(in - p);
  *made = (size_t)(out - p);
  d->seen |= look(p, *made);
  return d->state == ENDED;
}

void smtp_dot_look(smtp_dot_decoder *d, smtp_slice content, bool last) {
  const char *in = content.p, *end = content.p + content.n;
  while (in < end) in = pass_line(d, in, end);
  d->seen |= look(content.p, content.n);
  if (last && d->state == AFTER_CR) d->seen |= SMTP_DOT_BARE_CR;
}

void smtp_dot_encoder_init(smtp_dot_encoder *e, unsigned mode) {
  e->mode = mode;
  e->state = LINE_START;
  e->seen = 0;
}

/* Notes a lone CR or LF, which STRICT does not forgive. */
static int note_bare(smtp_dot_encoder *e, unsigned what) {
  e->seen |= what;
  return e->mode & SMTP_DOT_STRICT ? SMTP_EINVALID : 0;
}

/* Appends the run [from, to) and n bytes at p behind it. */
static int put(smtp_buf *out, const char *from, const char *to, const char *p,
               size_t n) {
  int rc = 0;
  if (to > from) rc = smtp_buf_append(out, from, (size_t)(to - from));
  return rc < 0 ? rc : smtp_buf_append(out, p, n);
}

/*
** The loop of smtp_dot_encode, which undoes what an error leaves behind. A
** CR is written when it is met, its LF when it is known whether one follows.
** The next LF is searched once, not for each lone CR before it.
*/
static int encode(smtp_dot_encoder *e, const char *in, const char *end,
                  smtp_buf *out) {
  const char *run = in, *lf = NULL, *eol;
  int rc = 0;

  if (e->state == AFTER_CR && *in != '\n') {
    rc = note_bare(e, SMTP_DOT_BARE_CR);
    if (rc == 0) rc = put(out, run, in, "\n", 1);
    e->state = LINE_START;
  }
  while (rc == 0 && in < end) {
    if (e->state == LINE_START && *in == '.' && e->mode & SMTP_DOT_STUFF) {
      rc = put(out, run, in, ".", 1);
      if (rc < 0) return rc;
      run = in;
    }
    if (lf == NULL || lf < in) lf = find(in, '\n', end);
    eol = find(in, '\r', lf);
    if (eol == end) {
      e->state = OTHER;
      break;
    }
    if (*eol == '\r' && eol + 1 == end) {
      e->state = AFTER_CR;
      break;
    }
    in = eol + 1;
    if (*eol == '\n' && e->state != AFTER_CR) {
      rc = note_bare(e, SMTP_DOT_BARE_LF);
      if (rc == 0) rc = put(out, run, eol, "\r\n", 2);
      run = in;
    } else if (*eol == '\r' && *in == '\n') {
      in++;
    } else if (*eol == '\r') {
      rc = note_bare(e, SMTP_DOT_BARE_CR);
      if (rc == 0) rc = put(out, run, in, "\n", 1);
      run = in;
    }
    e->state = LINE_START;
  }
  return rc < 0 ? rc : put(out, run, end, "", 0);
}

int smtp_dot_encode(smtp_dot_encoder *e, smtp_slice in, smtp_buf *out) {
  smtp_dot_encoder next = *e;
  size_t before = smtp_buf_length(out);
  int rc;

  if (in.n == 0) return 0;
  next.seen |= look(in.p, in.n);
  rc = encode(&next, in.p, in.p + in.n, out);
  if (rc < 0) {
    smtp_buf_truncate(out, before);
    return rc;
  }
  *e = next;
  return 0;
}

int smtp_dot_finish(smtp_dot_encoder *e, smtp_buf *out) {
  size_t before = smtp_buf_length(out);
  int rc = 0;

  if (e->state == AFTER_CR) {
    rc = note_bare(e, SMTP_DOT_BARE_CR);
    if (rc == 0) rc = smtp_buf_append(out, "\n", 1);
  } else if (e->state == OTHER) {
    rc = smtp_buf_append(out, "\r\n", 2);
  }
  if (rc == 0 && e->mode & SMTP_DOT_STUFF)
    rc = smtp_buf_append(out, ".\r\n", 3);
  if (rc < 0) {
    smtp_buf_truncate(out, before);
    return rc;
  }
  e->state = LINE_START;
  return 0;
}

void smtp_dot_measure_add(smtp_dot_measure *m, smtp_slice content) {
  const char *p = content.p, *end = content.p + content.n, *at;
  if (content.n == 0) return;
  m->size += content.n;
  if (m->state == AFTER_CR && *p != '\n') m->size++;
  for (at = find(p, '\n', end); at < end; at = find(at + 1, '\n', end))
    m->size += at > p ? at[-1] != '\r' : m->state != AFTER_CR;
  for (at = find(p, '\r', end); at < end; at = find(at + 1, '\r', end))
    m->size += at + 1 < end && at[1] != '\n';
  m->state = end[-1] == '\n' ? LINE_START : end[-1] == '\r' ? AFTER_CR : OTHER;
}

void smtp_dot_measure_end(smtp_dot_measure *m) {
  m->size += m->state == AFTER_CR ? 1 : m->state == OTHER ? 2 : 0;
  m->state = LINE_START;
}
