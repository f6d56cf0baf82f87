/* SPDX-License-Identifier: MIT */
/*
** path.c: paths and mailboxes (RFC 5321 sections 4.1.2 and 4.1.3, RFC 6531
** section 3.3).
**
** Each function below takes what it understands off the front of a slice, as
** the grammar has it: a path is "<", a source route, a mailbox and ">"; a
** mailbox is a local part, "@" and a domain. What is kept is the meaning. The
** length limits hold for the form that would be written, so that whatever was
** read can be written and read again.
**   Path          = "<" [ A-d-l ":" ] Mailbox ">"
**   A-d-l         = At-domain *( "," At-domain )
**   Mailbox       = Local-part "@" ( Domain / address-literal )
**   Local-part    = Dot-string / Quoted-string
**   Quoted-string = DQUOTE *( qtextSMTP / "\" %d32-126 ) DQUOTE
**   Domain        = sub-domain *("." sub-domain)
*/
#include "path.h"

#include <string.h>

#include "ascii.h"
#include "ulabel.h"

static void advance(smtp_slice *in, size_t n) {
  in->p += n;
  in->n -= n;
}

/* Takes c off the front of in, if it is there. */
static bool take(smtp_slice *in, char c) {
  if (in->n == 0 || in->p[0] != c) return false;
  advance(in, 1);
  return true;
}

/* The length of the run of digits or hexadecimal digits at in. */
static size_t run_of(smtp_slice in, unsigned classes) {
  size_t n = 0;
  while (n < in.n && smtp_ascii_is((unsigned char)in.p[n], classes)) n++;
  return n;
}

/* True for a byte of the given classes, or one above 0x7f (RFC 6531). */
static bool is_text(char c, unsigned classes) {
  return (unsigned char)c > 0x7f || smtp_ascii_is((unsigned char)c, classes);
}

/* ---- address literals (section 4.1.3) ---- */

/* Not by ip.h: here numbers may have zeros in front, and "::" stands for two
** groups or more. */

/* IPv4-address-literal = Snum 3("."  Snum), Snum = 1*3DIGIT, 0 to 255 */
static bool is_ipv4(smtp_slice in) {
  for (int i = 0; i < 4; i++) {
    uint64_t number;
    size_t n = run_of(in, SMTP_DIGIT);
    if (n == 0 || n > 3) return false;
    if (smtp_ascii_number((smtp_slice){in.p, n}, &number) != 0) return false;
    if (number > 255) return false;
    advance(&in, n);
    if (i < 3 && !take(&in, '.')) return false;
  }
  return in.n == 0;
}

/*
** IPv6-addr: eight groups, the last two of which may be written as IPv4. "::"
** stands once, for two groups or more.
*/
static bool is_ipv6(smtp_slice in) {
  unsigned groups = 0;
  bool shortened = in.n >= 2 && in.p[0] == ':' && in.p[1] == ':';
  if (shortened) advance(&in, 2);
  while (in.n > 0) {
    size_t n = run_of(in, SMTP_HEX);
    if (n < in.n && in.p[n] == '.') {
      if (!is_ipv4(in)) return false;
      groups += 2;
      break;
    }
    if (n == 0 || n > 4) return false;
    groups++;
    advance(&in, n);
    if (in.n == 0) break;
    if (!take(&in, ':') || in.n == 0) return false;
    if (take(&in, ':')) {
      if (shortened) return false;
      shortened = true;
    }
  }
  return shortened ? groups <= 6 : groups == 8;
}

/*
** General-address-literal = Standardized-tag ":" 1*dcontent
** Standardized-tag = *( ALPHA / DIGIT / "-" ) Let-dig
** dcontent = %d33-90 / %d94-126
*/
static bool is_general(smtp_slice tag, smtp_slice content) {
  if (tag.n == 0 || tag.p[tag.n - 1] == '-' || content.n == 0) return false;
  for (size_t i = 0; i < tag.n; i++) {
    unsigned char c = (unsigned char)tag.p[i];
    if (c != '-' && !smtp_ascii_is(c, SMTP_ALPHA | SMTP_DIGIT)) return false;
  }
  for (size_t i = 0; i < content.n; i++) {
    unsigned char c = (unsigned char)content.p[i];
    if (c < 33 || c > 126 || (c > 90 && c < 94)) return false;
  }
  return true;
}

