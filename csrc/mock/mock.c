/* SPDX-License-Identifier: MIT */
/* mock.c: see mock.h. */
#include "mock.h"

#include <stdlib.h>
#include <string.h>

#include "../core/ascii.h"
#include "../net/crypto.h"
#include "text.h"

#define WATCHDOG 60.0
#define NEVER 1e12 /* seconds */

/* A client under test is not punished: no delay, no count, no limit of ours
** ends its session; its bytes are kept as they came. */
static void configure(smtp_mock *m) {
  smtp_server_config *c = &m->config;
  smtp_server_config_init(c);
  c->trace = true;
  c->intercept = true;
  c->bare_newline = SMTP_BARE_RAW;
  c->limits.header = UINT64_MAX;
  c->limits.hops = SIZE_MAX;
  c->limits.messages = SIZE_MAX;
  c->limits.errors = SIZE_MAX;
  c->limits.junk = SIZE_MAX;
  c->limits.idle_timeout = c->limits.command_timeout = NEVER;
  c->limits.data_rate = 0;
  c->auth_cleartext = true;
  c->crypto = smtp_crypto_openssl();
  c->secret = (smtp_slice){(const char *)m->secret, sizeof m->secret};
}

smtp_mock *smtp_mock_new(void) {
  smtp_mock *m = calloc(1, sizeof *m);
  if (m == NULL) return NULL;
  configure(m);
  m->watchdog = WATCHDOG;
  smtp_mock_record_init(&m->record);
  if (m->config.crypto->random(m->secret, sizeof m->secret) == 0) return m;
  free(m);
  return NULL;
}

void smtp_mock_free(smtp_mock *m) {
  size_t i;
  if (m == NULL) return;
  for (i = 0; i < m->rules_n; i++) smtp_mock_rule_free(m->rules[i]);
  for (i = 0; i < m->retired_n; i++) smtp_mock_rule_free(m->retired[i]);
  for (i = 0; i < m->users_n; i++) {
    smtp_text_clear(&m->users[i].name);
    smtp_text_clear(&m->users[i].password);
  }
  free(m->rules);
  free(m->retired);
  free(m->users);
  smtp_text_clear(&m->hostname);
  smtp_text_clear(&m->hidden);
  smtp_text_clear(&m->extra);
  smtp_text_clear(&m->file);
  smtp_mock_record_clear(&m->record);
  SSL_CTX_free(m->tls);
  free(m);
}

/* ---- rules ------------------------------------------------------------ */

static int append(smtp_mock_rule ***list, size_t *n, smtp_mock_rule *rule) {
  smtp_mock_rule **more = realloc(*list, (*n + 1) * sizeof *more);
  if (more == NULL) return SMTP_ENOMEM;
  *list = more;
  more[(*n)++] = rule;
  return 0;
}

int smtp_mock_put(smtp_mock *m, size_t at, smtp_mock_rule *rule) {
  smtp_mock_rule *old;
  if (at == 0 || at > m->rules_n) {
    if (append(&m->rules, &m->rules_n, rule) != 0) return SMTP_ENOMEM;
    return (int)m->rules_n;
  }
  old = m->rules[at - 1];
  if (append(&m->retired, &m->retired_n, old) != 0) return SMTP_ENOMEM;
  rule->matched = old->matched;
  rule->fired = old->fired;
  rule->seen = old->seen;
  rule->seen_n = old->seen_n;
  old->seen = NULL;
  old->seen_n = 0;
  m->rules[at - 1] = rule;
  return (int)at;
}

const smtp_mock_step *smtp_mock_fire(smtp_mock *m, const smtp_mock_facts *f) {
  const smtp_mock_step *step = NULL;
  size_t i = m->rules_n;
  while (i-- > 0) /* those behind the one that is taken count as well */
    if (smtp_mock_rule_match(m->rules[i], f) && step == NULL)
      step = smtp_mock_rule_fire(m->rules[i], f);
  return step;
}

/* The least threshold above before of a point that counts; 0: none. */
static uint64_t next_threshold(const smtp_mock *m, smtp_mock_point point,
                               uint64_t before) {
  uint64_t least = 0;
  size_t i;
  for (i = 0; i < m->rules_n; i++) {
    const smtp_mock_rule *r = m->rules[i];
    uint64_t at = r->bytes > 0 ? r->bytes : 1;
    if (r->point == point && at > before && (least == 0 || at < least))
      least = at;
  }
  return least;
}

uint64_t smtp_mock_body_after(const smtp_mock *m, uint64_t before) {
  return next_threshold(m, SMTP_MOCK_BODY, before);
}

uint64_t smtp_mock_idle_after(const smtp_mock *m, uint64_t before) {
  return next_threshold(m, SMTP_MOCK_IDLE, before);
}

/* ---- the rest --------------------------------------------------------- */

int smtp_mock_add_user(smtp_mock *m, smtp_slice name, smtp_slice password) {
  smtp_mock_user *more = realloc(m->users, (m->users_n + 1) * sizeof *more);
  smtp_mock_user one = {{NULL, 0}, {NULL, 0}};
  if (more == NULL) return SMTP_ENOMEM;
  m->users = more;
  if (smtp_text_set(&one.name, name) != 0 ||
      smtp_text_set(&one.password, password) != 0) {
    smtp_text_clear(&one.name);
    return SMTP_ENOMEM;
  }
  more[m->users_n++] = one;
  return 0;
}

const smtp_mock_user *smtp_mock_user_of(const smtp_mock *m, smtp_slice name) {
  size_t i;
  for (i = 0; i < m->users_n; i++) {
    const smtp_mock_user *u = &m->users[i];
    if (u->name.n == name.n && memcmp(u->name.p, name.p, name.n) == 0) return u;
  }
  return NULL;
}

bool smtp_mock_hides(const smtp_mock *m, smtp_slice keyword) {
  return smtp_ascii_listed(m->hidden, keyword);
}
