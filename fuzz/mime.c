/* SPDX-License-Identifier: MIT */
/*
** fuzz/mime.c: any bytes as a message, as a header and as the input of each
** decoder. Parts lie in their parents and do not overlap, text is UTF-8
** whatever it was, no decoder gives more than it may, and a list that is too
** short is filled as the long one begins. A list of mailboxes has no fault that
** depends on where its reading ends.
*/
#include <stdlib.h>
#include <string.h>

#include "../csrc/core/ascii.h"
#include "../csrc/mime/charset.h"
#include "../csrc/mime/decode.h"
#include "../csrc/mime/entity.h"
#include "../csrc/mime/fields.h"
#include "../csrc/mime/mailbox_parse.h"
#include "../csrc/mime/value.h"

#define CHECK(condition) ((condition) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static smtp_entity list[SMTP_ENTITY_MAX];

static void check_walk(smtp_slice in) {
  smtp_entity few[3];
  int count = smtp_entity_walk(list, SMTP_ENTITY_MAX, in, smtp_mem_libc());
  int some = smtp_entity_walk(few, 3, in, smtp_mem_libc());
  CHECK(count >= 1 && count <= SMTP_ENTITY_MAX);
  CHECK(list[0].begin == 0 && list[0].end == in.n);
  for (int i = 0; i < count; i++) {
    const smtp_entity *e = &list[i], *parent = &list[e->parent];
    CHECK(e->begin <= e->body && e->body <= e->end && e->end <= in.n);
    CHECK(e->depth <= SMTP_ENTITY_DEPTH);
    if (i == 0) continue;
    CHECK(e->parent < (size_t)i && e->depth == parent->depth + 1);
    CHECK(parent->kind == SMTP_ENTITY_MULTIPART ||
          parent->kind == SMTP_ENTITY_MESSAGE);
    CHECK(parent->body <= e->begin && e->end <= parent->end);
    CHECK(list[i - 1].begin <= e->begin);
    if (list[i - 1].depth >= e->depth) CHECK(list[i - 1].end <= e->begin);
  }
  CHECK(some == (count < 3 ? count : 3));
  for (int i = 0; i < some; i++) CHECK(few[i].begin == list[i].begin);
}

static void check_fields(smtp_slice in) {
  smtp_field field;
  size_t at = 0, last = 0, body = smtp_fields_body(in);
  CHECK(body <= in.n);
  in.n = body;
  CHECK(smtp_fields_body(in) == body);
  while (smtp_fields_next(in, &at, &field) == 1) {
    CHECK(at > last && at <= in.n && field.name.n > 0);
    CHECK(field.name.p >= in.p + last);
    CHECK(field.value.p > field.name.p);
    CHECK(field.value.p + field.value.n <= in.p + at);
    last = at;
  }
  CHECK(at >= last && at <= in.n);
}

static void check_value(smtp_slice in) {
  smtp_value v;
  smtp_buf out;
  smtp_buf_init(&out, smtp_mem_libc(), 4 * in.n + 16);
  smtp_value_init(&v, smtp_mem_libc());
  CHECK(smtp_value_parse(&v, in) == 0);
  CHECK(v.count <= SMTP_VALUE_PARAMS);
  for (size_t i = 0; i < v.count; i++) {
    CHECK(v.params[i].name.n > 0);
    CHECK(smtp_value_find(&v, v.params[i].name) != NULL);
    CHECK(smtp_value_text(&out, &v.params[i]) == 0);
    CHECK(smtp_utf8_valid(smtp_buf_data(&out)));
    smtp_buf_truncate(&out, 0);
  }
  smtp_value_clear(&v);
  smtp_buf_clear(&out);
}

static void check_mailboxes(smtp_slice in) {
  smtp_mailbox_list l, some;
  smtp_mailbox_list_init(&l, smtp_mem_libc());
  smtp_mailbox_list_init(&some, smtp_mem_libc());
  CHECK(smtp_mailbox_parse(&l, in, SIZE_MAX) == 0);
  CHECK(smtp_mailbox_parse(&some, in, SIZE_MAX - 1) == 0);
  CHECK(l.fault == some.fault && !l.in_group);
  for (size_t i = 0; i < l.count; i++) {
    smtp_mailbox m = smtp_mailbox_list_at(&l, i);
    CHECK(m.name.n + m.address.n > 0 && smtp_utf8_valid(m.name));
    if (m.group == SMTP_NO_GROUP) continue;
    CHECK(m.group < l.groups);
    smtp_mailbox_group g = smtp_mailbox_list_group(&l, m.group);
    CHECK(g.name.n > 0 && g.first <= i && i < g.first + g.count);
  }
  smtp_mailbox_list_clear(&l);
  smtp_mailbox_list_clear(&some);
}

static void check_decoders(smtp_slice in) {
  int (*const decoders[])(smtp_buf *, smtp_slice) = {
      smtp_decode_base64, smtp_decode_qp, smtp_decode_percent};
  smtp_buf out;
  smtp_buf_init(&out, smtp_mem_libc(), in.n + 5); /* with eA== */
  for (size_t i = 0; i < 3; i++) {
    CHECK(smtp_decode_base64(&out, SMTP_LIT("eA==")) == 0);
    CHECK(decoders[i](&out, in) == 0);
    CHECK(smtp_buf_data(&out).p[0] == 'x');
    smtp_buf_truncate(&out, 0);
  }
  smtp_buf_clear(&out);
  smtp_buf_init(&out, smtp_mem_libc(), 64 * in.n + 1);
  CHECK(smtp_decode_uu(&out, in) == 0);
  smtp_buf_clear(&out);
}

/* The first line is the name of a charset, the rest the text. */
static void check_text(smtp_slice in) {
  smtp_slice name = smtp_fields_trim(smtp_fields_first(in)), all;
  smtp_buf out;
  smtp_buf_init(&out, smtp_mem_libc(), 8 * in.n + 16);
  CHECK(smtp_decode_words(&out, in) == 0);
  all = smtp_buf_data(&out);
  CHECK(smtp_utf8_valid(all));
  CHECK(memchr(all.p, '\r', all.n) == NULL);
  CHECK(memchr(all.p, '\n', all.n) == NULL);
  smtp_buf_truncate(&out, 0);
  CHECK(smtp_charset_utf8(&out, in, name) == 0);
  CHECK(smtp_utf8_valid(smtp_buf_data(&out)));
  smtp_buf_clear(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *copy = malloc(size > 0 ? size : 1); /* a read beyond it is seen */
  if (copy == NULL) return 0;
  if (size > 0) memcpy(copy, data, size);
  smtp_slice in = {copy, size};
  check_walk(in);
  check_fields(in);
  check_value(in);
  check_mailboxes(in);
  check_decoders(in);
  check_text(in);
  free(copy);
  return 0;
}
