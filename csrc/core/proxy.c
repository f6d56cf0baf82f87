/* SPDX-License-Identifier: MIT */
/* proxy.c: see proxy.h for what this promises. */
#include "proxy.h"

#include <string.h>

#include "ascii.h"

#define HEAD 16 /* of version 2, without addresses and TLVs */
#define LOCAL 0x20
#define PROXY 0x21

static const char signature[] = "\r\n\r\n\0\r\nQUIT\n";
#define SIGNATURE (sizeof signature - 1)

static smtp_slice part(smtp_slice s, size_t from, size_t n) {
  return (smtp_slice){s.p + from, n};
}

static unsigned number16(const char *p) {
  return (unsigned)(unsigned char)p[0] << 8 | (unsigned char)p[1];
}

/* ---- TLVs ------------------------------------------------------------ */

int smtp_proxy_tlv_next(smtp_slice *rest, smtp_proxy_tlv *tlv) {
  size_t n;
  if (rest->n == 0) return 0;
  if (rest->n < 3) return SMTP_ESYNTAX;
  n = number16(rest->p + 1);
  if (n > rest->n - 3) return SMTP_ESYNTAX;
  tlv->type = (unsigned char)rest->p[0];
  tlv->value = part(*rest, 3, n);
  *rest = part(*rest, 3 + n, rest->n - 3 - n);
  return 1;
}

int smtp_proxy_tlv_format(smtp_buf *out, const smtp_proxy_tlv *tlv) {
  size_t before = smtp_buf_length(out), n = tlv->value.n;
  char head[3];
  int r;
  if (tlv->type > 255 || n > SMTP_PROXY_TLV_MAX - 3) return SMTP_EINVALID;
  head[0] = (char)tlv->type;
  head[1] = (char)(n >> 8);
  head[2] = (char)(n & 255);
  r = smtp_buf_append(out, head, sizeof head);
  if (r == 0) r = smtp_buf_append_slice(out, tlv->value);
  if (r != 0) smtp_buf_truncate(out, before);
  return r;
}

/* Whether TLVs are whole, and the value of the one checksum that may be among
** them (p is NULL if there is none). */
static int check_tlvs(smtp_slice tlvs, smtp_slice *sum) {
  smtp_proxy_tlv tlv;
  int r;
  *sum = (smtp_slice){NULL, 0};
  while ((r = smtp_proxy_tlv_next(&tlvs, &tlv)) == 1) {
    if (tlv.type != SMTP_PROXY_CRC32C) continue;
    if (tlv.value.n != 4 || sum->p != NULL) return SMTP_ESYNTAX;
    *sum = tlv.value;
  }
  return r;
}

/* CRC32C (RFC 3720 appendix B.4), going on from crc. */
static uint32_t crc32c(uint32_t crc, smtp_slice bytes) {
  size_t i;
  int bit;
  for (i = 0; i < bytes.n; i++) {
    crc ^= (unsigned char)bytes.p[i];
    for (bit = 0; bit < 8; bit++)
      crc = crc >> 1 ^ (0x82f63b78u & (0u - (crc & 1)));
  }
  return crc;
}

/* That of a header, in which the checksum itself, at sum, counts as zeros. */
static uint32_t checksum(smtp_slice header, smtp_slice sum) {
  size_t before = (size_t)(sum.p - header.p), behind = before + 4;
  uint32_t crc = crc32c(0xffffffffu, part(header, 0, before));
  crc = crc32c(crc, SMTP_LIT("\0\0\0\0"));
  return ~crc32c(crc, part(header, behind, header.n - behind));
}

/* ---- reading --------------------------------------------------------- */

static bool take_space(smtp_slice *in) {
  if (in->n == 0 || in->p[0] != ' ') return false;
  *in = part(*in, 1, in->n - 1);
  return true;
}

/* Takes a space and the word behind it, up to the next space or the end. */
static smtp_slice take_word(smtp_slice *in) {
  size_t n = 0;
  smtp_slice word;
  if (!take_space(in)) return (smtp_slice){in->p, 0};
  while (n < in->n && in->p[n] != ' ') n++;
  word = part(*in, 0, n);
  *in = part(*in, n, in->n - n);
  return word;
}

static bool parse_port(smtp_slice word, unsigned *port) {
  uint64_t value;
  if (word.n > 5 || (word.n > 1 && word.p[0] == '0')) return false;
  if (smtp_ascii_number(word, &value) != 0 || value > 65535) return false;
  *port = (unsigned)value;
  return true;
}

/* The line behind "PROXY", without its CRLF. */
static int parse_line(smtp_proxy *p, smtp_slice in) {
  smtp_slice word = take_word(&in);
  size_t n = 0;
  if (word.n == 7 && memcmp(word.p, "UNKNOWN", 7) == 0) return 1;
  if (word.n == 4 && memcmp(word.p, "TCP4", 4) == 0) n = 4;
  if (word.n == 4 && memcmp(word.p, "TCP6", 4) == 0) n = 16;
  p->family = SMTP_PROXY_INET;
  if (n == 0 || smtp_ip_parse(&p->source.ip, take_word(&in)) != 0 ||
      smtp_ip_parse(&p->destination.ip, take_word(&in)) != 0 ||
      p->source.ip.n != n || p->destination.ip.n != n ||
      !parse_port(take_word(&in), &p->source.port) ||
      !parse_port(take_word(&in), &p->destination.port) || in.n > 0)
    return SMTP_ESYNTAX;
  return 1;
}

