/* SPDX-License-Identifier: MIT */
/*
** fuzz/message.c: whole messages of the client machine, between any caller and
** any server. The first byte of the input says what the server offers; then come
** steps: one byte tells what is done, the next how much of it or which. Each
** message is told once, in the order in which they were begun: by an event, or
** when the session is over. It is accepted only by a reply to its content, once
** all of that was written, and its outcome is never surer than the bytes are.
*/
#include <stdlib.h>
#include <string.h>

#include "../csrc/core/client.h"
#include "client_input.h"

#define RECIPIENTS_MAX 5
#define MESSAGES_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct run {
  smtp_client *c;
  int begun, told; /* messages, which have the tags 1, 2 ... */
  uint64_t written;
  bool failed;
  bool gave_up;              /* a message, by our own wish */
  char *texts[MESSAGES_MAX]; /* of whole messages, by tag */
} run;

static smtp_slice lit(const char *s) {
  return (smtp_slice){s, strlen(s)};
}

/* ---- what is told ---------------------------------------------------- */

static size_t successes(const smtp_transaction *t) {
  size_t i, n = 0;
  for (i = 0; i < t->n; i++) {
    const smtp_kept *good = smtp_transaction_success(t, i);
    const smtp_kept *bad = smtp_transaction_refusal(t, i);
    CHECK(good == NULL || (good->code < 300 && bad == NULL));
    CHECK(bad == NULL || bad->code >= 300);
    n += good != NULL;
  }
  return n;
}

static void told(run *r, const smtp_transaction *t, bool over) {
  const smtp_kept *good = NULL;
  smtp_refusal why = {NULL, SMTP_PART_OTHER, 0};
  smtp_message_verdict verdict = smtp_transaction_verdict(t, &good, &why);
  smtp_outcome outcome = smtp_transaction_outcome(t, r->written);
  size_t n = successes(t);
  CHECK(t->tag == ++r->told && r->told <= r->begun);
  CHECK(over || smtp_transaction_done(t));
  CHECK(over || verdict != SMTP_MESSAGE_OPEN || (r->gave_up && t->ends == 0));
  if (verdict == SMTP_MESSAGE_ACCEPTED) {
    CHECK(good != NULL && good->code < 300 && n > 0 && t->accepted >= n);
    CHECK(t->final.code != 0 && t->ends != 0 && t->ends <= r->written);
  }
  if (verdict == SMTP_MESSAGE_REFUSED) {
    CHECK(why.reply != NULL && why.reply->code >= 300 && why.place <= t->n);
    CHECK(smtp_transaction_text(t, why.reply).n <= SMTP_REPLY_MAX);
  }
  CHECK(outcome != SMTP_OUTCOME_UNKNOWN ||
        (t->ends != 0 && t->ends <= r->written));
  CHECK(outcome != SMTP_OUTCOME_PARTIAL || n > 0);
  free(r->texts[t->tag - 1]);
  r->texts[t->tag - 1] = NULL;
}

static void lose(run *r) {
  const smtp_transaction *t;
  while ((t = smtp_client_lose(r->c)) != NULL) told(r, t, true);
  CHECK(r->told == r->begun && smtp_client_idle(r->c));
  r->failed = true;
}

/* The events at hand; the session is over by a failure, or by a reply. */
static void events(run *r) {
  smtp_client_event e;
  int got = 0;
  while (!r->failed && (got = smtp_client_next(r->c, &e)) == 1) {
    if (e.kind == SMTP_CLIENT_MESSAGE) {
      CHECK(e.transaction != NULL);
      told(r, e.transaction, false);
    } else {
      CHECK(e.reply != NULL && e.reply->code >= 200);
      if (e.kind == SMTP_CLIENT_ENDED) lose(r);
    }
  }
  if (got >= 0 || r->failed) return;
  CHECK(got == SMTP_EPROTOCOL || got == SMTP_ECLOSED);
  lose(r);
}

/* ---- what is done ---------------------------------------------------- */

static void hear(run *r, smtp_slice text, bool bytes) {
  while (text.n > 0 && !r->failed) {
    size_t n = bytes ? 1 : text.n;
    char *copy = copy_of((smtp_slice){text.p, n});
    CHECK(smtp_client_feed(r->c, copy, n) == 0);
    free(copy);
    events(r);
    text.p += n;
    text.n -= n;
  }
}

static void hear_common(run *r, unsigned which, bool bytes) {
  static const char *const all[] = {
      "250 2.1.0 ok\r\n",
      "354 go on\r\n",
      "550 5.1.1 no\r\n",
      "452 4.5.3 too many\r\n",
      "421 4.3.2 bye\r\n",
      "353 each\r\n",
      "250 a\r\n250 b\r\n354 c\r\n",
      "250 a\r\n250 b\r\n250 c\r\n",
      "250 a\r\n550 b\r\n250 c\r\n354 d\r\n",
      "250-\r\n251 x\r\n",
  };
  hear(r, lit(all[which % (sizeof all / sizeof *all)]), bytes);
}

