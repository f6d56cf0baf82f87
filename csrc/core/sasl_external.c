/* SPDX-License-Identifier: MIT */
/*
** sasl_external.c: EXTERNAL (RFC 4422 appendix A): the one message is the
** authorization identity, or nothing, which stands for that of the certificate
** that TLS has verified.
*/
#include "sasl_mechanism.h"

static int client_first(smtp_sasl *s) {
  int result;
  if (smtp_sasl_has_nul(s->client.authzid))
    return smtp_sasl_fail(s, SMTP_EINVALID, "EXTERNAL cannot carry NUL");
  result = smtp_sasl_join(&s->out, &s->client.authzid, 1);
  return result < 0 ? result : 1;
}

static int client_next(smtp_sasl *s, smtp_slice in) {
  (void)in;
  return smtp_sasl_again(s, client_first);
}

static int server_next(smtp_sasl *s, smtp_slice in) {
  int result;
  if (smtp_sasl_has_nul(in))
    return smtp_sasl_fail(s, SMTP_ESYNTAX, "an identity has no NUL");
  if (s->server.certificate.n == 0)
    return smtp_sasl_fail(s, SMTP_EAUTH, "no certificate was verified");
  result = smtp_sasl_join(&s->kept, &in, 1);
  if (result < 0) return result;
  s->credentials.user = s->server.certificate;
  s->credentials.authzid = smtp_buf_data(&s->kept);
  s->credentials.verified = true;
  return SMTP_SASL_DONE;
}

const smtp_sasl_side smtp_sasl_external_client = {client_first, client_next,
                                                  NULL, NULL};
const smtp_sasl_side smtp_sasl_external_server = {NULL, server_next, NULL,
                                                  NULL};