/* An address literal, without its brackets. */
static bool is_literal(smtp_slice in) {
  const char *colon = memchr(in.p, ':', in.n);
  if (colon == NULL) return is_ipv4(in);
  smtp_slice tag = {in.p, (size_t)(colon - in.p)};
  advance(&in, tag.n + 1);
  if (smtp_ascii_equal(tag, SMTP_LIT("IPv6"))) return is_ipv6(in);
  return is_general(tag, in);
}

/* ---- UTF-8 ---- */

/* Whether a text is UTF-8 without the controls and the ends of lines that
** Unicode has besides those of ASCII (RFC 5198 section 2). */
static bool is_utf8(smtp_slice in) {
  if (!smtp_ascii_eightbit(in)) return true;
  if (!smtp_utf8_valid(in)) return false;
  while (in.n > 0) {
    uint32_t c = smtp_utf8_next(&in);
    if ((c >= 0x80 && c < 0xa0) || c == 0x2028 || c == 0x2029) return false;
  }
  return true;
}

/* RFC 6531 section 3.3: sub-domain =/ U-label. */
static bool is_of_ulabels(smtp_slice in) {
  if (!smtp_ascii_eightbit(in)) return true;
  while (in.n > 0) {
    uint32_t c = smtp_utf8_next(&in);
    if (c >= 0x80 && !smtp_ulabel_may_have(c)) return false;
  }
  return true;
}

/* ---- domains ---- */

/* Labels that neither begin nor end with a hyphen, and are not empty. */
static bool is_name(smtp_slice in) {
  char last = '.';
  for (size_t i = 0; i < in.n; i++) {
    char c = in.p[i];
    if (c == '.' && (last == '.' || last == '-')) return false;
    if (c == '-' && last == '.') return false;
    last = c;
  }
  return last != '.' && last != '-' && is_utf8(in);
}

/* Takes a domain name off the front of in. */
static int take_name(smtp_slice *in, unsigned flags, smtp_slice *domain) {
  bool lenient = (flags & SMTP_PATH_STRICT) == 0;
  size_t n = 0;
  while (n < in->n &&
         (is_text(in->p[n], SMTP_ALPHA | SMTP_DIGIT) || in->p[n] == '.' ||
          in->p[n] == '-' || (lenient && in->p[n] == '_')))
    n++;
  *domain = (smtp_slice){in->p, n};
  advance(in, n);
  if (lenient && n > 1 && domain->p[n - 1] == '.') domain->n--;
  if (!is_name(*domain)) return SMTP_ESYNTAX;
  if ((flags & SMTP_PATH_ULABEL) != 0 && !is_of_ulabels(*domain))
    return SMTP_ESYNTAX;
  return domain->n > SMTP_DOMAIN_MAX ? SMTP_ETOOBIG : 0;
}

/* Takes a domain name or an address literal, with its brackets. */
static int take_domain(smtp_slice *in, unsigned flags, smtp_slice *domain) {
  if (in->n == 0 || in->p[0] != '[') return take_name(in, flags, domain);
  const char *close = memchr(in->p, ']', in->n);
  if (close == NULL) return SMTP_ESYNTAX;
  *domain = (smtp_slice){in->p, (size_t)(close - in->p) + 1};
  advance(in, domain->n);
  if (!is_literal((smtp_slice){domain->p + 1, domain->n - 2}))
    return SMTP_ESYNTAX;
  return domain->n > SMTP_DOMAIN_MAX ? SMTP_ETOOBIG : 0;
}

/* Takes "@a,@b:" off the front, if in begins with "@"; it is dropped. */
static int take_route(smtp_slice *in, unsigned flags) {
  if (in->n == 0 || in->p[0] != '@') return 0;
  do {
    smtp_slice domain;
    if (!take(in, '@')) return SMTP_ESYNTAX;
    int result = take_name(in, flags, &domain);
    if (result != 0) return result;
  } while (take(in, ','));
  return take(in, ':') ? 0 : SMTP_ESYNTAX;
}

/* ---- local parts ---- */

static int add_local(smtp_path *path, char c) {
  if (path->local_n == SMTP_LOCAL_LENIENT_MAX) return SMTP_ETOOBIG;
  path->local[path->local_n++] = c;
  return 0;
}

