/* SPDX-License-Identifier: MIT */
/*
** fuzz/path.c: any bytes as a path, under every set of flags. What is read
** must be written in a form that is read alike, in strict mode too unless the
** lenient reader took what has no strict form; what the strict reader takes
** the lenient one takes with the same meaning.
*/
#include <stdlib.h>
#include <string.h>

#include "../csrc/core/path.h"

#define ALL_FLAGS 16
#define CHECK(condition) ((condition) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int same(const smtp_path *a, const smtp_path *b) {
  return a->null == b->null && a->eightbit == b->eightbit &&
         a->local_n == b->local_n && a->domain_n == b->domain_n &&
         memcmp(a->local, b->local, a->local_n) == 0 &&
         memcmp(a->domain, b->domain, a->domain_n) == 0;
}

/* Reads all of text back, and compares. */
static void check_reread(const smtp_path *path, smtp_slice text,
                         unsigned flags) {
  smtp_path again;
  size_t used;
  CHECK(smtp_path_parse(&again, text, flags, &used) == 0);
  CHECK(used == text.n && same(path, &again));
}

static void check_written(const smtp_path *path, unsigned flags) {
  unsigned with = flags & ~(unsigned)SMTP_PATH_BARE;
  smtp_buf out;
  smtp_buf_init(&out, smtp_mem_libc(), 4096);
  CHECK(smtp_path_format(&out, path) == 0);
  smtp_slice text = smtp_buf_data(&out);
  for (size_t i = 0; i < text.n; i++)
    CHECK((unsigned char)text.p[i] >= ' ' && text.p[i] != 127);
  check_reread(path, text, with);
  if (path->local_n * 2 + 2 <= SMTP_LOCAL_MAX &&
      memchr(path->domain, '_', path->domain_n) == NULL)
    check_reread(path, text, with | SMTP_PATH_STRICT);
  smtp_buf_truncate(&out, 0);
  CHECK(smtp_path_format_mailbox(&out, path) == 0);
  check_reread(path, smtp_buf_data(&out), flags | SMTP_PATH_BARE);
  smtp_buf_clear(&out);
}

static void check(smtp_slice in, unsigned flags) {
  smtp_path path, lenient;
  size_t used, lenient_used;
  int result = smtp_path_parse(&path, in, flags, &used);
  CHECK(result == 0 || result == SMTP_ESYNTAX || result == SMTP_ETOOBIG);
  if (result != 0) return;
  CHECK(used <= in.n);
  CHECK((flags & SMTP_PATH_BARE) == 0 || used == in.n);
  CHECK(!path.null || (flags & SMTP_PATH_NULL) != 0);
  CHECK(path.null || path.domain_n > 0 || (flags & SMTP_PATH_POSTMASTER) != 0);
  check_written(&path, flags);
  flags &= ~(unsigned)SMTP_PATH_STRICT;
  CHECK(smtp_path_parse(&lenient, in, flags, &lenient_used) == 0);
  CHECK(lenient_used == used && same(&path, &lenient));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *copy = malloc(size); /* exact: a read beyond it is seen */
  if (copy == NULL && size > 0) return 0;
  if (size > 0) memcpy(copy, data, size);
  smtp_slice in = {copy, size};
  for (unsigned flags = 0; flags < ALL_FLAGS; flags++) check(in, flags);
  if (smtp_path_check_domain(in, SMTP_PATH_STRICT) == 0)
    CHECK(smtp_path_check_domain(in, 0) == 0);
  free(copy);
  return 0;
}
