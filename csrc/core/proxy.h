/* SPDX-License-Identifier: MIT */
/*
** proxy.h: the header of the PROXY protocol, versions 1 and 2, by which a proxy
** tells whose connection it passes on. It stands before everything else on a
** connection, so it is read exactly: not a byte behind it belongs to it.
**   v1: "PROXY" SP ("TCP4" / "TCP6") SP source SP destination SP port SP port
**       CRLF, or "PROXY UNKNOWN" and anything up to CRLF; 107 bytes at most
**   v2: a signature of 12 bytes, version and command, family and transport,
**       the length of the rest: addresses, then TLVs, of which there may be
**       SMTP_PROXY_TLV_MAX bytes
*/
#ifndef SMTP_PROXY_H
#define SMTP_PROXY_H

#include <stdbool.h>

#include "buf.h"
#include "ip.h"
#include "smtp.h"

#define SMTP_PROXY_V1_MAX 107
#define SMTP_PROXY_PATH 108 /* of a unix socket */
#define SMTP_PROXY_TLV_MAX 520
#define SMTP_PROXY_MAX (16 + 2 * SMTP_PROXY_PATH + SMTP_PROXY_TLV_MAX)
#define SMTP_PROXY_CRC32C 3 /* the type of a TLV */

typedef enum smtp_proxy_family {
  SMTP_PROXY_UNSPEC, /* not told, or nothing that is a stream */
  SMTP_PROXY_INET,   /* IPv4 or IPv6, the same at both ends */
  SMTP_PROXY_UNIX    /* version 2 only */
} smtp_proxy_family;

typedef struct smtp_proxy_end {
  smtp_ip ip;
  unsigned port;
  smtp_slice path; /* of UNIX; may be empty */
} smtp_proxy_end;

typedef struct smtp_proxy {
  int version; /* 1 or 2 */
  bool local;  /* version 2: the proxy's own connection; nothing else is read */
  smtp_proxy_family family;
  smtp_proxy_end source, destination;
  smtp_slice tlvs; /* version 2: for smtp_proxy_tlv_next */
} smtp_proxy;

typedef struct smtp_proxy_tlv {
  unsigned type; /* 0 to 255 */
  smtp_slice value;
} smtp_proxy_tlv;

/*
** Reads the header at the start of in. 1 and its length in *used; 0: it goes
** on, and all of in belongs to it; SMTP_ESYNTAX; SMTP_ETOOBIG. The TLVs are
** whole, and a checksum among them is right. Slices point into in.
*/
SMTP_FUNC int smtp_proxy_parse(smtp_proxy *proxy, smtp_slice in, size_t *used);

/* Takes a TLV off the front: 1; 0 at the end; SMTP_ESYNTAX. */
SMTP_FUNC int smtp_proxy_tlv_next(smtp_slice *rest, smtp_proxy_tlv *tlv);

/* Appends a TLV. SMTP_EINVALID beyond SMTP_PROXY_TLV_MAX; as smtp_buf_append. */
SMTP_FUNC int smtp_proxy_tlv_format(smtp_buf *out, const smtp_proxy_tlv *tlv);

/*
** Appends the header; the value of a checksum among the TLVs, of four bytes, is
** made anew. SMTP_EINVALID for what the version cannot tell: ends of two
** families, a path that is too long, TLVs in version 1 or of LOCAL, or broken
** ones; as smtp_buf_append. On an error out is as it was.
*/
SMTP_FUNC int smtp_proxy_format(smtp_buf *out, const smtp_proxy *proxy);

#endif