static void write_out(run *r, size_t n) {
  size_t most = smtp_client_peek(r->c).n;
  if (n > most || n == 255) n = most;
  smtp_client_sent(r->c, n);
  r->written += n;
}

static int plan(run *r, smtp_transaction *t, unsigned how) {
  static const char *const mailboxes[] = {"ada@code.energy", "b@[127.0.0.1]",
                                          "\"a b\"@x", "c@d.example"};
  static const smtp_param prdr = {{"PRDR", 4}, {"", 0}, false};
  smtp_path path;
  size_t used, i;
  int result = 0;
  for (i = 0; result == 0 && i <= t->n; i++) {
    smtp_slice mailbox = lit(mailboxes[(how + i) % 4]);
    CHECK(smtp_path_parse(&path, mailbox, SMTP_PATH_BARE, &used) == 0);
    result = smtp_client_plan(r->c, t, i == 0 ? SMTP_VERB_MAIL : SMTP_VERB_RCPT,
                              &path, &prdr, i == 0 && (how & 64) ? 1 : 0);
  }
  return result;
}

static void send_one(run *r, input *in) {
  unsigned how = take(in), size = take(in);
  size_t n = size > 250 ? 70000 : size;
  smtp_transaction *t =
      smtp_transaction_new(smtp_mem_libc(), 1 + how % RECIPIENTS_MAX);
  char *text;
  int result;
  if (r->begun == MESSAGES_MAX) {
    smtp_transaction_free(t);
    return;
  }
  CHECK(t != NULL && (text = malloc(n + 1)) != NULL);
  memset(text, '.', n);
  CHECK(plan(r, t, how) == 0);
  t->tag = r->begun + 1;
  t->chunks = how & 8;
  t->binary = (how & 24) == 24;
  t->whole = how & 32;
  if (t->whole) t->text = (smtp_slice){text, n};
  result = smtp_client_send(r->c, t);
  CHECK(result == 0 || result == SMTP_EBUSY || result == SMTP_ESTATE);
  if (result == 0) {
    r->texts[r->begun++] = text;
    return;
  }
  smtp_transaction_free(t);
  free(text);
}

static void content(run *r, unsigned how) {
  char *bytes = malloc(how + 1u);
  size_t taken = 99;
  bool wanted = smtp_client_wants(r->c) == SMTP_WANT_CONTENT;
  int result;
  CHECK(bytes != NULL);
  memset(bytes, how & 1 ? '\n' : 'x', how + 1u);
  result = smtp_client_content(r->c, (smtp_slice){bytes, how}, &taken);
  CHECK(result == 0 || result == SMTP_EBUSY);
  CHECK(taken <= how);
  /* Where it is wanted something of it is taken, or the server has no use
  ** for it. */
  if (wanted && how > 0 && smtp_client_wants(r->c) == SMTP_WANT_CONTENT)
    CHECK(taken > 0);
  free(bytes);
}

static void step(run *r, input *in) {
  unsigned what = take(in), how;
  switch (what % 8) {
  case 0: send_one(r, in); break;
  case 1: hear_common(r, take(in), what & 8); break;
  case 2: write_out(r, take(in)); break;
  case 3: content(r, take(in)); break;
  case 4:
    how = take(in);
    if (how % 4 == 0)
      r->gave_up = smtp_client_give_up(r->c) || r->gave_up;
    else
      smtp_client_end(r->c);
    break;
  case 5: hear(r, take_text(in, take(in) % 64), what & 8); break;
  case 6: write_out(r, 255); break;
  default:
    if (what > 250) smtp_client_eof(r->c);
    break;
  }
  events(r);
}

/* A session in which mail may be sent. */
static void begin(run *r, unsigned offers) {
  const char *hello = offers & 1 ? "LHLO" : "EHLO";
  hear(r, lit("220 here\r\n"), false);
  CHECK(smtp_client_submit(r->c, lit(hello), lit("a")) == 0);
  write_out(r, 255);
  hear(r, lit("250-here\r\n250-8BITMIME\r\n"), false);
  if (offers & 2) hear(r, lit("250-PIPELINING\r\n"), false);
  if (offers & 4) hear(r, lit("250-CHUNKING\r\n"), false);
  if (offers & 8) hear(r, lit("250-PRDR\r\n"), false);
  hear(r, lit("250 ENHANCEDSTATUSCODES\r\n"), false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static run r;
  smtp_client_config config = {0, false, false, true};
  smtp_transcript_entry entry;
  input in = {data, size};
  memset(&r, 0, sizeof r);
  r.c = smtp_client_new(smtp_mem_libc(), &config);
  CHECK(r.c != NULL);
  begin(&r, take(&in));
  while (in.n > 0 && !r.failed) {
    step(&r, &in);
    while (smtp_transcript_read(smtp_client_transcript(r.c), &entry)) continue;
  }
  smtp_client_eof(r.c);
  events(&r);
  CHECK(r.failed && r.told == r.begun);
  smtp_client_free(r.c);
  return 0;
}
