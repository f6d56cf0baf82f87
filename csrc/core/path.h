/* SPDX-License-Identifier: MIT */
/*
** path.h: reverse-path, forward-path and mailbox (RFC 5321 section 4.1.2, RFC
** 6531 section 3.3), one parser for both roles.
**
** Reading is lenient unless SMTP_PATH_STRICT is set: missing <>, odd dots, a
** long local part. A source route is read and dropped (RFC 5321 appendix C). A
** local part that holds "@" is quoted; without quotes such a path is refused, as
** two readers would see two domains in it. The parsed form is the meaning: the
** local part without quoting, so that "ada"@x and ada@x are one. Writing quotes
** where it must and gives only strict forms: parse(format(p)) is p.
*/
#ifndef SMTP_PATH_H
#define SMTP_PATH_H

#include <stdbool.h>

#include "buf.h"
#include "smtp.h"

typedef struct smtp_path {
  size_t local_n;  /* 0 in the null path, and in ""@domain */
  size_t domain_n; /* 0 in the null path, and in <Postmaster> */
  bool null;       /* <> */
  bool eightbit;   /* holds bytes above 0x7f: needs SMTPUTF8 */
  char local[SMTP_LOCAL_LENIENT_MAX + 1]; /* unquoted, not terminated */
  char domain[SMTP_DOMAIN_MAX + 1];       /* a literal with its brackets */
} smtp_path;

enum smtp_path_flags {
  SMTP_PATH_STRICT = 1,     /* refuse what the grammar does not allow */
  SMTP_PATH_NULL = 2,       /* <> is allowed (reverse-path) */
  SMTP_PATH_POSTMASTER = 4, /* <Postmaster> without a domain is allowed */
  SMTP_PATH_BARE = 8,   /* no <> at all: a mailbox, and all of the input; with
                         SMTP_PATH_NULL the empty input is the null path */
  SMTP_PATH_ULABEL = 16 /* a domain has nothing that no U-label has (RFC 5890);
                           else it may be one that is still to be mapped */
};

/*
** Parses the path at the start of in and tells in *used how far it reached;
** bytes behind it are not looked at. Without "<" it ends before the first
** unquoted blank. Any domain literal must be IPv4, IPv6: or General-address;
** bytes above 0x7f must be UTF-8. A domain name is labels of letters, digits,
** hyphens (lenient: underscores) and U-labels, joined by single dots
** (lenient: one trailing dot is dropped).
** Lenient: blanks may stand after "<" and before ">".
** 0; SMTP_ESYNTAX; SMTP_ETOOBIG for a local part, domain or path over its
** limit, measured on what would be written; of a longer local part only
** SMTP_LOCAL_MAX bytes count against the path. Control characters are never
** allowed, quoted or not, nor what else ends a line in Unicode.
*/
SMTP_FUNC int smtp_path_parse(smtp_path *path, smtp_slice in, unsigned flags,
                              size_t *used);

/*
** Parses all of text as a mailbox without <>, as Postmaster, or if it is empty,
** as the null path. flags: SMTP_PATH_STRICT or 0. 0, SMTP_ESYNTAX, SMTP_ETOOBIG.
*/
SMTP_FUNC int smtp_path_parse_mailbox(smtp_path *path, smtp_slice text,
                                      unsigned flags);

/* Whether an A-label (RFC 5890), which begins with "xn--", is in the domain. */
SMTP_FUNC bool smtp_path_has_alabel(const smtp_path *path);

/* Appends local@domain, the local part quoted if it must be; "" if null. */
SMTP_FUNC int smtp_path_format_mailbox(smtp_buf *out, const smtp_path *path);

/* Appends the same within <>. Errors as smtp_buf_append. */
SMTP_FUNC int smtp_path_format(smtp_buf *out, const smtp_path *path);

/* Domain ::= a domain name or literal alone, as EHLO's argument.
** Lenient: anything printable without space. 0 or SMTP_ESYNTAX. */
SMTP_FUNC int smtp_path_check_domain(smtp_slice in, unsigned flags);

#endif