/* Takes a quoted string; in begins with its quote. */
static int take_quoted(smtp_path *path, smtp_slice *in) {
  take(in, '"');
  while (!take(in, '"')) {
    bool pair = take(in, '\\');
    if (in->n == 0) return SMTP_ESYNTAX;
    char c = in->p[0];
    if (pair ? (unsigned char)c < 32 || (unsigned char)c > 126
             : !is_text(c, SMTP_QTEXT))
      return SMTP_ESYNTAX;
    int result = add_local(path, c);
    if (result != 0) return result;
    advance(in, 1);
  }
  return 0;
}

/* Atom *("." Atom) */
static bool is_dot_string(smtp_slice in) {
  char last = '.';
  for (size_t i = 0; i < in.n; i++) {
    char c = in.p[i];
    if (c == '.' ? last == '.' : !is_text(c, SMTP_ATEXT)) return false;
    last = c;
  }
  return last != '.';
}

/*
** Takes a local part without quotes, up to the first "@": it holds none, or
** two readers would see two domains. Lenient: dots stand anywhere.
*/
static int take_unquoted(smtp_path *path, smtp_slice *in, unsigned flags) {
  size_t n = 0;
  while (n < in->n && (is_text(in->p[n], SMTP_ATEXT) || in->p[n] == '.')) n++;
  smtp_slice local = {in->p, n};
  if (n == 0) return SMTP_ESYNTAX;
  if ((flags & SMTP_PATH_STRICT) != 0 && !is_dot_string(local))
    return SMTP_ESYNTAX;
  if (n > SMTP_LOCAL_LENIENT_MAX) return SMTP_ETOOBIG;
  memcpy(path->local, local.p, n);
  path->local_n = n;
  advance(in, n);
  return 0;
}

/* ---- reading ---- */

/* The most bytes that a local part, and then a mailbox, takes when written. */
#define LOCAL_WRITTEN_MAX (2 * (size_t)SMTP_LOCAL_LENIENT_MAX + 2)
#define WRITTEN_MAX (LOCAL_WRITTEN_MAX + 1 + SMTP_DOMAIN_MAX + 2)

/* Writes the local part, quoted if it must be, and gives its length. */
static size_t write_local(char *to, const smtp_path *path) {
  smtp_slice local = {path->local, path->local_n};
  size_t n = 0;
  if (is_dot_string(local)) {
    memcpy(to, local.p, local.n);
    return local.n;
  }
  to[n++] = '"';
  for (size_t i = 0; i < local.n; i++) {
    if (local.p[i] == '"' || local.p[i] == '\\') to[n++] = '\\';
    to[n++] = local.p[i];
  }
  to[n++] = '"';
  return n;
}

/*
** The limits of section 4.5.3.1. What a lenient reader lets a local part be
** longer does not count against the path, or it would never fit.
*/
static int check_limits(const smtp_path *path, unsigned flags) {
  char written[LOCAL_WRITTEN_MAX];
  size_t local_n = write_local(written, path);
  if (local_n > SMTP_LOCAL_MAX) {
    if ((flags & SMTP_PATH_STRICT) != 0) return SMTP_ETOOBIG;
    local_n = SMTP_LOCAL_MAX;
  }
  return local_n + path->domain_n + 3 > SMTP_PATH_MAX ? SMTP_ETOOBIG : 0;
}

/* Takes a mailbox, or Postmaster alone where that is allowed. */
static int take_mailbox(smtp_path *path, smtp_slice *in, unsigned flags) {
  bool quoted = in->n > 0 && in->p[0] == '"';
  int result = quoted ? take_quoted(path, in) : take_unquoted(path, in, flags);
  if (result != 0) return result;
  smtp_slice local = {path->local, path->local_n};
  if (take(in, '@')) {
    smtp_slice domain;
    result = take_domain(in, flags, &domain);
    if (result != 0) return result;
    memcpy(path->domain, domain.p, domain.n);
    path->domain_n = domain.n;
  } else if (quoted || (flags & SMTP_PATH_POSTMASTER) == 0 ||
             !smtp_ascii_equal(local, SMTP_LIT("Postmaster"))) {
    return SMTP_ESYNTAX;
  }
  if (!is_utf8(local)) return SMTP_ESYNTAX;
  path->eightbit =
      smtp_ascii_eightbit(local) ||
      smtp_ascii_eightbit((smtp_slice){path->domain, path->domain_n});
  return check_limits(path, flags);
}

