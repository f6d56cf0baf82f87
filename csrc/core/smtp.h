/* SPDX-License-Identifier: MIT */
/*
** smtp.h: what every file of the core shares: the result codes, the slice, and
** the sizes that RFC 5321 section 4.5.3.1 and our own limits fix.
**
** The core takes bytes and gives events; it takes replies or commands and
** gives bytes. It knows no socket, clock, Lua or OpenSSL, keeps no global and
** allocates only through the allocator that it was given.
*/
#ifndef SMTP_SMTP_H
#define SMTP_SMTP_H

#include <stddef.h>
#include <stdint.h>

/* Marks what other files call: hidden outside of the shared object. */
#if defined(__GNUC__)
#define SMTP_FUNC __attribute__((visibility("hidden")))
#else
#define SMTP_FUNC
#endif

/* Bytes that somebody else owns; not terminated. */
typedef struct smtp_slice {
  const char *p;
  size_t n;
} smtp_slice;

/* A slice of a string literal, its terminator not included. */
#define SMTP_LIT(s) ((smtp_slice){"" s, sizeof(s) - 1})

/*
** Results are 0 or positive; failures are one of these. ESYNTAX and EPROTOCOL
** are the peer's fault, ESTATE and EINVALID our caller's.
*/
enum smtp_error {
  SMTP_ENOMEM = -1,    /* the allocator refused */
  SMTP_ETOOBIG = -2,   /* a cap was reached */
  SMTP_ESYNTAX = -3,   /* the input is not of the grammar */
  SMTP_EPROTOCOL = -4, /* the peer broke the protocol; nothing can follow */
  SMTP_ESTATE = -5,    /* called out of order */
  SMTP_EINVALID = -6,  /* a value that may not go on the wire */
  SMTP_ECLOSED = -7,   /* the peer's stream has ended */
  SMTP_EBUSY = -8,     /* not now: replies or writes must come first */
  SMTP_ESYSTEM = -9,   /* csrc/net only: errno has the cause */
  SMTP_ECRYPTO = -10,  /* a function of crypto.h failed */
  SMTP_EAUTH = -11,    /* the peer did not prove who it is */
  SMTP_ETLS = -12      /* csrc/net only: smtp_tls_error has the cause */
};

/* RFC 5321 section 4.5.3.1; lenient reading takes a longer local part. */
#define SMTP_LOCAL_MAX 64
#define SMTP_LOCAL_LENIENT_MAX 255
#define SMTP_DOMAIN_MAX 255
#define SMTP_PATH_MAX 256

/* A command line with its CRLF; a reply line, its lines and its bytes. */
#define SMTP_LINE_MAX 2048
#define SMTP_AUTH_LINE_MAX 12288 /* RFC 4954 section 4 */
#define SMTP_REPLY_LINE_MAX 2048
#define SMTP_REPLY_LINES_MAX 128
#define SMTP_REPLY_MAX 65536

#endif
