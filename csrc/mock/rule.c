/* SPDX-License-Identifier: MIT */
/* rule.c: see rule.h. */
#include "rule.h"

#include <stdlib.h>
#include <string.h>

#include "../core/ascii.h"
#include "text.h"

static const char *const names[SMTP_MOCK_POINTS] = {
    "connect", "handshake", "EHLO", "HELO", "AUTH", "MAIL",     "RCPT", "DATA",
    "BODY",    "EOM",       "BDAT", "RSET", "QUIT", "STARTTLS", "idle", ""};

smtp_mock_point smtp_mock_point_of(smtp_slice name) {
  int i;
  for (i = 0; i < SMTP_MOCK_OTHER; i++)
    if (smtp_ascii_equal(name, smtp_text_of(names[i]))) break;
  return (smtp_mock_point)i;
}

const char *smtp_mock_point_name(smtp_mock_point point) {
  return names[point];
}

/* ---- making ----------------------------------------------------------- */

smtp_mock_rule *smtp_mock_rule_new(smtp_mock_point point) {
  smtp_mock_rule *rule = calloc(1, sizeof *rule);
  if (rule != NULL) rule->point = point;
  return rule;
}

void smtp_mock_rule_free(smtp_mock_rule *rule) {
  size_t i, j;
  if (rule == NULL) return;
  for (i = 0; i < rule->steps_n; i++) {
    for (j = 0; j < rule->steps[i].n; j++)
      smtp_text_clear(&rule->steps[i].actions[j].text);
    free(rule->steps[i].actions);
  }
  free(rule->steps);
  free(rule->seen);
  smtp_text_clear(&rule->verb);
  smtp_text_clear(&rule->from);
  smtp_text_clear(&rule->to);
  smtp_text_clear(&rule->text);
  smtp_text_clear(&rule->user);
  free(rule);
}

int smtp_mock_rule_step(smtp_mock_rule *rule) {
  smtp_mock_step *more =
      realloc(rule->steps, (rule->steps_n + 1) * sizeof *more);
  if (more == NULL) return SMTP_ENOMEM;
  rule->steps = more;
  more[rule->steps_n++] = (smtp_mock_step){NULL, 0};
  return 0;
}

int smtp_mock_rule_add(smtp_mock_rule *rule, smtp_mock_act act, double seconds,
                       uint64_t n, smtp_slice text) {
  smtp_mock_step *step;
  smtp_mock_action *more;
  smtp_slice copy = {NULL, 0};
  int r = rule->steps_n == 0 ? smtp_mock_rule_step(rule) : 0;
  if (r == 0) r = smtp_text_set(&copy, text);
  if (r != 0) return r;
  step = &rule->steps[rule->steps_n - 1];
  more = realloc(step->actions, (step->n + 1) * sizeof *more);
  if (more == NULL) {
    smtp_text_clear(&copy);
    return SMTP_ENOMEM;
  }
  step->actions = more;
  more[step->n++] = (smtp_mock_action){act, seconds, n, copy};
  return 0;
}

/* ---- matching --------------------------------------------------------- */

/* Goes back only to the last star, so that it is never worse than n * m. */
bool smtp_mock_glob(smtp_slice glob, smtp_slice text) {
  size_t g = 0, t = 0, star = SIZE_MAX, from = 0;
  while (t < text.n) {
    if (g < glob.n && glob.p[g] == '*') {
      star = g++;
      from = t;
    } else if (g < glob.n &&
               (glob.p[g] == '?' ||
                smtp_ascii_lower(glob.p[g]) == smtp_ascii_lower(text.p[t]))) {
      g++;
      t++;
    } else if (star != SIZE_MAX) {
      g = star + 1;
      t = ++from;
    } else {
      return false;
    }
  }
  while (g < glob.n && glob.p[g] == '*') g++;
  return g == glob.n;
}