/* A path after its "<", up to its ">". Lenient: blanks around the path. */
static int take_angle(smtp_path *path, smtp_slice *in, unsigned flags) {
  bool lenient = (flags & SMTP_PATH_STRICT) == 0;
  if (lenient) *in = smtp_ascii_skip_blanks(*in, true);
  if (take(in, '>')) {
    path->null = true;
    return (flags & SMTP_PATH_NULL) != 0 ? 0 : SMTP_ESYNTAX;
  }
  if (in->n > 0 && in->p[0] == '@') {
    int result = take_route(in, flags);
    if (result != 0) return result;
    flags &= ~(unsigned)SMTP_PATH_POSTMASTER; /* no host to route it to */
  }
  int result = take_mailbox(path, in, flags);
  if (result != 0) return result;
  if (lenient) *in = smtp_ascii_skip_blanks(*in, true);
  return take(in, '>') ? 0 : SMTP_ESYNTAX;
}

/* A mailbox without <>: the input up to a blank, or to its end. */
static int take_bare(smtp_path *path, smtp_slice *in, unsigned flags) {
  unsigned bare = flags & SMTP_PATH_BARE;
  if (bare != 0 && (flags & SMTP_PATH_NULL) != 0 && in->n == 0) {
    path->null = true;
    return 0;
  }
  if (bare == 0 && (flags & SMTP_PATH_STRICT) != 0) return SMTP_ESYNTAX;
  int result = take_mailbox(path, in, flags);
  if (result != 0) return result;
  if (in->n == 0) return 0;
  return bare == 0 && smtp_ascii_blank(in->p[0], true) ? 0 : SMTP_ESYNTAX;
}

int smtp_path_parse(smtp_path *path, smtp_slice in, unsigned flags,
                    size_t *used) {
  smtp_slice rest = in;
  path->local_n = path->domain_n = 0;
  path->null = path->eightbit = false;
  bool angle = (flags & SMTP_PATH_BARE) == 0 && take(&rest, '<');
  int result =
      angle ? take_angle(path, &rest, flags) : take_bare(path, &rest, flags);
  *used = result == 0 ? in.n - rest.n : 0;
  return result;
}

int smtp_path_parse_mailbox(smtp_path *path, smtp_slice text, unsigned flags) {
  size_t used;
  flags |= SMTP_PATH_BARE | SMTP_PATH_NULL | SMTP_PATH_POSTMASTER;
  int result = smtp_path_parse(path, text, flags, &used);
  return result == 0 && used != text.n ? SMTP_ESYNTAX : result;
}

bool smtp_path_has_alabel(const smtp_path *path) {
  const smtp_slice prefix = SMTP_LIT("xn--");
  for (size_t i = 0; i + prefix.n <= path->domain_n; i++)
    if (smtp_ascii_equal((smtp_slice){path->domain + i, prefix.n}, prefix))
      return true;
  return false;
}

int smtp_path_check_domain(smtp_slice in, unsigned flags) {
  smtp_slice domain;
  if (in.n == 0 || in.n > SMTP_DOMAIN_MAX) return SMTP_ESYNTAX;
  if ((flags & SMTP_PATH_STRICT) != 0)
    return take_domain(&in, flags, &domain) == 0 && in.n == 0 ? 0
                                                              : SMTP_ESYNTAX;
  for (size_t i = 0; i < in.n; i++) {
    if (in.p[i] == ' ' || smtp_ascii_is((unsigned char)in.p[i], SMTP_CONTROL))
      return SMTP_ESYNTAX;
  }
  return is_utf8(in) ? 0 : SMTP_ESYNTAX;
}

/* ---- writing ---- */

/* Writes the mailbox and gives its length. */
static size_t write_mailbox(char *to, const smtp_path *path) {
  if (path->null) return 0;
  size_t n = write_local(to, path);
  if (path->domain_n == 0) return n;
  to[n++] = '@';
  memcpy(to + n, path->domain, path->domain_n);
  return n + path->domain_n;
}

int smtp_path_format_mailbox(smtp_buf *out, const smtp_path *path) {
  char written[WRITTEN_MAX];
  return smtp_buf_append(out, written, write_mailbox(written, path));
}

int smtp_path_format(smtp_buf *out, const smtp_path *path) {
  char written[WRITTEN_MAX];
  written[0] = '<';
  size_t n = 1 + write_mailbox(written + 1, path);
  written[n++] = '>';
  return smtp_buf_append(out, written, n);
}
