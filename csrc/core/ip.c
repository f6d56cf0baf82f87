/* SPDX-License-Identifier: MIT */
/* ip.c: see ip.h for what this promises. */
#include "ip.h"

#include <stdbool.h>
#include <string.h>

#include "ascii.h"

/* Takes c off the front of in, if it is there. */
static bool take(smtp_slice *in, char c) {
  if (in->n == 0 || in->p[0] != c) return false;
  in->p++;
  in->n--;
  return true;
}

/* Takes a number of at most most digits of the base off the front of in. */
static bool take_number(smtp_slice *in, unsigned base, size_t most,
                        unsigned *value) {
  unsigned class_ = base == 16 ? SMTP_HEX : SMTP_DIGIT;
  size_t n = 0;
  *value = 0;
  while (n < in->n && n <= most &&
         smtp_ascii_is((unsigned char)in->p[n], class_)) {
    unsigned char c = smtp_ascii_lower((unsigned char)in->p[n++]);
    *value = *value * base + (c <= '9' ? c - (unsigned)'0' : c - 87u);
  }
  if (n == 0 || n > most) return false;
  if (base == 10 && n > 1 && in->p[0] == '0') return false;
  in->p += n;
  in->n -= n;
  return true;
}

/* All of in as IPv4. */
static bool take_ipv4(smtp_slice in, unsigned char *to) {
  int i;
  for (i = 0; i < 4; i++) {
    unsigned value;
    if (i > 0 && !take(&in, '.')) return false;
    if (!take_number(&in, 10, 3, &value) || value > 255) return false;
    to[i] = (unsigned char)value;
  }
  return in.n == 0;
}

#define NONE SIZE_MAX

/* All of in as IPv6: eight groups, of which "::" stands for one or more, and
** the last two may be written as IPv4. */
static bool take_ipv6(smtp_slice in, unsigned char *to) {
  size_t n = 0, gap = NONE; /* bytes so far, and where "::" stands */
  if (in.n >= 2 && in.p[0] == ':' && in.p[1] == ':') {
    gap = 0;
    in.p += 2;
    in.n -= 2;
  }
  while (in.n > 0) {
    unsigned value;
    if (n <= 12 && take_ipv4(in, to + n)) {
      n += 4;
      break;
    }
    if (n > 14 || !take_number(&in, 16, 4, &value)) return false;
    to[n++] = (unsigned char)(value >> 8);
    to[n++] = (unsigned char)(value & 255);
    if (in.n == 0) break;
    if (!take(&in, ':') || in.n == 0) return false;
    if (take(&in, ':')) {
      if (gap != NONE) return false;
      gap = n;
    }
  }
  if (gap == NONE) return n == 16;
  if (n > 14) return false;
  memmove(to + 16 - (n - gap), to + gap, n - gap);
  memset(to + gap, 0, 16 - n);
  return true;
}

int smtp_ip_parse(smtp_ip *ip, smtp_slice text) {
  memset(ip, 0, sizeof *ip);
  if (memchr(text.p, ':', text.n) != NULL)
    ip->n = take_ipv6(text, ip->bytes) ? 16 : 0;
  else
    ip->n = take_ipv4(text, ip->bytes) ? 4 : 0;
  return ip->n > 0 ? 0 : SMTP_ESYNTAX;
}

static size_t put_number(char *to, unsigned value, unsigned base) {
  static const char digits[] = "0123456789abcdef";
  unsigned unit = 1;
  size_t n = 0;
  while (value / unit >= base) unit *= base;
  for (; unit > 0; unit /= base) to[n++] = digits[value / unit % base];
  return n;
}

static size_t put_ipv4(char *to, const unsigned char *bytes) {
  size_t n = 0;
  int i;
  for (i = 0; i < 4; i++) {
    if (i > 0) to[n++] = '.';
    n += put_number(to + n, bytes[i], 10);
  }
  return n;
}

static unsigned group(const smtp_ip *ip, size_t i) {
  return (unsigned)ip->bytes[2 * i] << 8 | ip->bytes[2 * i + 1];
}

/* The first of the longest runs of two zero groups or more; 8: none. */
static size_t longest_run(const smtp_ip *ip, size_t *length) {
  size_t i, begin = 8;
  *length = 1;
  for (i = 0; i < 8; i++) {
    size_t n = 0;
    while (i + n < 8 && group(ip, i + n) == 0) n++;
    if (n > *length) {
      *length = n;
      begin = i;
    }
  }
  return begin;
}

size_t smtp_ip_format(char text[SMTP_IP_TEXT], const smtp_ip *ip) {
  static const unsigned char mapped[12] = {0, 0, 0, 0, 0,    0,
                                           0, 0, 0, 0, 0xff, 0xff};
  size_t n = 0, i, length, gap;
  if (ip->n == 0) return 0;
  if (ip->n == 4) return put_ipv4(text, ip->bytes);
  if (memcmp(ip->bytes, mapped, sizeof mapped) == 0) {
    memcpy(text, "::ffff:", 7);
    return 7 + put_ipv4(text + 7, ip->bytes + 12);
  }
  gap = longest_run(ip, &length);
  for (i = 0; i < 8; i++) {
    if (i == gap) {
      text[n++] = ':';
      if (i == 0) text[n++] = ':';
      i += length - 1;
      continue;
    }
    n += put_number(text + n, group(ip, i), 16);
    if (i < 7) text[n++] = ':';
  }
  return n;
}
