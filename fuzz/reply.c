/* SPDX-License-Identifier: MIT */
/*
** fuzz/reply.c: any bytes as replies, whole and byte by byte with the same
** outcome; a reply that was read is written and read back. The same bytes as
** the text of a reply: no line may be longer than 512 bytes or begin
** otherwise than with the code, and the text must be read back.
*/
#include <stdlib.h>
#include <string.h>

#include "../csrc/core/reply.h"

#define CHECK(condition) ((condition) ? (void)0 : abort())
#define ROOM ((size_t)1 << 24)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* All of in is there at once, in a buffer of exactly its size. */
static int feed_whole(smtp_reply *r, smtp_slice in, size_t *left) {
  smtp_buf b;
  char *place;
  int rc;
  smtp_buf_init(&b, smtp_mem_libc(), in.n);
  b.p = place = malloc(in.n); /* exact: a read beyond it is seen */
  CHECK(place != NULL || in.n == 0);
  if (in.n > 0) memcpy(place, in.p, in.n);
  b.size = b.end = in.n;
  rc = smtp_reply_feed(r, &b);
  *left = smtp_buf_length(&b);
  smtp_buf_clear(&b);
  return rc;
}

static int feed_bytes(smtp_reply *r, smtp_slice in, size_t *left) {
  smtp_buf b;
  size_t i;
  int rc = 0;
  smtp_buf_init(&b, smtp_mem_libc(), ROOM);
  for (i = 0; rc == 0 && i < in.n; i++) {
    CHECK(smtp_buf_append(&b, in.p + i, 1) == 0);
    rc = smtp_reply_feed(r, &b);
  }
  *left = in.n - i + smtp_buf_length(&b);
  smtp_buf_clear(&b);
  return rc;
}

static void check_same(const smtp_reply *a, const smtp_reply *b) {
  smtp_slice x = smtp_reply_text(a), y = smtp_reply_text(b);
  CHECK(a->code == b->code && a->lines == b->lines);
  CHECK(x.n == y.n && memcmp(x.p, y.p, x.n) == 0);
}

/* The wire lines of a reply with the code: short, and nothing else. */
static void check_lines(smtp_slice wire, const char *code) {
  while (wire.n > 0) {
    const char *lf = memchr(wire.p, '\n', wire.n);
    CHECK(lf != NULL && lf - wire.p >= 5 && lf - wire.p < 512);
    CHECK(lf[-1] == '\r' && memcmp(wire.p, code, 3) == 0);
    CHECK(wire.p[3] == (lf + 1 == wire.p + wire.n ? ' ' : '-'));
    wire.n -= (size_t)(lf + 1 - wire.p);
    wire.p = lf + 1;
  }
}

/* Formats a text, and reads it back if it is within our limits. */
static void check_format(smtp_slice text, smtp_status status) {
  smtp_buf out;
  smtp_reply r;
  size_t left;
  int rc;
  smtp_buf_init(&out, smtp_mem_libc(), ROOM);
  smtp_reply_init(&r, smtp_mem_libc());
  rc = smtp_reply_format(&out, 550, status, text);
  CHECK(rc == 0 || (rc == SMTP_EINVALID && smtp_buf_length(&out) == 0));
  if (rc == 0) {
    check_lines(smtp_buf_data(&out), "550");
    if (feed_whole(&r, smtp_buf_data(&out), &left) == 1) {
      CHECK(left == 0 && r.code == 550);
      if (status.class_ != 0)
        CHECK(smtp_reply_status(&r).detail == status.detail);
    } else {
      CHECK(r.error != NULL && smtp_buf_length(&out) > SMTP_REPLY_LINES_MAX);
    }
  }
  smtp_reply_clear(&r);
  smtp_buf_clear(&out);
}

/* A reply of lines that need no break is the same when it was written. */
static void check_rewritten(const smtp_reply *r) {
  smtp_buf out;
  smtp_reply again;
  size_t left;
  smtp_status none = {0, 0, 0};
  smtp_buf_init(&out, smtp_mem_libc(), ROOM);
  smtp_reply_init(&again, smtp_mem_libc());
  if (smtp_reply_text(r).n <= 500 &&
      smtp_reply_format(&out, r->code, none, smtp_reply_text(r)) == 0) {
    CHECK(feed_whole(&again, smtp_buf_data(&out), &left) == 1 && left == 0);
    check_same(r, &again);
  }
  smtp_reply_clear(&again);
  smtp_buf_clear(&out);
}

static void check_feed(smtp_slice in) {
  smtp_reply whole, bytes;
  size_t left, other;
  int rc;
  smtp_reply_init(&whole, smtp_mem_libc());
  smtp_reply_init(&bytes, smtp_mem_libc());
  rc = feed_whole(&whole, in, &left);
  CHECK(rc == feed_bytes(&bytes, in, &other));
  if (rc >= 0) check_same(&whole, &bytes);
  if (rc == 1) {
    smtp_status status = smtp_reply_status(&whole);
    CHECK(left == other && whole.seen == in.n - left);
    CHECK(whole.code >= 200 && whole.code <= 559 && whole.lines > 0);
    CHECK(status.class_ == 0 || status.class_ == whole.code / 100);
    check_rewritten(&whole);
  }
  CHECK((rc == SMTP_EPROTOCOL) == (whole.error != NULL));
  smtp_reply_clear(&whole);
  smtp_reply_clear(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *copy = malloc(size);
  if (copy == NULL && size > 0) return 0;
  if (size > 0) memcpy(copy, data, size);
  smtp_slice in = {copy, size};
  check_feed(in);
  check_format(in, (smtp_status){0, 0, 0});
  check_format(in, (smtp_status){5, 7, 100});
  free(copy);
  return 0;
}
