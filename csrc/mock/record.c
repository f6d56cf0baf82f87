/* SPDX-License-Identifier: MIT */
/* record.c: see record.h. */
#include "record.h"

#include <stdlib.h>
#include <string.h>

#include "../core/ascii.h"
#include "text.h"

/* A dialogue that is longer loses its beginning, half of it at a time. */
#define TRANSCRIPT_MAX (8 * 1024 * 1024)
#define LINE_MAX_SHOWN 2048

/* ---- lists ------------------------------------------------------------ */

/* Makes room for one more of size bytes; NULL: no memory. */
static void *grown(void *list, size_t n, size_t size) {
  if ((n & (n - 1)) != 0) return list; /* grows at powers of two */
  return realloc(list, (n == 0 ? 1 : 2 * n) * size);
}

void smtp_mock_mail_free(smtp_mock_mail *mail) {
  size_t i;
  if (mail == NULL) return;
  for (i = 0; i < mail->recipients_n; i++) {
    smtp_text_clear(&mail->recipients[i].address);
    smtp_text_clear(&mail->recipients[i].params);
    smtp_text_clear(&mail->recipients[i].reply);
  }
  free(mail->recipients);
  smtp_text_clear(&mail->from);
  smtp_text_clear(&mail->params);
  smtp_text_clear(&mail->helo);
  smtp_text_clear(&mail->user);
  smtp_buf_clear(&mail->raw);
  free(mail);
}

static void free_visit(smtp_mock_visit *v) {
  smtp_text_clear(&v->helo);
  smtp_text_clear(&v->user);
  smtp_text_clear(&v->mechanism);
  smtp_text_clear(&v->tls_version);
  smtp_text_clear(&v->tls_cipher);
  smtp_text_clear(&v->tls_name);
  smtp_text_clear(&v->tls_error);
  smtp_text_clear(&v->reason);
  free(v);
}

void smtp_mock_record_init(smtp_mock_record *r) {
  memset(r, 0, sizeof *r);
  smtp_buf_init(&r->transcript, smtp_mem_libc(), 2 * TRANSCRIPT_MAX);
}

void smtp_mock_record_reset(smtp_mock_record *r) {
  size_t i, kept = 0;
  for (i = 0; i < r->mails_n; i++) smtp_mock_mail_free(r->mails[i]);
  for (i = 0; i < r->violations_n; i++) smtp_text_clear(&r->violations[i].text);
  for (i = 0; i < r->visits_n; i++) {
    if (r->visits[i]->closed > 0)
      free_visit(r->visits[i]);
    else
      r->visits[kept++] = r->visits[i];
  }
  free(r->mails);
  free(r->violations);
  r->mails_before += r->mails_n;
  r->mails = NULL;
  r->violations = NULL;
  r->mails_n = r->violations_n = 0;
  r->visits_n = kept; /* a list may have more room than it needs */
  smtp_buf_clear(&r->transcript);
  memset(r->counts, 0, sizeof r->counts);
  r->lost = false;
}

void smtp_mock_record_clear(smtp_mock_record *r) {
  size_t i;
  for (i = 0; i < r->visits_n; i++) free_visit(r->visits[i]);
  free(r->visits);
  r->visits = NULL;
  r->visits_n = 0;
  smtp_mock_record_reset(r);
}

/* ---- adding ----------------------------------------------------------- */

smtp_mock_visit *smtp_mock_record_visit(smtp_mock_record *r, uint64_t number) {
  smtp_mock_visit **list = grown(r->visits, r->visits_n, sizeof *list);
  smtp_mock_visit *v;
  if (list == NULL) return NULL;
  r->visits = list;
  if ((v = calloc(1, sizeof *v)) == NULL) return NULL;
  v->number = number;
  list[r->visits_n++] = v;
  return v;
}

smtp_mock_mail *smtp_mock_mail_new(uint64_t session, smtp_slice from,
                                   smtp_slice params) {
  smtp_mock_mail *mail = calloc(1, sizeof *mail);
  if (mail == NULL) return NULL;
  smtp_buf_init(&mail->raw, smtp_mem_libc(), SIZE_MAX / 2);
  mail->session = session;
  if (smtp_text_set(&mail->from, from) == 0 &&
      smtp_text_set(&mail->params, params) == 0)
    return mail;
  smtp_mock_mail_free(mail);
  return NULL;
}

void smtp_mock_mail_recipient(smtp_mock_mail *mail, smtp_slice address,
                              smtp_slice params, int code, smtp_slice reply) {
  smtp_mock_recipient *list =
      grown(mail->recipients, mail->recipients_n, sizeof *list);
  smtp_mock_recipient one = {{NULL, 0}, {NULL, 0}, 0, {NULL, 0}};
  if (list == NULL) return;
  mail->recipients = list;
  one.code = code;
  if (smtp_text_set(&one.address, address) != 0) return;
  smtp_text_set(&one.params, params);
  smtp_text_set(&one.reply, reply);
  list[mail->recipients_n++] = one;
}

void smtp_mock_record_mail(smtp_mock_record *r, smtp_mock_mail *mail) {
  smtp_mock_mail **list = grown(r->mails, r->mails_n, sizeof *list);
  if (list == NULL) {
    r->lost = true;
    smtp_mock_mail_free(mail);
    return;
  }
  r->mails = list;
  list[r->mails_n++] = mail;
  mail->number = r->mails_before + r->mails_n;
}

void smtp_mock_record_violation(smtp_mock_record *r, uint64_t session,
                                const char *rule, const char *section,
                                smtp_slice text) {
  smtp_mock_violation *list =
      grown(r->violations, r->violations_n, sizeof *list);
  smtp_mock_violation one = {session, rule, section, {NULL, 0}};
  r->lost = r->lost || list == NULL;
  if (list == NULL) return;
  r->violations = list;
  smtp_text_set(&one.text, text);
  list[r->violations_n++] = one;
}

/* The end of the last line is left out, and whatever is far too long. */
static void add_line(smtp_buf *t, uint64_t session, char who, smtp_slice line) {
  char mark[4] = {' ', who, ':', ' '};
  while (line.n > 0 && line.p[line.n - 1] == '\r') line.n--;
  if (line.n > LINE_MAX_SHOWN) line.n = LINE_MAX_SHOWN;
  if (smtp_buf_append_number(t, session) != 0 ||
      smtp_buf_append(t, mark, sizeof mark) != 0 ||
      smtp_buf_append_slice(t, line) != 0)
    return;
  smtp_buf_append(t, "\n", 1);
}

void smtp_mock_record_line(smtp_mock_record *r, uint64_t session, char who,
                           smtp_slice text) {
  smtp_buf *t = &r->transcript;
  smtp_slice line;
  if (smtp_buf_length(t) > TRANSCRIPT_MAX) {
    smtp_slice all = smtp_buf_data(t);
    const char *lf = memchr(all.p + all.n / 2, '\n', all.n - all.n / 2);
    smtp_buf_consume(t, lf == NULL ? all.n : (size_t)(lf + 1 - all.p));
  }
  do {
    smtp_ascii_line(&text, &line);
    add_line(t, session, who, line);
  } while (text.n > 0);
}
