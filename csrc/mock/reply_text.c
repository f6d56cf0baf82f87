/* SPDX-License-Identifier: MIT */
/* reply_text.c: see reply_text.h. */
#include "reply_text.h"

#include <string.h>

#include "../core/ehlo.h"

/* The code that bytes begin with, 0 if they do not. */
int smtp_mock_reply_code(smtp_slice text) {
  int code = 0;
  size_t i;
  for (i = 0; i < 3; i++) {
    if (i >= text.n || text.p[i] < '0' || text.p[i] > '9') return 0;
    code = code * 10 + (text.p[i] - '0');
  }
  return code;
}

/* "550 one LF two" as it goes on the wire: each line has the code. */
void smtp_mock_reply_format(smtp_buf *out, smtp_slice text) {
  char code[3] = {'2', '5', '0'};
  const char *p = text.p, *end = text.p + text.n;
  if (smtp_mock_reply_code(text) > 0) {
    memcpy(code, p, 3);
    p += 3;
    if (p < end && (*p == ' ' || *p == '-')) p++;
  }
  for (;;) {
    const char *lf = memchr(p, '\n', (size_t)(end - p));
    const char *stop = lf == NULL ? end : lf;
    if (stop > p && stop[-1] == '\r') stop--;
    smtp_buf_append(out, code, 3);
    smtp_buf_append(out, lf == NULL ? " " : "-", 1);
    smtp_buf_append(out, p, (size_t)(stop - p));
    smtp_buf_append(out, "\r\n", 2);
    if (lf == NULL) return;
    p = lf + 1;
  }
}

void smtp_mock_reply_each(size_t n, bool lmtp, smtp_buf *out, smtp_slice text) {
  if (n > 1 && !lmtp) smtp_mock_reply_format(out, SMTP_LIT("353 One by one"));
  while (n-- > 0) smtp_mock_reply_format(out, text);
}

/* Of the machine's EHLO reply: without what is hidden, with what is extra. */
void smtp_mock_reply_ehlo(const smtp_mock *m, smtp_slice reply, smtp_buf *out) {
  smtp_buf text;
  smtp_slice all;
  bool first = true;
  smtp_buf_init(&text, smtp_mem_libc(), SMTP_REPLY_MAX);
  smtp_buf_append(&text, "250 ", 4);
  while (reply.n > 6) {
    const char *lf = memchr(reply.p, '\n', reply.n);
    smtp_slice line = {reply.p + 4, (size_t)(lf - reply.p) - 5};
    smtp_slice keyword, params;
    bool hidden = !first && smtp_ehlo_line(line, &keyword, &params) == 0 &&
                  smtp_mock_hides(m, keyword);
    if (!hidden) {
      if (!first) smtp_buf_append(&text, "\n", 1);
      smtp_buf_append_slice(&text, line);
    }
    first = false;
    reply.n -= (size_t)(lf + 1 - reply.p);
    reply.p = lf + 1;
  }
  if (m->extra.n > 0) {
    smtp_buf_append(&text, "\n", 1);
    smtp_buf_append(&text, m->extra.p, m->extra.n);
  }
  all = smtp_buf_data(&text);
  smtp_mock_reply_format(out, all);
  smtp_buf_clear(&text);
}
