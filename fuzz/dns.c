/* SPDX-License-Identifier: MIT */
/*
** fuzz/dns.c: any bytes as the answer of a name server. The reader must come
** forward within the bytes, as often as the header says at most; what it takes
** for a name must be one; and no circle of aliases may hold it.
*/
#include <stdlib.h>
#include <string.h>

#include "../csrc/core/dns.h"

#define CHECK(condition) ((condition) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_name(const smtp_dns_name *name) {
  CHECK(name->n <= SMTP_DNS_NAME_MAX && name->text[name->n] == '\0');
  CHECK(name->n == 0 || smtp_dns_is_name((smtp_slice){name->text, name->n}));
  CHECK(!name->odd || name->n == 0);
}

static void check_within(smtp_slice outer, smtp_slice inner) {
  CHECK(inner.p >= outer.p && inner.p + inner.n <= outer.p + outer.n);
}

/* Reads the data as each type has it, whatever the type is. */
static void check_record(const smtp_dns_answer *a, const smtp_dns_record *r) {
  smtp_dns_name name;
  smtp_dns_tlsa tlsa;
  smtp_slice rest = r->data, text;
  unsigned preference;
  check_name(&r->owner);
  check_within(a->packet, r->data);
  if (smtp_dns_cname(a, r, &name) == 0) check_name(&name);
  if (smtp_dns_mx(a, r, &preference, &name) == 0) {
    CHECK(preference <= 65535);
    check_name(&name);
  }
  if (smtp_dns_tlsa_parse(&tlsa, r) == 0) {
    CHECK(tlsa.data.n == r->data.n - 3);
    check_within(r->data, tlsa.data);
  }
  while (smtp_dns_txt_next(&rest, &text) == 1) check_within(r->data, text);
  check_within(r->data, rest);
}

static void check_answer(smtp_dns_answer a) {
  smtp_dns_answer all = a, found;
  smtp_dns_record r;
  unsigned n = 0, of_name = 0;
  int result;
  check_name(&a.name);
  while ((result = smtp_dns_next(&all, &r)) == 1) {
    check_record(&all, &r);
    n++;
  }
  CHECK(result == 0 ? n == a.left : n < a.left);
  if (smtp_dns_follow(&a) != 0) return;
  check_name(&a.name);
  for (found = a; smtp_dns_find(&found, SMTP_DNS_MX, &r) == 1; of_name++)
    CHECK(r.type == SMTP_DNS_MX && r.owner.n == a.name.n);
  CHECK(of_name <= n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *copy = malloc(size); /* exact: a read beyond it is seen */
  smtp_dns_answer a;
  if (copy == NULL && size > 0) return 0;
  if (size > 0) memcpy(copy, data, size);
  CHECK(!smtp_dns_is_name((smtp_slice){copy, 0}));
  if (smtp_dns_open(&a, (smtp_slice){copy, size}) == 0) check_answer(a);
  free(copy);
  return 0;
}
