/* SPDX-License-Identifier: MIT */
/*
** reply.c: replies, parsed and made (RFC 5321 sections 4.2 and 4.5.3.1.5).
**
** A line is looked at once, when it is whole; that no LF has come yet is
** remembered by the buffer. Limits hold at each line, so a peer that never
** ends one or never sends the last costs a bounded amount of memory.
*/
#include "reply.h"

#include <string.h>

#include "ascii.h"

#define WIRE_LINE_MAX 512 /* RFC 5321 section 4.5.3.1.5, CRLF included */

void smtp_reply_init(smtp_reply *r, const smtp_mem *mem) {
  r->mem = mem;
  r->code = 0;
  r->lines = 0;
  r->seen = 0;
  r->done = r->differs = false;
  r->error = NULL;
  smtp_buf_init(&r->text, mem, SMTP_REPLY_MAX);
}

void smtp_reply_clear(smtp_reply *r) {
  smtp_buf_clear(&r->text);
  smtp_reply_init(r, r->mem);
}

static int broken(smtp_reply *r, const char *why) {
  r->error = why;
  return SMTP_EPROTOCOL;
}

static int differing(smtp_reply *r) {
  return broken(r, "reply code differs between lines");
}

/* Reply-code = %x32-35 %x30-35 %x30-39 */
int smtp_reply_code(smtp_slice line) {
  const char *p = line.p;
  if (line.n < 3 || p[0] < '2' || p[0] > '5' || p[1] < '0' || p[1] > '5' ||
      p[2] < '0' || p[2] > '9')
    return 0;
  return (p[0] - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0');
}

/* Appends a line's text to those that came before. */
static int keep_text(smtp_reply *r, smtp_slice line) {
  size_t before = smtp_buf_length(&r->text);
  int rc = 0;
  if (r->code != 0) rc = smtp_buf_append(&r->text, "\n", 1);
  if (rc == 0 && line.n > 4)
    rc = smtp_buf_append(&r->text, line.p + 4, line.n - 4);
  if (rc < 0) smtp_buf_truncate(&r->text, before);
  return rc;
}

/* The first line of a class that is worse drops those before it; lines of a
** better class are not kept. */
static int take_text(smtp_reply *r, int code, smtp_slice line) {
  int rc;
  if (r->code != 0 && code != r->code) r->differs = true;
  if (code / 100 < r->code / 100) return 0;
  if (r->code != 0 && code / 100 > r->code / 100) {
    smtp_buf_truncate(&r->text, 0);
    r->code = 0;
  }
  rc = keep_text(r, line);
  if (rc == 0 && r->code == 0) r->code = code;
  return rc;
}

/*
** Takes one whole line with its LF: 1 if it is the last of the reply, else 0.
** On SMTP_ENOMEM the reply is as it was, and the line may be given again.
*/
static int take_line(smtp_reply *r, smtp_slice line) {
  size_t wire = line.n;
  int code, rc;

  if (wire > SMTP_REPLY_LINE_MAX) return broken(r, "reply line too long");
  if (wire > SMTP_REPLY_MAX - r->seen) return broken(r, "reply too long");
  if (r->lines == SMTP_REPLY_LINES_MAX)
    return broken(r, "too many lines in reply");
  if (wire < 2 || line.p[wire - 2] != '\r')
    return broken(r, "reply line does not end with CRLF");
  line.n -= 2;
  if (memchr(line.p, '\r', line.n) != NULL)
    return broken(r, "bare CR in reply");
  if (memchr(line.p, 0, line.n) != NULL) return broken(r, "NUL in reply");
  code = smtp_reply_code(line);
  if (code == 0) return broken(r, "not an SMTP reply");
  if (line.n > 3 && line.p[3] != ' ' && line.p[3] != '-')
    return broken(r, "no space or hyphen behind the reply code");
  rc = take_text(r, code, line);
  if (rc < 0) return rc;
  r->lines++;
  r->seen += wire;
  return line.n == 3 || line.p[3] == ' ';
}

int smtp_reply_feed(smtp_reply *r, smtp_buf *in) {
  smtp_slice line;
  int rc = 0;

  if (r->error != NULL) return SMTP_EPROTOCOL;
  while (!r->done && smtp_buf_line(in, &line) == 1) {
    rc = take_line(r, line);
    if (rc < 0) return rc;
    r->done = rc == 1;
    smtp_buf_consume(in, line.n);
  }
  if (r->done && r->differs) return differing(r);
  /* With its LF still to come, a line of this length is over the limit. */
  if (!r->done && smtp_buf_length(in) >= SMTP_REPLY_LINE_MAX)
    return broken(r, "reply line too long");
  return r->done;
}

int smtp_reply_end(smtp_reply *r) {
  return r->differs ? differing(r) : 0;
}

smtp_slice smtp_reply_text(const smtp_reply *r) {
  return smtp_buf_data(&r->text);
}

smtp_status smtp_reply_status(const smtp_reply *r) {
  smtp_slice rest = smtp_reply_text(r), line;
  smtp_status status;
  size_t used;

  smtp_ascii_line(&rest, &line);
  smtp_status_parse(&status, line, &used);
  if (status.class_ != r->code / 100) status = (smtp_status){0, 0, 0};
  return status;
}

/* LF and CRLF part lines, HT is text; no other control byte may pass. */
static bool text_is_safe(smtp_slice text) {
  size_t i;
  for (i = 0; i < text.n; i++) {
    unsigned char c = (unsigned char)text.p[i];
    bool crlf = c == '\r' && i + 1 < text.n && text.p[i + 1] == '\n';
    if (smtp_ascii_is(c, SMTP_CONTROL) && c != '\t' && c != '\n' && !crlf)
      return false;
  }
  return true;
}

/*
** How much of line, which is longer than room, goes on the wire line: up to
** the last space that fits, or all of room but for a cut UTF-8 character. A
** character has at most 3 bytes behind its first; more are no UTF-8.
*/
static size_t break_at(smtp_slice line, size_t room) {
  size_t n = room, back;

  while (n > 0 && line.p[n] != ' ') n--;
  if (n > 0) return n;
  for (back = 0; back < 3; back++)
    if (((unsigned char)line.p[room - back] & 0xc0) != 0x80) break;
  return ((unsigned char)line.p[room - back] & 0xc0) != 0x80 ? room - back
                                                             : room;
}

static int put_line(smtp_buf *out, int code, bool last, smtp_status status,
                    smtp_slice text) {
  int rc = smtp_buf_append_number(out, (uint64_t)code);
  if (rc == 0) rc = smtp_buf_append(out, last ? " " : "-", 1);
  if (rc == 0) rc = smtp_status_format(out, status);
  if (rc == 0 && status.class_ != 0 && text.n > 0)
    rc = smtp_buf_append(out, " ", 1);
  if (rc == 0) rc = smtp_buf_append_slice(out, text);
  if (rc == 0) rc = smtp_buf_append(out, "\r\n", 2);
  return rc;
}

/* Takes the next wire line's text off the front of *text; *last if all. */
static smtp_slice next_line(smtp_slice *text, size_t room, bool *last) {
  smtp_slice front = *text, line;
  size_t skip;

  if (front.n > room + 1) front.n = room + 1; /* a CR may stand behind room */
  smtp_ascii_line(&front, &line);
  skip = line.n < text->n && line.p[line.n] == '\n';
  *last = !skip;
  if (skip && line.n > 0 && line.p[line.n - 1] == '\r') {
    line.n--;
    skip = 2;
  }
  if (line.n > room) {
    line.n = break_at(line, room);
    skip = line.p[line.n] == ' ';
    *last = line.n + skip == text->n;
  }
  text->p += line.n + skip;
  text->n -= line.n + skip;
  return line;
}

/* The bytes of "5.7.1 "; 0 for none. */
static size_t status_length(smtp_status status) {
  size_t n = status.class_ == 0 ? 0 : 6;
  if (n > 0 && status.subject > 9) n += status.subject > 99 ? 2 : 1;
  if (n > 0 && status.detail > 9) n += status.detail > 99 ? 2 : 1;
  return n;
}

/* The line without its leading status, if that is the given one. */
static smtp_slice without_status(smtp_slice line, smtp_status status) {
  smtp_status own;
  size_t used;
  if (!smtp_status_parse(&own, line, &used) || own.class_ != status.class_ ||
      own.subject != status.subject || own.detail != status.detail)
    return line;
  return (smtp_slice){line.p + used, line.n - used};
}

int smtp_reply_format(smtp_buf *out, int code, smtp_status status,
                      smtp_slice text) {
  size_t before = smtp_buf_length(out);
  size_t room = WIRE_LINE_MAX - 4 - status_length(status) - 2;
  bool last = false;
  int rc = 0;

  if (text.n == 0) text = SMTP_LIT("");
  if (code < 200 || code > 599 || !text_is_safe(text)) return SMTP_EINVALID;
  if (status.class_ != 0 && status.class_ != code / 100) return SMTP_EINVALID;
  if (status.subject > 999 || status.detail > 999) return SMTP_EINVALID;
  while (rc == 0 && !last) {
    bool first = smtp_buf_length(out) == before;
    smtp_slice line = next_line(&text, room, &last);
    if (!first) line = without_status(line, status);
    rc = put_line(out, code, last, status, line);
  }
  if (rc < 0) smtp_buf_truncate(out, before);
  return rc;
}
