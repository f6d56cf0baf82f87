/* SPDX-License-Identifier: MIT */
/*
** dns.h: reads what a name server answered (RFC 1035 section 4): the header,
** and the records of the answer section, one after the other. Each length is
** checked, and a compressed name points backwards only and a few times, so
** that any answer is read in a time that its size bounds.
**
** Names come out small, as text without the last dot. Nothing is allocated.
*/
#ifndef SMTP_DNS_H
#define SMTP_DNS_H

#include <stdbool.h>

#include "smtp.h"

/* RFC 1035 section 3.2.2, RFC 3596, RFC 6698. */
enum smtp_dns_type {
  SMTP_DNS_A = 1,
  SMTP_DNS_CNAME = 5,
  SMTP_DNS_MX = 15,
  SMTP_DNS_TXT = 16,
  SMTP_DNS_AAAA = 28,
  SMTP_DNS_TLSA = 52
};

enum smtp_dns_rcode { SMTP_DNS_NOERROR = 0, SMTP_DNS_NXDOMAIN = 3 };

#define SMTP_DNS_NAME_MAX 253

/* The root is empty. One that is odd has a label with other bytes than those
** of host names and "_": it is no host, and its text is empty. */
typedef struct smtp_dns_name {
  char text[SMTP_DNS_NAME_MAX + 1];
  size_t n;
  bool odd;
} smtp_dns_name;

typedef struct smtp_dns_answer {
  smtp_slice packet; /* borrowed */
  size_t at;         /* where the next record is */
  unsigned left;     /* records of the section */
  unsigned rcode;
  bool secure; /* AD: the server has validated it (RFC 4035 section 3.2.3) */
  smtp_dns_name name; /* the question, and later what it is an alias of */
} smtp_dns_answer;

typedef struct smtp_dns_record {
  smtp_dns_name owner;
  unsigned type, class;
  smtp_slice data; /* of the packet */
} smtp_dns_record;

typedef struct smtp_dns_tlsa {
  unsigned usage, selector, matching;
  smtp_slice data;
} smtp_dns_tlsa;

/* True if text can be asked for: labels of 1 to 63 bytes, letters, digits, "-"
** and "_", 253 in all; no dot at the end. */
SMTP_FUNC bool smtp_dns_is_name(smtp_slice text);

/* Begins at the header and the one question. 0, or SMTP_EPROTOCOL. */
SMTP_FUNC int smtp_dns_open(smtp_dns_answer *a, smtp_slice packet);

/* Follows the aliases in the answer to the name that they end at; does not move
** in it. 0, or SMTP_EPROTOCOL: they never end. */
SMTP_FUNC int smtp_dns_follow(smtp_dns_answer *a);

/* The next record: 1, 0 at the end, SMTP_EPROTOCOL. */
SMTP_FUNC int smtp_dns_next(smtp_dns_answer *a, smtp_dns_record *r);

/* The next record of a type that belongs to a->name; else the same. */
SMTP_FUNC int smtp_dns_find(smtp_dns_answer *a, unsigned type,
                            smtp_dns_record *r);

/* The data of a record of the type: 0, or SMTP_EPROTOCOL if it is none. */
SMTP_FUNC int smtp_dns_cname(const smtp_dns_answer *a, const smtp_dns_record *r,
                             smtp_dns_name *target);
SMTP_FUNC int smtp_dns_mx(const smtp_dns_answer *a, const smtp_dns_record *r,
                          unsigned *preference, smtp_dns_name *exchange);
SMTP_FUNC int smtp_dns_tlsa_parse(smtp_dns_tlsa *tlsa,
                                  const smtp_dns_record *r);

/* The next character-string of a TXT, out of data: 1, 0, SMTP_EPROTOCOL. */
SMTP_FUNC int smtp_dns_txt_next(smtp_slice *data, smtp_slice *text);

#endif
