/* SPDX-License-Identifier: MIT */
/*
** server_xclient.c: XCLIENT and XFORWARD: a trusted proxy or filter describes
** its own client, as in Postfix (XCLIENT_README and XFORWARD_README):
**   command   = ("XCLIENT" / "XFORWARD") 1*( SP attribute )
**   attribute = name "=" xtext
** After XCLIENT the session begins again, with a greeting. The attributes of
** XFORWARD are for the next transaction.
*/
#include <string.h>

#include "ascii.h"
#include "ip.h"
#include "server_state.h"
#include "xtext.h"

#define VALUE_MAX 255
#define PROTO_MAX 64

typedef bool check(smtp_slice *value);

/* ---- values, decoded ------------------------------------------------- */

/* A name in HELO, or a name of the client: any text without controls. */
static bool check_text(smtp_slice *value) {
  size_t i;
  for (i = 0; i < value->n; i++)
    if (smtp_ascii_is((unsigned char)value->p[i], SMTP_CONTROL)) return false;
  return smtp_utf8_valid(*value);
}

static bool check_name(smtp_slice *value) {
  return value->p[0] != '[' && smtp_path_check_domain(*value, 0) == 0;
}

/* IPv4, or IPv6 with its tag, which is taken off. */
static bool check_address(smtp_slice *value) {
  smtp_slice tag = SMTP_LIT("IPV6:");
  bool tagged = smtp_ascii_begins(*value, tag);
  smtp_ip ip;
  if (tagged) {
    value->p += tag.n;
    value->n -= tag.n;
  }
  return smtp_ip_parse(&ip, *value) == 0 && (ip.n == 16) == tagged;
}

static bool check_port(smtp_slice *value) {
  uint64_t port;
  return value->n <= 5 && smtp_ascii_number(*value, &port) == 0 &&
         port <= 65535;
}

static bool check_smtp(smtp_slice *value) {
  return smtp_ascii_equal(*value, SMTP_LIT("SMTP")) ||
         smtp_ascii_equal(*value, SMTP_LIT("ESMTP"));
}

/* Mail may have come to a filter by any protocol. */
static bool check_protocol(smtp_slice *value) {
  return value->n <= PROTO_MAX && check_text(value);
}

static bool check_source(smtp_slice *value) {
  return smtp_ascii_equal(*value, SMTP_LIT("LOCAL")) ||
         smtp_ascii_equal(*value, SMTP_LIT("REMOTE"));
}

/* ---- attributes ------------------------------------------------------ */

/* Whether a value that XCLIENT, or XFORWARD, gave is one. */
static const struct {
  check *xclient, *xforward;
} checks[SMTP_ATTRIBUTES] = {
    [SMTP_ATTRIBUTE_NAME] = {check_name, check_name},
    [SMTP_ATTRIBUTE_ADDR] = {check_address, check_address},
    [SMTP_ATTRIBUTE_PORT] = {check_port, check_port},
    [SMTP_ATTRIBUTE_PROTO] = {check_smtp, check_protocol},
    [SMTP_ATTRIBUTE_HELO] = {check_text, check_text},
    [SMTP_ATTRIBUTE_LOGIN] = {check_text, NULL},
    [SMTP_ATTRIBUTE_DESTADDR] = {check_address, NULL},
    [SMTP_ATTRIBUTE_DESTPORT] = {check_port, NULL},
    [SMTP_ATTRIBUTE_IDENT] = {NULL, check_text},
    [SMTP_ATTRIBUTE_SOURCE] = {NULL, check_source},
};

/* Which attribute of a command has the name; SMTP_ATTRIBUTES: none. */
static int find(unsigned command, smtp_slice name) {
  int i;
  for (i = 0; i < SMTP_ATTRIBUTES; i++) {
    unsigned of;
    smtp_slice own = smtp_server_attribute((smtp_attribute)i, &of);
    if ((of & command) != 0 && smtp_ascii_equal(name, own)) break;
  }
  return i;
}

