/* SPDX-License-Identifier: MIT */
/*
** fuzz/command.c: any bytes as a command line, taken apart as the server does
** it: verb, path, parameters, under strict and lenient rules. A line that is
** read is written and read back; what is written is one line whatever it was
** made from; no line with a verb of SMTP is foreign.
*/
#include <stdlib.h>
#include <string.h>

#include "../csrc/core/ascii.h"
#include "../csrc/core/command.h"
#include "../csrc/core/envelope.h"
#include "../csrc/core/param.h"

#define CHECK(condition) ((condition) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int equal(smtp_slice a, smtp_slice b) {
  return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static void check_params(smtp_verb verb, smtp_slice params) {
  smtp_slice rest = params;
  smtp_param param;
  smtp_mail_params mail;
  smtp_param_rules rules = {~0u, {"", 0}, false};
  int rc;
  while ((rc = smtp_param_next(&rest, &param)) == 1) {
    CHECK(param.key.n > 0 && rest.n < params.n);
    CHECK(param.key.p >= params.p && rest.p + rest.n == params.p + params.n);
    CHECK(param.has_value || param.value.n == 0);
  }
  CHECK(rc == 0 || rc == SMTP_ESYNTAX);
  if (verb == SMTP_VERB_MAIL &&
      smtp_mail_params_parse(&mail, params, &rules) == 0)
    CHECK(rc == 0);
}

/* The path as it is written must be read as the same, and to its end. */
static void check_rewritten(smtp_slice word, unsigned flags,
                            const smtp_path *path) {
  smtp_buf out;
  smtp_path again;
  smtp_slice rest;
  smtp_buf_init(&out, smtp_mem_libc(), 4096);
  CHECK(smtp_buf_append_slice(&out, word) == 0);
  CHECK(smtp_path_format(&out, path) == 0);
  CHECK(smtp_command_path(smtp_buf_data(&out), word, flags, &again, &rest) ==
        0);
  CHECK(rest.n == 0 && again.null == path->null);
  CHECK(again.local_n == path->local_n && again.domain_n == path->domain_n);
  CHECK(memcmp(again.local, path->local, path->local_n) == 0);
  CHECK(memcmp(again.domain, path->domain, path->domain_n) == 0);
  smtp_buf_clear(&out);
}

/* 1 if the arguments of MAIL or RCPT hold a path. */
static int check_path(const smtp_command *command, unsigned strict) {
  int mail = command->verb == SMTP_VERB_MAIL;
  smtp_slice word = mail ? SMTP_LIT("FROM:") : SMTP_LIT("TO:"), params;
  unsigned flags = (mail ? SMTP_PATH_NULL : SMTP_PATH_POSTMASTER) | strict;
  smtp_path path;
  int rc = smtp_command_path(command->args, word, flags, &path, &params);
  CHECK(rc == 0 || rc == SMTP_ESYNTAX || rc == SMTP_ETOOBIG);
  if (rc != 0) return 0;
  CHECK(params.n < command->args.n &&
        (params.n == 0 || params.p[0] == ' ' || params.p[0] == '\t'));
  CHECK(params.p + params.n == command->args.p + command->args.n);
  check_params(command->verb, params);
  check_rewritten(word, flags & ~(unsigned)SMTP_PATH_STRICT, &path);
  return 1;
}

static void check_written(smtp_slice name, smtp_slice args, bool utf8) {
  smtp_buf out;
  smtp_command again;
  smtp_buf_init(&out, smtp_mem_libc(), (size_t)1 << 24);
  if (smtp_command_format(&out, name, args, utf8) == 0) {
    smtp_slice wire = smtp_buf_data(&out);
    CHECK(wire.n == name.n + args.n + 2 + (args.n > 0));
    CHECK(memchr(wire.p, '\n', wire.n) == wire.p + wire.n - 1);
    CHECK(memchr(wire.p, '\r', wire.n) == wire.p + wire.n - 2);
    CHECK(memchr(wire.p, 0, wire.n) == NULL);
    wire.n -= 2;
    CHECK(smtp_command_parse(&again, wire, true) == 0 &&
          equal(again.name, name));
  } else {
    CHECK(smtp_buf_length(&out) == 0);
  }
  smtp_buf_clear(&out);
}

static void check_line(smtp_slice line) {
  smtp_command command;
  int rc = smtp_command_parse(&command, line, true);
  CHECK(rc == 0 || rc == SMTP_ESYNTAX);
  bool foreign = smtp_command_foreign(line, SMTP_LIT(""));
  if (rc != 0) rc = smtp_command_parse(&command, line, false);
  if (rc != 0) return;
  CHECK(command.name.p == line.p && command.name.n > 0);
  CHECK(command.name.n + command.args.n <= line.n);
  CHECK(command.verb == smtp_command_verb(command.name));
  CHECK(!foreign || command.verb == SMTP_VERB_OTHER);
  if (command.verb != SMTP_VERB_OTHER)
    CHECK(smtp_ascii_equal(command.name, smtp_command_name(command.verb)));
  if (command.verb == SMTP_VERB_MAIL || command.verb == SMTP_VERB_RCPT) {
    int strict = check_path(&command, SMTP_PATH_STRICT);
    CHECK(check_path(&command, 0) || !strict);
  }
  check_written(command.name, command.args, false);
  check_written(command.name, command.args, true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *copy = malloc(size); /* exact: a read beyond it is seen */
  if (copy == NULL && size > 0) return 0;
  if (size > 0) memcpy(copy, data, size);
  smtp_slice in = {copy, size};
  check_line(in);
  check_written(in, in, true);
  check_written(SMTP_LIT("NOOP"), in, false);
  free(copy);
  return 0;
}
