/* SPDX-License-Identifier: MIT */
/*
** sasl.c: the table of mechanisms, the life of an exchange, and the order of
** its calls, so that a mechanism need only know its own messages. What was
** configured is copied behind the object, in the one piece with it.
*/
#include "sasl.h"

#include <string.h>

#include "ascii.h"
#include "sasl_mechanism.h"

typedef struct row {
  unsigned mechanism;
  smtp_slice name;
  smtp_digest digest;
  const smtp_sasl_side *client, *server;
} row;

#define NAME(s) \
  { s, sizeof(s) - 1 }

static const row rows[] = {
    {SMTP_SASL_PLAIN, NAME("PLAIN"), SMTP_DIGEST_SHA256,
     &smtp_sasl_plain_client, &smtp_sasl_plain_server},
    {SMTP_SASL_LOGIN, NAME("LOGIN"), SMTP_DIGEST_SHA256,
     &smtp_sasl_login_client, &smtp_sasl_login_server},
    {SMTP_SASL_CRAM_MD5, NAME("CRAM-MD5"), SMTP_DIGEST_MD5,
     &smtp_sasl_cram_client, &smtp_sasl_cram_server},
    {SMTP_SASL_SCRAM_SHA_1, NAME("SCRAM-SHA-1"), SMTP_DIGEST_SHA1,
     &smtp_sasl_scram_client, &smtp_sasl_scram_server},
    {SMTP_SASL_SCRAM_SHA_1_PLUS, NAME("SCRAM-SHA-1-PLUS"), SMTP_DIGEST_SHA1,
     &smtp_sasl_scram_client, &smtp_sasl_scram_server},
    {SMTP_SASL_SCRAM_SHA_256, NAME("SCRAM-SHA-256"), SMTP_DIGEST_SHA256,
     &smtp_sasl_scram_client, &smtp_sasl_scram_server},
    {SMTP_SASL_SCRAM_SHA_256_PLUS, NAME("SCRAM-SHA-256-PLUS"),
     SMTP_DIGEST_SHA256, &smtp_sasl_scram_client, &smtp_sasl_scram_server},
    {SMTP_SASL_XOAUTH2, NAME("XOAUTH2"), SMTP_DIGEST_SHA256,
     &smtp_sasl_xoauth2_client, &smtp_sasl_xoauth2_server},
    {SMTP_SASL_OAUTHBEARER, NAME("OAUTHBEARER"), SMTP_DIGEST_SHA256,
     &smtp_sasl_oauthbearer_client, &smtp_sasl_oauthbearer_server},
    {SMTP_SASL_EXTERNAL, NAME("EXTERNAL"), SMTP_DIGEST_SHA256,
     &smtp_sasl_external_client, &smtp_sasl_external_server},
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

unsigned smtp_sasl_mechanism(smtp_slice name) {
  size_t i;
  for (i = 0; i < ROWS; i++)
    if (smtp_ascii_equal(rows[i].name, name)) return rows[i].mechanism;
  return 0;
}

static const row *find_row(unsigned mechanism) {
  size_t i;
  for (i = 0; i < ROWS; i++)
    if (rows[i].mechanism == mechanism) return &rows[i];
  return NULL;
}

smtp_slice smtp_sasl_name(unsigned mechanism) {
  const row *r = find_row(mechanism);
  return r != NULL ? r->name : SMTP_LIT("");
}

/* ---- what the mechanisms share ---- */

int smtp_sasl_fail(smtp_sasl *s, int result, const char *reason) {
  s->reason = reason;
  return result;
}

void smtp_sasl_wipe(smtp_buf *b) {
  if (b->p != NULL) smtp_mem_wipe(b->p, b->size);
  smtp_buf_clear(b);
}

int smtp_sasl_room(smtp_buf *b, size_t n) {
  char *place;
  smtp_sasl_wipe(b);
  b->cap = n;
  return smtp_buf_reserve(b, n, &place);
}

int smtp_sasl_join(smtp_buf *b, const smtp_slice *parts, size_t n) {
  size_t i, total = 0;
  int result;
  for (i = 0; i < n; i++) {
    if (parts[i].n > SIZE_MAX - total) return SMTP_ENOMEM;
    total += parts[i].n;
  }
  result = smtp_sasl_room(b, total);
  for (i = 0; i < n && result == 0; i++)
    result = smtp_buf_append_slice(b, parts[i]);
  return result;
}

bool smtp_sasl_same(smtp_slice a, smtp_slice b) {
  return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool smtp_sasl_has_nul(smtp_slice text) {
  return text.n > 0 && memchr(text.p, 0, text.n) != NULL;
}

bool smtp_sasl_has_control(smtp_slice text) {
  size_t i;
  for (i = 0; i < text.n; i++)
    if (smtp_ascii_is((unsigned char)text.p[i], SMTP_CONTROL)) return true;
  return false;
}

size_t smtp_sasl_base64_size(size_t n) {
  return (n + 2) / 3 * 4;
}

int smtp_sasl_again(smtp_sasl *s, int (*first)(smtp_sasl *s)) {
  int result;
  if (s->step++ > 0)
    return smtp_sasl_fail(s, SMTP_ESYNTAX, "a challenge after the response");
  result = first(s);
  return result < 0 ? result : SMTP_SASL_CONTINUE;
}

/* ---- birth and death ---- */

/* An object, and behind it copies of the n slices, which then point there. */
static smtp_sasl *create(const smtp_mem *mem, const smtp_crypto *crypto,
                         unsigned mechanism, smtp_slice *const *slices,
                         size_t n) {
  const row *r = find_row(mechanism);
  smtp_sasl *s;
  char *at;
  size_t i, size = sizeof(*s);

  if (r == NULL) return NULL;
  for (i = 0; i < n; i++) {
    if (slices[i]->n > SIZE_MAX - size) return NULL;
    size += slices[i]->n;
  }
  s = smtp_mem_new(mem, size);
  if (s == NULL) return NULL;
  s->mem = mem;
  s->crypto = crypto;
  s->size = size;
  s->mechanism = mechanism;
  s->digest = r->digest;
  s->reason = "";
  smtp_buf_init(&s->out, mem, 0);
  smtp_buf_init(&s->kept, mem, 0);
  smtp_buf_init(&s->client_first, mem, 0);
  smtp_buf_init(&s->server_first, mem, 0);
  smtp_buf_init(&s->auth, mem, 0);
  at = (char *)(s + 1);
  for (i = 0; i < n; i++) {
    if (slices[i]->n > 0) memcpy(at, slices[i]->p, slices[i]->n);
    slices[i]->p = at;
    at += slices[i]->n;
  }
  return s;
}

smtp_sasl *smtp_sasl_client_new(const smtp_mem *mem, const smtp_crypto *crypto,
                                unsigned mechanism,
                                const smtp_sasl_client *config) {
  smtp_sasl_client own = *config;
  smtp_slice *const slices[] = {
      &own.user, &own.password,         &own.authzid,
      &own.host, &own.binding.exporter, &own.binding.endpoint,
      &own.nonce};
  smtp_sasl *s = create(mem, crypto, mechanism, slices,
                        sizeof(slices) / sizeof(slices[0]));
  if (s == NULL) return NULL;
  s->side = find_row(mechanism)->client;
  s->complete = (mechanism & SMTP_SASL_SCRAM) == 0;
  s->client = own;
  return s;
}

smtp_sasl *smtp_sasl_server_new(const smtp_mem *mem, const smtp_crypto *crypto,
                                unsigned mechanism,
                                const smtp_sasl_server *config) {
  smtp_sasl_server own = *config;
  smtp_slice *const slices[] = {&own.hostname,         &own.binding.exporter,
                                &own.binding.endpoint, &own.secret,
                                &own.certificate,      &own.nonce};
  smtp_sasl *s = create(mem, crypto, mechanism, slices,
                        sizeof(slices) / sizeof(slices[0]));
  if (s == NULL) return NULL;
  s->side = find_row(mechanism)->server;
  s->is_server = true;
  s->server = own;
  if (s->server.iterations == 0) s->server.iterations = SMTP_SCRAM_ITERATIONS;
  return s;
}

void smtp_sasl_free(smtp_sasl *s) {
  const smtp_mem *mem;
  size_t size;
  if (s == NULL) return;
  smtp_sasl_wipe(&s->out);
  smtp_sasl_wipe(&s->kept);
  smtp_sasl_wipe(&s->client_first);
  smtp_sasl_wipe(&s->server_first);
  smtp_sasl_wipe(&s->auth);
  mem = s->mem;
  size = s->size;
  smtp_mem_wipe(s, size);
  smtp_mem_free(mem, s, size);
}

/* ---- the order of calls ---- */

/* Moves the exchange by a result of the mechanism, and gives it back. */
static int settle(smtp_sasl *s, int result) {
  if (result < 0) {
    s->phase = SMTP_SASL_FAILED;
    s->failure = result;
    s->complete = false;
    s->credentials.verified = false; /* also where a check came after it */
    smtp_sasl_wipe(&s->out);
  } else if (result == SMTP_SASL_DONE) {
    s->phase = SMTP_SASL_OVER;
  } else if (result == SMTP_SASL_LOOKUP) {
    s->phase = SMTP_SASL_LOOKING;
  } else {
    s->phase = SMTP_SASL_RUNNING;
  }
  return result;
}

/* A peer takes no message above the maximum, and sums stay small. */
static bool too_long(const smtp_sasl_client *c) {
  return c->user.n > SMTP_SASL_MAX || c->password.n > SMTP_SASL_MAX ||
         c->authzid.n > SMTP_SASL_MAX || c->host.n > SMTP_SASL_MAX ||
         c->nonce.n > SMTP_SASL_MAX;
}

int smtp_sasl_first(smtp_sasl *s) {
  int result = 0;
  if (s->phase == SMTP_SASL_FAILED) return s->failure;
  if (s->phase != SMTP_SASL_FRESH) return SMTP_ESTATE;
  if (!s->is_server && too_long(&s->client))
    result = smtp_sasl_fail(s, SMTP_EINVALID, "a value is too long");
  else if (s->side->first != NULL)
    result = s->side->first(s);
  if (result > 0 && smtp_buf_length(&s->out) > SMTP_SASL_MAX)
    result = smtp_sasl_fail(s, SMTP_EINVALID, "the message is too long");
  settle(s, result < 0 ? result : SMTP_SASL_CONTINUE);
  return result;
}

/*
** No name has a control: RFC 4013 section 2.3, by which RFC 4616 and RFC 5802
** prepare names. In a log or a header field a control could begin a line.
*/
static int check_names(smtp_sasl *s, int result) {
  const smtp_sasl_credentials *c = &s->credentials;
  if (result < 0 ||
      (!smtp_sasl_has_control(c->user) && !smtp_sasl_has_control(c->authzid)))
    return result;
  return smtp_sasl_fail(s, SMTP_ESYNTAX, "a control in a name");
}

int smtp_sasl_next(smtp_sasl *s, smtp_slice in) {
  if (s->phase == SMTP_SASL_FAILED) return s->failure;
  if (s->phase == SMTP_SASL_LOOKING || s->phase == SMTP_SASL_OVER ||
      (s->phase == SMTP_SASL_FRESH && !s->is_server))
    return SMTP_ESTATE;
  smtp_sasl_wipe(&s->out);
  if (in.p == NULL) in = SMTP_LIT("");
  if (in.n > SMTP_SASL_MAX)
    return settle(s, smtp_sasl_fail(s, SMTP_ESYNTAX, "a message too long"));
  if (s->phase == SMTP_SASL_REFUSED)
    return settle(s, smtp_sasl_fail(s, SMTP_EAUTH, "the token was refused"));
  return settle(s, check_names(s, s->side->next(s, in)));
}

int smtp_sasl_lookup(smtp_sasl *s, const smtp_sasl_keys *keys) {
  if (s->phase == SMTP_SASL_FAILED) return s->failure;
  if (s->phase != SMTP_SASL_LOOKING) return SMTP_ESTATE;
  smtp_sasl_wipe(&s->out);
  return settle(s, s->side->lookup(s, keys));
}

int smtp_sasl_refuse(smtp_sasl *s) {
  int result;
  if (s->phase == SMTP_SASL_FAILED) return s->failure;
  if (s->phase != SMTP_SASL_OVER) return SMTP_ESTATE;
  smtp_sasl_wipe(&s->out);
  if (s->side->refuse == NULL) return SMTP_SASL_DONE;
  result = settle(s, s->side->refuse(s));
  if (result == SMTP_SASL_CONTINUE) s->phase = SMTP_SASL_REFUSED;
  return result;
}

unsigned smtp_sasl_mechanism_of(const smtp_sasl *s) {
  return s->mechanism;
}

smtp_slice smtp_sasl_output(const smtp_sasl *s) {
  return smtp_buf_data(&s->out);
}

bool smtp_sasl_complete(const smtp_sasl *s) {
  return s->complete;
}

bool smtp_sasl_takes_words(const smtp_sasl *s) {
  return !s->is_server && (s->mechanism & SMTP_SASL_LOOKUPS) == 0;
}

const char *smtp_sasl_reason(const smtp_sasl *s) {
  return s->reason;
}

smtp_slice smtp_sasl_problem(const smtp_sasl *s) {
  unsigned tokens = SMTP_SASL_XOAUTH2 | SMTP_SASL_OAUTHBEARER;
  if (s->is_server || (s->mechanism & tokens) == 0) return SMTP_LIT("");
  return smtp_buf_data(&s->server_first);
}

const smtp_sasl_credentials *smtp_sasl_credentials_of(const smtp_sasl *s) {
  return &s->credentials;
}