/* One NAME=value, of which the value is decoded into the session's buffer:
** SMTP_ESYNTAX, or 0. */
static int read_attribute(smtp_server *s, unsigned command, smtp_slice word) {
  const char *equals = memchr(word.p, '=', word.n);
  size_t before = smtp_buf_length(&s->forward), n;
  smtp_slice value;
  int i, r;
  if (equals == NULL) return SMTP_ESYNTAX;
  n = (size_t)(equals - word.p);
  i = find(command, (smtp_slice){word.p, n});
  if (i == SMTP_ATTRIBUTES || s->told.value[i].p != NULL) return SMTP_ESYNTAX;
  r = smtp_xtext_parse(&s->forward, (smtp_slice){equals + 1, word.n - n - 1});
  if (r != 0) return r;
  value = smtp_buf_data(&s->forward);
  value.p += before;
  value.n -= before;
  if (value.n == 0 || value.n > VALUE_MAX) return SMTP_ESYNTAX;
  if (smtp_ascii_equal(value, SMTP_LIT("[TEMPUNAVAIL]")) &&
      i == SMTP_ATTRIBUTE_NAME) {
    s->told.temporary = true;
    value.n = 0;
  } else if (smtp_ascii_equal(value, SMTP_LIT("[UNAVAILABLE]"))) {
    value.n = 0;
  } else if (!(command == SMTP_FORWARD_XCLIENT ? checks[i].xclient
                                               : checks[i].xforward)(&value)) {
    return SMTP_ESYNTAX;
  }
  s->told.value[i] = value;
  return 0;
}

/* All of them. The values lie in one place, which must not move: it is made as
** large as it can get first. */
static int read_attributes(smtp_server *s, unsigned command, smtp_slice args) {
  char *place;
  int r;
  smtp_buf_clear(&s->forward);
  memset(&s->told, 0, sizeof s->told);
  if (args.n == 0) return SMTP_ESYNTAX;
  r = smtp_buf_reserve(&s->forward, args.n, &place);
  while (r == 0 && args.n > 0) {
    size_t n = 0;
    while (n < args.n && args.p[n] != ' ') n++;
    if (n > 0) r = read_attribute(s, command, (smtp_slice){args.p, n});
    n += n < args.n; /* the space */
    args.p += n;
    args.n -= n;
  }
  return r;
}

/* ---- commands -------------------------------------------------------- */

static unsigned command_of(smtp_verb verb) {
  return verb == SMTP_VERB_XCLIENT    ? SMTP_FORWARD_XCLIENT
         : verb == SMTP_VERB_XFORWARD ? SMTP_FORWARD_XFORWARD
                                      : 0;
}

smtp_verb smtp_server_known(const smtp_server *s, smtp_verb verb) {
  unsigned command = command_of(verb);
  return command != 0 && (s->config->forwarding & command) == 0
             ? SMTP_VERB_OTHER
             : verb;
}

void smtp_server_trust(smtp_server *s, unsigned forwarding) {
  s->peer.trusted = forwarding & s->config->forwarding;
}

/* Everything but TLS and the counts of errors and messages begins again. Whose
** certificate and channel that is, the client is not. */
static void begin_anew(smtp_server *s) {
  smtp_server_drop(s);
  if (s->tls != NULL)
    s->tls->name_n = s->tls->exporter_n = s->tls->endpoint_n = 0;
  s->peer.esmtp = false;
  s->peer.authenticated = s->told.value[SMTP_ATTRIBUTE_LOGIN].n > 0;
  smtp_server_enter(s, MOVE_XCLIENT);
}

int smtp_server_forward(smtp_server *s, const smtp_command *c,
                        smtp_server_event *event) {
  unsigned command = command_of(c->verb);
  bool anew = command == SMTP_FORWARD_XCLIENT;
  int r;
  if ((s->peer.trusted & command) == 0)
    return smtp_server_answer(s, SMTP_S_NOT_TRUSTED);
  r = read_attributes(s, command, c->args);
  if (r == SMTP_ESYNTAX) return smtp_server_answer(s, SMTP_S_SYNTAX);
  if (r == 0 && !anew) r = smtp_server_answer(s, SMTP_S_COMMAND);
  if (r != 0) return r;
  if (anew)
    begin_anew(s);
  else
    s->mail.forwarded = true;
  event->type = anew ? SMTP_SERVER_XCLIENT : SMTP_SERVER_XFORWARD;
  event->attributes = &s->told;
  return 1;
}
