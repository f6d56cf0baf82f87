/* SPDX-License-Identifier: MIT */
/*
** fuzz/proxy.c: any bytes as a PROXY header, and as an IP address. A header is
** the same however its bytes come and whatever is behind it, and what was read
** is written in a form that is read alike.
*/
#include <stdlib.h>
#include <string.h>

#include "../csrc/core/proxy.h"

#define CHECK(condition) ((condition) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same(smtp_slice a, smtp_slice b) {
  return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static bool same_end(const smtp_proxy_end *a, const smtp_proxy_end *b) {
  return a->ip.n == b->ip.n && memcmp(a->ip.bytes, b->ip.bytes, 16) == 0 &&
         a->port == b->port && same(a->path, b->path);
}

static void check_same(const smtp_proxy *a, const smtp_proxy *b) {
  CHECK(a->version == b->version && a->local == b->local);
  CHECK(a->family == b->family && same(a->tlvs, b->tlvs));
  CHECK(same_end(&a->source, &b->source));
  CHECK(same_end(&a->destination, &b->destination));
}

/* TLVs taken one by one make the same bytes. */
static void check_tlvs(smtp_slice tlvs) {
  smtp_slice rest = tlvs;
  smtp_proxy_tlv tlv;
  smtp_buf out;
  int r;
  CHECK(tlvs.n <= SMTP_PROXY_TLV_MAX);
  smtp_buf_init(&out, smtp_mem_libc(), SMTP_PROXY_TLV_MAX);
  while ((r = smtp_proxy_tlv_next(&rest, &tlv)) == 1)
    CHECK(smtp_proxy_tlv_format(&out, &tlv) == 0);
  CHECK(r == 0 && rest.n == 0 && same(tlvs, smtp_buf_data(&out)));
  smtp_buf_clear(&out);
}

static void check_written(const smtp_proxy *proxy) {
  smtp_proxy again;
  smtp_buf out;
  size_t used;
  smtp_buf_init(&out, smtp_mem_libc(), SMTP_PROXY_MAX);
  CHECK(smtp_proxy_format(&out, proxy) == 0);
  CHECK(smtp_proxy_parse(&again, smtp_buf_data(&out), &used) == 1);
  CHECK(used == smtp_buf_length(&out));
  CHECK(used <= (proxy->version == 1 ? SMTP_PROXY_V1_MAX : SMTP_PROXY_MAX));
  check_same(proxy, &again);
  smtp_buf_clear(&out);
}

/* Each part of a header but the whole of it asks for more, or is refused for
** good. */
static void check_cuts(smtp_slice in, int whole, size_t used) {
  smtp_proxy proxy;
  size_t n, last;
  int r = 0;
  for (n = 0; n <= in.n && n <= SMTP_PROXY_MAX; n++) {
    int now = smtp_proxy_parse(&proxy, (smtp_slice){in.p, n}, &last);
    CHECK(r >= 0 ? now <= 1 : now < 0);
    CHECK(now != 1 || (whole == 1 && last == used && n >= used));
    CHECK(now != 0 || whole != 1 || n < used);
    r = now;
  }
  CHECK(whole != 0 || in.n < SMTP_PROXY_MAX);
}

static void check_ip(smtp_slice in) {
  char text[SMTP_IP_TEXT];
  smtp_ip ip, again;
  if (smtp_ip_parse(&ip, in) != 0) return;
  CHECK(ip.n == 4 || ip.n == 16);
  CHECK(smtp_ip_parse(&again, (smtp_slice){text, smtp_ip_format(text, &ip)}) ==
        0);
  CHECK(again.n == ip.n && memcmp(again.bytes, ip.bytes, ip.n) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *copy = malloc(size + 1); /* at its end: a read beyond it is seen */
  smtp_slice in = {copy + 1, size};
  smtp_proxy proxy;
  size_t used;
  int r;
  CHECK(copy != NULL);
  if (size > 0) memcpy(copy + 1, data, size);
  r = smtp_proxy_parse(&proxy, in, &used);
  CHECK(r == 1 || r == 0 || r == SMTP_ESYNTAX || r == SMTP_ETOOBIG);
  check_cuts(in, r, used);
  if (r == 1) {
    CHECK(used > 0 && used <= in.n);
    if (proxy.version == 2) check_tlvs(proxy.tlvs);
    check_written(&proxy);
  }
  check_ip(in);
  free(copy);
  return 0;
}