static int parse_v1(smtp_proxy *p, smtp_slice in, size_t *used) {
  size_t i;
  p->version = 1;
  for (i = 5; i < in.n && i < SMTP_PROXY_V1_MAX; i++) {
    bool cr = in.p[i - 1] == '\r', lf = in.p[i] == '\n';
    if (cr != lf || in.p[i] == 0) return SMTP_ESYNTAX;
    if (!lf) continue;
    *used = i + 1;
    return parse_line(p, part(in, 5, i - 6));
  }
  return i == SMTP_PROXY_V1_MAX ? SMTP_ETOOBIG : 0;
}

/* The path of a unix socket, which ends before its first NUL. */
static bool parse_path(smtp_slice field, smtp_slice *path) {
  size_t n = 0;
  for (; n < field.n && field.p[n] != 0; n++)
    if (smtp_ascii_is((unsigned char)field.p[n], SMTP_CONTROL)) return false;
  *path = part(field, 0, n);
  return true;
}

/* Bytes of both addresses and ports of a family and transport; -1: none. */
static int address_size(unsigned family) {
  switch (family) {
  case 0x00: return 0;
  case 0x11:
  case 0x12: return 12;
  case 0x21:
  case 0x22: return 36;
  case 0x31:
  case 0x32: return 2 * SMTP_PROXY_PATH;
  default: return -1;
  }
}

static int parse_addresses(smtp_proxy *p, unsigned family, smtp_slice in) {
  size_t n = (in.n - 4) / 2;
  if ((family & 15) != 1) return 0; /* datagrams: as if nothing was told */
  if (in.n == 2 * SMTP_PROXY_PATH) {
    p->family = SMTP_PROXY_UNIX;
    return parse_path(part(in, 0, SMTP_PROXY_PATH), &p->source.path) &&
                   parse_path(part(in, SMTP_PROXY_PATH, SMTP_PROXY_PATH),
                              &p->destination.path)
               ? 0
               : SMTP_ESYNTAX;
  }
  p->family = SMTP_PROXY_INET;
  p->source.ip.n = p->destination.ip.n = n;
  memcpy(p->source.ip.bytes, in.p, n);
  memcpy(p->destination.ip.bytes, in.p + n, n);
  p->source.port = number16(in.p + 2 * n);
  p->destination.port = number16(in.p + 2 * n + 2);
  return 0;
}

static int parse_v2(smtp_proxy *p, smtp_slice in, size_t *used) {
  unsigned command, family;
  smtp_slice header, sum;
  int size;
  size_t n;
  p->version = 2;
  if (in.n < HEAD) return 0;
  command = (unsigned char)in.p[12];
  family = (unsigned char)in.p[13];
  n = number16(in.p + 14);
  if (command != LOCAL && command != PROXY) return SMTP_ESYNTAX;
  p->local = command == LOCAL;
  size = p->local ? 2 * SMTP_PROXY_PATH : address_size(family);
  if (size < 0 || (!p->local && n < (size_t)size)) return SMTP_ESYNTAX;
  if (n > (size_t)size + SMTP_PROXY_TLV_MAX) return SMTP_ETOOBIG;
  if (in.n - HEAD < n) return 0;
  *used = HEAD + n;
  if (p->local) return 1;
  header = part(in, 0, *used);
  p->tlvs = part(in, HEAD + (size_t)size, n - (size_t)size);
  if (check_tlvs(p->tlvs, &sum) != 0) return SMTP_ESYNTAX;
  if (sum.p != NULL &&
      checksum(header, sum) !=
          ((uint32_t)number16(sum.p) << 16 | (uint32_t)number16(sum.p + 2)))
    return SMTP_ESYNTAX;
  if (size == 0) return 1;
  return parse_addresses(p, family, part(in, HEAD, (size_t)size)) == 0
             ? 1
             : SMTP_ESYNTAX;
}

/* Whether in begins as text does, as far as both go. */
static bool begins(smtp_slice in, smtp_slice text) {
  return memcmp(in.p, text.p, in.n < text.n ? in.n : text.n) == 0;
}

int smtp_proxy_parse(smtp_proxy *p, smtp_slice in, size_t *used) {
  memset(p, 0, sizeof *p);
  *used = 0;
  if (in.n == 0) return 0;
  if (begins(in, SMTP_LIT("PROXY "))) return parse_v1(p, in, used);
  if (begins(in, (smtp_slice){signature, SIGNATURE}))
    return parse_v2(p, in, used);
  return SMTP_ESYNTAX;
}

