/* SPDX-License-Identifier: MIT */
/*
** server_offer.c: the reply to EHLO: the extensions, mechanisms and attributes
** that this peer may use now.
*/
#include "ehlo.h"
#include "server_state.h"

#define BOTH (SMTP_FORWARD_XCLIENT | SMTP_FORWARD_XFORWARD)

smtp_slice smtp_server_attribute(smtp_attribute a, unsigned *of) {
  static const struct {
    smtp_slice name;
    unsigned of;
  } attributes[SMTP_ATTRIBUTES] = {
      [SMTP_ATTRIBUTE_NAME] = {{"NAME", 4}, BOTH},
      [SMTP_ATTRIBUTE_ADDR] = {{"ADDR", 4}, BOTH},
      [SMTP_ATTRIBUTE_PORT] = {{"PORT", 4}, BOTH},
      [SMTP_ATTRIBUTE_PROTO] = {{"PROTO", 5}, BOTH},
      [SMTP_ATTRIBUTE_HELO] = {{"HELO", 4}, BOTH},
      [SMTP_ATTRIBUTE_LOGIN] = {{"LOGIN", 5}, SMTP_FORWARD_XCLIENT},
      [SMTP_ATTRIBUTE_DESTADDR] = {{"DESTADDR", 8}, SMTP_FORWARD_XCLIENT},
      [SMTP_ATTRIBUTE_DESTPORT] = {{"DESTPORT", 8}, SMTP_FORWARD_XCLIENT},
      [SMTP_ATTRIBUTE_IDENT] = {{"IDENT", 5}, SMTP_FORWARD_XFORWARD},
      [SMTP_ATTRIBUTE_SOURCE] = {{"SOURCE", 6}, SMTP_FORWARD_XFORWARD},
  };
  *of = attributes[a].of;
  return attributes[a].name;
}

unsigned smtp_server_extensions(const smtp_server *s) {
  unsigned all = s->config->extensions;
  if (!s->peer.secured) all &= ~(unsigned)SMTP_EXT_REQUIRETLS;
  if (s->config->lmtp) all &= ~(unsigned)SMTP_EXT_PRDR; /* it is there anyway */
  return all;
}

unsigned smtp_server_mechanisms(const smtp_server *s) {
  unsigned all = s->config->auth;
  const struct secured *tls = s->tls;
  if (!s->peer.secured && !s->config->auth_cleartext) return 0;
  if (tls == NULL || tls->exporter_n + tls->endpoint_n == 0)
    all &= ~(unsigned)SMTP_SASL_PLUS;
  if (tls == NULL || tls->name_n == 0) all &= ~(unsigned)SMTP_SASL_EXTERNAL;
  return all;
}

/* The strongest first: many clients take the first one that they know. */
static int put_mechanisms(smtp_buf *out, unsigned mechanisms) {
  static const unsigned order[] = {SMTP_SASL_SCRAM_SHA_256_PLUS,
                                   SMTP_SASL_SCRAM_SHA_256,
                                   SMTP_SASL_SCRAM_SHA_1_PLUS,
                                   SMTP_SASL_SCRAM_SHA_1,
                                   SMTP_SASL_EXTERNAL,
                                   SMTP_SASL_OAUTHBEARER,
                                   SMTP_SASL_XOAUTH2,
                                   SMTP_SASL_PLAIN,
                                   SMTP_SASL_LOGIN,
                                   SMTP_SASL_CRAM_MD5};
  size_t i;
  int r = mechanisms == 0 ? 0 : smtp_buf_append(out, "AUTH", 4);
  for (i = 0; r == 0 && i < sizeof order / sizeof *order; i++) {
    if ((mechanisms & order[i]) == 0) continue;
    r = smtp_buf_append(out, " ", 1);
    if (r == 0) r = smtp_buf_append_slice(out, smtp_sasl_name(order[i]));
  }
  return r;
}

/* A line for XCLIENT or XFORWARD, if the peer may say it. */
static int put_forward(const smtp_server *s, unsigned command, smtp_slice verb,
                       smtp_buf *out) {
  int i, r = 0;
  if ((s->peer.trusted & command) == 0) return 0;
  if (smtp_buf_length(out) > 0) r = smtp_buf_append(out, "\n", 1);
  if (r == 0) r = smtp_buf_append_slice(out, verb);
  for (i = 0; r == 0 && i < SMTP_ATTRIBUTES; i++) {
    unsigned of;
    smtp_slice name = smtp_server_attribute((smtp_attribute)i, &of);
    if ((of & command) == 0) continue;
    r = smtp_buf_append(out, " ", 1);
    if (r == 0) r = smtp_buf_append_slice(out, name);
  }
  return r;
}

int smtp_server_offer(const smtp_server *s, smtp_buf *out) {
  smtp_buf own;
  smtp_ehlo ehlo = {SMTP_EXT_PIPELINING | SMTP_EXT_SIZE | SMTP_EXT_8BITMIME |
                        SMTP_EXT_ENHANCEDSTATUSCODES |
                        smtp_server_extensions(s),
                    s->config->limits.message_size};
  int r;
  if (s->config->tls && !s->peer.secured) ehlo.extensions |= SMTP_EXT_STARTTLS;
  smtp_buf_init(&own, s->mem, SMTP_REPLY_MAX);
  r = put_mechanisms(&own, smtp_server_mechanisms(s));
  if (r == 0 && smtp_buf_length(&own) > 0 && s->config->offers.n > 0)
    r = smtp_buf_append(&own, "\n", 1);
  if (r == 0) r = smtp_buf_append_slice(&own, s->config->offers);
  if (r == 0)
    r = put_forward(s, SMTP_FORWARD_XCLIENT, SMTP_LIT("XCLIENT"), &own);
  if (r == 0)
    r = put_forward(s, SMTP_FORWARD_XFORWARD, SMTP_LIT("XFORWARD"), &own);
  if (r == 0)
    r = smtp_ehlo_format(out, s->config->hostname, &ehlo, smtp_buf_data(&own));
  smtp_buf_clear(&own);
  return r;
}
