/* SPDX-License-Identifier: MIT */
/*
** ip.h: IP addresses as text and as bytes, in the forms that all systems read
** alike: IPv4 as four decimal numbers without zeros in front, IPv6 as RFC 4291
** section 2.2 has it. There are no zones, prefixes or brackets.
*/
#ifndef SMTP_IP_H
#define SMTP_IP_H

#include "smtp.h"

typedef struct smtp_ip {
  unsigned char bytes[16]; /* in network order */
  size_t n;                /* 4 or 16; 0: there is none */
} smtp_ip;

/* Room for the text of any address. */
#define SMTP_IP_TEXT 45

/* All of text: 0 or SMTP_ESYNTAX. */
SMTP_FUNC int smtp_ip_parse(smtp_ip *ip, smtp_slice text);

/* Writes the form of RFC 5952 and gives its length; 0 for none. */
SMTP_FUNC size_t smtp_ip_format(char text[SMTP_IP_TEXT], const smtp_ip *ip);

#endif