/* ---- writing --------------------------------------------------------- */

static int put_ip(smtp_buf *out, const smtp_ip *ip) {
  char text[SMTP_IP_TEXT];
  int r = smtp_buf_append(out, " ", 1);
  return r != 0 ? r : smtp_buf_append(out, text, smtp_ip_format(text, ip));
}

static int put_port(smtp_buf *out, unsigned port) {
  int r = smtp_buf_append(out, " ", 1);
  return r != 0 ? r : smtp_buf_append_number(out, port);
}

static int format_v1(smtp_buf *out, const smtp_proxy *p) {
  bool told = !p->local && p->family == SMTP_PROXY_INET;
  int r = smtp_buf_append(out, "PROXY ", 6);
  if (p->tlvs.n > 0) return SMTP_EINVALID;
  if (r == 0)
    r = smtp_buf_append_slice(out, !told                 ? SMTP_LIT("UNKNOWN")
                                   : p->source.ip.n == 4 ? SMTP_LIT("TCP4")
                                                         : SMTP_LIT("TCP6"));
  if (r == 0 && told) r = put_ip(out, &p->source.ip);
  if (r == 0 && told) r = put_ip(out, &p->destination.ip);
  if (r == 0 && told) r = put_port(out, p->source.port);
  if (r == 0 && told) r = put_port(out, p->destination.port);
  return r != 0 ? r : smtp_buf_append(out, "\r\n", 2);
}

static void write16(char *to, unsigned value) {
  to[0] = (char)(value >> 8);
  to[1] = (char)(value & 255);
}

/* Writes both ends to cleared bytes and gives how many they are. */
static size_t write_addresses(char *to, const smtp_proxy *p) {
  const smtp_proxy_end *a = &p->source, *b = &p->destination;
  size_t n = a->ip.n;
  if (p->family == SMTP_PROXY_UNSPEC) return 0;
  if (p->family == SMTP_PROXY_UNIX) {
    if (a->path.n > 0) memcpy(to, a->path.p, a->path.n);
    if (b->path.n > 0) memcpy(to + SMTP_PROXY_PATH, b->path.p, b->path.n);
    return 2 * SMTP_PROXY_PATH;
  }
  memcpy(to, a->ip.bytes, n);
  memcpy(to + n, b->ip.bytes, n);
  write16(to + 2 * n, a->port);
  write16(to + 2 * n + 2, b->port);
  return 2 * n + 4;
}

static int family_byte(const smtp_proxy *p) {
  if (p->family == SMTP_PROXY_UNSPEC) return 0x00;
  if (p->family == SMTP_PROXY_UNIX) return 0x31;
  return p->source.ip.n == 4 ? 0x11 : 0x21;
}

static int format_v2(smtp_buf *out, const smtp_proxy *p) {
  char header[SMTP_PROXY_MAX];
  size_t n = HEAD;
  smtp_slice sum;
  memset(header, 0, sizeof header);
  if (p->tlvs.n > SMTP_PROXY_TLV_MAX || (p->local && p->tlvs.n > 0))
    return SMTP_EINVALID;
  memcpy(header, signature, SIGNATURE);
  header[12] = p->local ? LOCAL : PROXY;
  if (!p->local) {
    header[13] = (char)family_byte(p);
    n += write_addresses(header + HEAD, p);
    if (p->tlvs.n > 0) memcpy(header + n, p->tlvs.p, p->tlvs.n);
    if (check_tlvs((smtp_slice){header + n, p->tlvs.n}, &sum) != 0)
      return SMTP_EINVALID;
    n += p->tlvs.n;
  }
  write16(header + 14, (unsigned)(n - HEAD));
  if (!p->local && sum.p != NULL) {
    uint32_t crc = checksum((smtp_slice){header, n}, sum);
    write16(header + (sum.p - header), crc >> 16);
    write16(header + (sum.p - header) + 2, crc & 0xffff);
  }
  return smtp_buf_append(out, header, n);
}

static bool is_path(smtp_slice path) {
  smtp_slice same;
  return path.n <= SMTP_PROXY_PATH && parse_path(path, &same) &&
         same.n == path.n;
}

/* Both ends are what the family says. */
static bool is_whole(const smtp_proxy *p) {
  const smtp_proxy_end *a = &p->source, *b = &p->destination;
  if (p->local || p->family == SMTP_PROXY_UNSPEC) return true;
  if (p->family == SMTP_PROXY_UNIX) return is_path(a->path) && is_path(b->path);
  return (a->ip.n == 4 || a->ip.n == 16) && a->ip.n == b->ip.n &&
         a->port <= 65535 && b->port <= 65535;
}

int smtp_proxy_format(smtp_buf *out, const smtp_proxy *p) {
  size_t before = smtp_buf_length(out);
  int r;
  if ((p->version != 1 && p->version != 2) || !is_whole(p))
    return SMTP_EINVALID;
  r = p->version == 1 ? format_v1(out, p) : format_v2(out, p);
  if (r != 0) smtp_buf_truncate(out, before);
  return r;
}
