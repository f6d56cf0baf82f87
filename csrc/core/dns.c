/* SPDX-License-Identifier: MIT */
/* dns.c: see dns.h for what this promises. */
#include "dns.h"

#include <string.h>

#include "ascii.h"

#define HEADER 12
#define LABEL_MAX 63
#define JUMPS_MAX 64   /* pointers in one name */
#define ALIASES_MAX 16 /* more than any resolver follows */

static unsigned byte_at(smtp_slice s, size_t at) {
  return (unsigned char)s.p[at];
}

static unsigned word_at(smtp_slice s, size_t at) {
  return byte_at(s, at) << 8 | byte_at(s, at + 1);
}

/* let-dig-hyp, and the underscore of names like _25._tcp */
static bool is_host_byte(unsigned char c) {
  return smtp_ascii_is(c, SMTP_ALPHA | SMTP_DIGIT) || c == '-' || c == '_';
}

bool smtp_dns_is_name(smtp_slice text) {
  size_t label = 0, i;
  if (text.n == 0 || text.n > SMTP_DNS_NAME_MAX) return false;
  for (i = 0; i < text.n; i++) {
    if (text.p[i] == '.') {
      if (label == 0) return false;
      label = 0;
    } else if (!is_host_byte((unsigned char)text.p[i]) || ++label > LABEL_MAX) {
      return false;
    }
  }
  return label > 0;
}

/* Adds a label; false if the name gets longer than a name may be. */
static bool add_label(smtp_dns_name *name, const char *p, size_t n) {
  size_t dot = name->n > 0, i;
  if (name->n + dot + n > SMTP_DNS_NAME_MAX) return false;
  if (dot) name->text[name->n++] = '.';
  for (i = 0; i < n; i++) {
    if (!is_host_byte((unsigned char)p[i])) name->odd = true;
    name->text[name->n++] = (char)smtp_ascii_lower((unsigned char)p[i]);
  }
  return true;
}

/*
** Reads the name at *at, which is moved behind it. A pointer must lead to where
** no byte of this name was read yet: to before the place it was jumped to last
** (RFC 1035 section 4.1.4).
*/
static int read_name(smtp_slice packet, size_t *at, smtp_dns_name *name) {
  size_t here = *at, first = *at, jumps = 0;
  memset(name, 0, sizeof *name);
  for (;;) {
    unsigned n;
    if (here >= packet.n) return SMTP_EPROTOCOL;
    n = byte_at(packet, here);
    if (n >= 0xc0) {
      if (packet.n - here < 2 || ++jumps > JUMPS_MAX) return SMTP_EPROTOCOL;
      if (jumps == 1) *at = here + 2;
      here = word_at(packet, here) & 0x3fff;
      if (here >= first) return SMTP_EPROTOCOL;
      first = here;
      continue;
    }
    if (n > LABEL_MAX || packet.n - here - 1 < n) return SMTP_EPROTOCOL;
    here++;
    if (n == 0) break;
    if (!add_label(name, packet.p + here, n)) return SMTP_EPROTOCOL;
    here += n;
  }
  if (jumps == 0) *at = here;
  if (name->odd) { /* a dot in a label would look like two labels */
    name->n = 0;
    name->text[0] = 0;
  }
  return 0;
}

static bool same_name(const smtp_dns_name *a, const smtp_dns_name *b) {
  return !a->odd && !b->odd && a->n == b->n &&
         memcmp(a->text, b->text, a->n) == 0;
}

int smtp_dns_open(smtp_dns_answer *a, smtp_slice packet) {
  memset(a, 0, sizeof *a);
  a->packet = packet;
  if (packet.n < HEADER || (byte_at(packet, 2) & 0x80) == 0 ||
      word_at(packet, 4) != 1)
    return SMTP_EPROTOCOL;
  a->secure = (byte_at(packet, 3) & 0x20) != 0;
  a->rcode = byte_at(packet, 3) & 0x0f;
  a->left = word_at(packet, 6);
  a->at = HEADER;
  if (read_name(packet, &a->at, &a->name) != 0 || packet.n - a->at < 4)
    return SMTP_EPROTOCOL;
  a->at += 4;
  return 0;
}

int smtp_dns_next(smtp_dns_answer *a, smtp_dns_record *r) {
  size_t n;
  if (a->left == 0) return 0;
  if (read_name(a->packet, &a->at, &r->owner) != 0 || a->packet.n - a->at < 10)
    return SMTP_EPROTOCOL;
  r->type = word_at(a->packet, a->at);
  r->class = word_at(a->packet, a->at + 2);
  n = word_at(a->packet, a->at + 8);
  a->at += 10;
  if (a->packet.n - a->at < n) return SMTP_EPROTOCOL;
  r->data = (smtp_slice){a->packet.p + a->at, n};
  a->at += n;
  a->left--;
  return 1;
}

int smtp_dns_find(smtp_dns_answer *a, unsigned type, smtp_dns_record *r) {
  int result;
  do {
    result = smtp_dns_next(a, r);
  } while (result == 1 && (r->type != type || r->class != 1 ||
                           !same_name(&r->owner, &a->name)));
  return result;
}

int smtp_dns_follow(smtp_dns_answer *a) {
  int i;
  for (i = 0; i < ALIASES_MAX; i++) {
    smtp_dns_answer look = *a;
    smtp_dns_record r;
    int result = smtp_dns_find(&look, SMTP_DNS_CNAME, &r);
    if (result <= 0) return result;
    if (smtp_dns_cname(&look, &r, &a->name) != 0) break;
  }
  return SMTP_EPROTOCOL;
}

/* A name that fills the data of a record from its byte at. */
static int data_name(const smtp_dns_answer *a, const smtp_dns_record *r,
                     size_t at, smtp_dns_name *name) {
  size_t here = (size_t)(r->data.p - a->packet.p);
  size_t end = here + r->data.n;
  here += at;
  if (here >= end || read_name(a->packet, &here, name) != 0 || here != end)
    return SMTP_EPROTOCOL;
  return 0;
}

int smtp_dns_cname(const smtp_dns_answer *a, const smtp_dns_record *r,
                   smtp_dns_name *target) {
  return data_name(a, r, 0, target);
}

int smtp_dns_mx(const smtp_dns_answer *a, const smtp_dns_record *r,
                unsigned *preference, smtp_dns_name *exchange) {
  if (r->data.n < 3) return SMTP_EPROTOCOL;
  *preference = word_at(r->data, 0);
  return data_name(a, r, 2, exchange);
}

int smtp_dns_tlsa_parse(smtp_dns_tlsa *tlsa, const smtp_dns_record *r) {
  if (r->data.n < 3) return SMTP_EPROTOCOL;
  tlsa->usage = byte_at(r->data, 0);
  tlsa->selector = byte_at(r->data, 1);
  tlsa->matching = byte_at(r->data, 2);
  tlsa->data = (smtp_slice){r->data.p + 3, r->data.n - 3};
  return 0;
}

int smtp_dns_txt_next(smtp_slice *data, smtp_slice *text) {
  size_t n;
  if (data->n == 0) return 0;
  n = byte_at(*data, 0);
  if (data->n - 1 < n) return SMTP_EPROTOCOL;
  *text = (smtp_slice){data->p + 1, n};
  data->p += n + 1;
  data->n -= n + 1;
  return 1;
}