static bool contains(smtp_slice text, smtp_slice what) {
  const char *p = text.p, *end = text.p + text.n;
  if (what.n == 0) return true;
  while ((size_t)(end - p) >= what.n) {
    p = memchr(p, what.p[0], (size_t)(end - p) - what.n + 1);
    if (p == NULL) return false;
    if (memcmp(p, what.p, what.n) == 0) return true;
    p++;
  }
  return false;
}

static bool grants(smtp_mock_wish wish, bool is) {
  return wish == SMTP_MOCK_EITHER || (wish == SMTP_MOCK_YES) == is;
}

static bool any(smtp_slice glob, const smtp_slice *list, size_t n) {
  size_t i;
  for (i = 0; i < n; i++)
    if (smtp_mock_glob(glob, list[i])) return true;
  return false;
}

/* Counts of bytes, or of milliseconds, match when they come to the rule's. */
static bool crosses(const smtp_mock_rule *r, const smtp_mock_facts *f) {
  uint64_t at = r->bytes > 0 ? r->bytes : 1;
  if (r->point != SMTP_MOCK_BODY && r->point != SMTP_MOCK_IDLE) return true;
  return f->before < at && at <= f->bytes;
}

static bool matches(const smtp_mock_rule *r, const smtp_mock_facts *f) {
  if (r->point != f->point) return false;
  if (r->point == SMTP_MOCK_OTHER && r->verb.p != NULL &&
      !smtp_ascii_equal(r->verb, f->verb))
    return false;
  return (r->session == 0 || r->session == f->session) &&
         grants(r->tls, f->tls) && grants(r->auth, f->auth) && crosses(r, f) &&
         (r->from.p == NULL || smtp_mock_glob(r->from, f->from)) &&
         (r->user.p == NULL || smtp_mock_glob(r->user, f->user)) &&
         (r->to.p == NULL || any(r->to, f->to, f->to_n)) &&
         (r->text.p == NULL || contains(f->text, r->text));
}

/* FNV-1a, with a separator behind each part. */
static uint64_t hash(uint64_t h, smtp_slice text) {
  size_t i;
  for (i = 0; i < text.n; i++)
    h = (h ^ (unsigned char)text.p[i]) * UINT64_C(1099511628211);
  return (h ^ 0xff) * UINT64_C(1099511628211);
}

/* Whether this sender and recipient are new; they are remembered. */
static bool is_new(smtp_mock_rule *r, const smtp_mock_facts *f) {
  uint64_t h = hash(UINT64_C(14695981039346656037), f->from), *more;
  size_t i;
  for (i = 0; i < f->to_n; i++) h = hash(h, f->to[i]);
  for (i = 0; i < r->seen_n; i++)
    if (r->seen[i] == h) return false;
  more = realloc(r->seen, (r->seen_n + 1) * sizeof *more);
  if (more != NULL) {
    r->seen = more;
    more[r->seen_n++] = h;
  }
  return true;
}

/* Whether it is its turn, at this match. */
static bool counts(smtp_mock_rule *r, const smtp_mock_facts *f) {
  switch (r->count) {
  case SMTP_MOCK_FIRST: return r->matched <= r->n;
  case SMTP_MOCK_NTH: return r->matched == r->n;
  case SMTP_MOCK_FROM: return r->matched >= r->n;
  case SMTP_MOCK_EVERY: return r->n > 0 && r->matched % r->n == 0;
  case SMTP_MOCK_NEW: return is_new(r, f);
  default: return true;
  }
}

bool smtp_mock_rule_match(smtp_mock_rule *rule, const smtp_mock_facts *f) {
  bool match = matches(rule, f);
  if (match) rule->matched++;
  return match;
}

const smtp_mock_step *smtp_mock_rule_fire(smtp_mock_rule *rule,
                                          const smtp_mock_facts *f) {
  size_t step = 0;
  if (rule->steps_n == 0 || !counts(rule, f)) return NULL;
  rule->fired++;
  if (rule->count == SMTP_MOCK_SEQUENCE)
    step = rule->fired <= rule->steps_n ? (size_t)rule->fired - 1
                                        : rule->steps_n - 1;
  return &rule->steps[step];
}
