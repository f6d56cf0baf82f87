/* SPDX-License-Identifier: MIT */
/*
** fuzz/param.c: any bytes as the parameters of MAIL and RCPT. Each parameter
** that is read must be written in a form that is read alike, the reader must
** come forward, and the typed readers must agree with it on what is malformed.
*/
#include <stdlib.h>
#include <string.h>

#include "../csrc/core/ehlo.h"
#include "../csrc/core/envelope.h"
#include "../csrc/core/param.h"

#define CHECK(condition) ((condition) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int same(smtp_slice a, smtp_slice b) {
  return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

static void check_written(const smtp_param *param) {
  smtp_buf out;
  smtp_param again;
  smtp_buf_init(&out, smtp_mem_libc(), (size_t)1 << 24);
  CHECK(smtp_param_format(&out, param) == 0);
  smtp_slice text = smtp_buf_data(&out);
  CHECK(smtp_param_next(&text, &again) == 1);
  CHECK(text.n == 0 && again.has_value == param->has_value);
  CHECK(same(again.key, param->key) && same(again.value, param->value));
  smtp_buf_clear(&out);
}

/* Reads all of in; the last result of smtp_param_next. */
static int check_each(smtp_slice in, size_t *count) {
  smtp_param param;
  smtp_slice rest = in;
  int result;
  *count = 0;
  for (;;) {
    smtp_slice before = rest;
    result = smtp_param_next(&rest, &param);
    if (result <= 0) {
      CHECK(result == 0 ? rest.n == 0 : result == SMTP_ESYNTAX);
      CHECK(result == 0 || (rest.p == before.p && rest.n == before.n));
      return result;
    }
    CHECK(rest.n < before.n && rest.p + rest.n == in.p + in.n);
    check_written(&param);
    ++*count;
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *copy = malloc(size); /* exact: a read beyond it is seen */
  size_t count;
  smtp_mail_params mail;
  smtp_rcpt_params rcpt;
  smtp_param_rules rules = {0, {"", 0}, false};
  if (copy == NULL && size > 0) return 0;
  if (size > 0) memcpy(copy, data, size);
  smtp_slice in = {copy, size};
  int each = check_each(in, &count);
  int result = smtp_rcpt_params_parse(&rcpt, in, &rules);
  CHECK(result == (each != 0 ? each : count > 0 ? SMTP_EINVALID : 0));
  rules.offered = ~0u;
  result = smtp_rcpt_params_parse(&rcpt, in, &rules);
  CHECK(each == 0 || result == SMTP_ESYNTAX);
  if (result == 0)
    CHECK(count ==
          (size_t)(rcpt.notify != 0) + (rcpt.orcpt.n > 0) + (rcpt.rrvs.n > 0));
  result = smtp_mail_params_parse(&mail, in, &rules);
  CHECK(each == 0 || result == SMTP_ESYNTAX);
  if (result == 0)
    CHECK(count ==
          (size_t)mail.has_size + (mail.body != SMTP_BODY_UNSET) +
              mail.has_auth + mail.smtputf8 + (mail.ret != SMTP_RET_UNSET) +
              (mail.envid.n > 0) + mail.requiretls + mail.prdr + mail.has_by +
              mail.has_priority + mail.has_hold_for + (mail.hold_until.n > 0));
  if (result == 0 && mail.hold_until.n > 0) {
    int64_t seconds; /* of the years 0 to 9999, an offset of a day at most */
    CHECK(smtp_date_time_parse(mail.hold_until, &seconds) == 0);
    CHECK(seconds > -62167305600 && seconds < 253402387200);
  }
  free(copy);
  return 0;
}
