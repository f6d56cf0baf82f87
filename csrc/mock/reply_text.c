/* SPDX-License-Identifier: MIT */
/* reply_text.c: see reply_text.h. */
#include "reply_text.h"

#include <string.h>

#include "../core/ascii.h"
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
  smtp_slice line;
  bool more = true;
  if (smtp_mock_reply_code(text) > 0) {
    size_t n = text.n > 3 && (text.p[3] == ' ' || text.p[3] == '-') ? 4 : 3;
    memcpy(code, text.p, 3);
    text = (smtp_slice){text.p + n, text.n - n};
  }
  while (more) {
    more = smtp_ascii_line(&text, &line);
    if (line.n > 0 && line.p[line.n - 1] == '\r') line.n--;
    smtp_buf_append(out, code, 3);
    smtp_buf_append(out, more ? "-" : " ", 1);
    smtp_buf_append_slice(out, line);
    smtp_buf_append(out, "\r\n", 2);
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
    smtp_slice line, keyword, params;
    bool hidden;
    smtp_ascii_line(&reply, &line);
    line = (smtp_slice){line.p + 4, line.n - 5}; /* without its code and CR */
    hidden = !first && smtp_ehlo_line(line, &keyword, &params) == 0 &&
             smtp_mock_hides(m, keyword);
    if (!hidden) {
      if (!first) smtp_buf_append(&text, "\n", 1);
      smtp_buf_append_slice(&text, line);
    }
    first = false;
  }
  if (m->extra.n > 0) {
    smtp_buf_append(&text, "\n", 1);
    smtp_buf_append(&text, m->extra.p, m->extra.n);
  }
  all = smtp_buf_data(&text);
  smtp_mock_reply_format(out, all);
  smtp_buf_clear(&text);
}
