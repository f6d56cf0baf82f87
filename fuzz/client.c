/* SPDX-License-Identifier: MIT */
/*
** fuzz/client.c: the client machine between any caller and any server. The
** first byte of the input is the configuration; then come steps: one byte
** tells what is done, the next how much of it or which. What the server says
** is fed whole and byte by byte, with the same outcome. A model keeps what
** was queued and written: no reply may answer a command whose last byte was
** not written, only what was submitted may go out, and a failure stays. If more
** replies come than are due, none of those that came at once is given; a byte at
** a time they are given up to there.
*/
#include <stdlib.h>
#include <string.h>

#include "../csrc/core/client.h"
#include "client_input.h"

#define ROOM ((size_t)1 << 26)
#define DUE_MAX 4096
#define LIT(s) \
  { "" s, sizeof(s) - 1 }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct run {
  smtp_client *c;
  bool secured; /* STARTTLS was answered by 220 */
  bool bytes;   /* feeds byte by byte */
  bool greeted; /* the first reply came */
  bool content; /* content is due */
  bool eof;
  bool astray;     /* it broke by more replies than were due */
  int error;       /* what next gave at last, if it failed */
  size_t accepted; /* RCPTs of this transaction */
  bool refused;    /* its MAIL was: then no RCPT counts */
  bool chunks;     /* and goes in chunks, which are told by what is written */
  bool prdr;       /* the last MAIL asked for PRDR */
  bool lmtp;       /* content has a reply for each recipient */
  size_t finals;   /* so many of them are due still */
  uint64_t queued, written;
  struct {
    smtp_client_step step;
    bool lmtp; /* it has a reply for each recipient */
    bool prdr; /* PRDR was asked for */
    uint64_t end;
  } due[DUE_MAX];
  size_t first, last; /* what is due is due[first] to due[last - 1] */
  smtp_buf log;
  bool kept;    /* content was accepted since the last feed */
  bool over;    /* there was a 421, or an early refusal */
  size_t broke; /* the length of the log at a breach */
} run;

static void note(run *r, uint64_t number, smtp_slice text) {
  CHECK(smtp_buf_append_number(&r->log, number) == 0);
  CHECK(smtp_buf_append(&r->log, " ", 1) == 0);
  CHECK(smtp_buf_append_slice(&r->log, text) == 0);
  CHECK(smtp_buf_append(&r->log, "\n", 1) == 0);
}

/* ---- what is queued -------------------------------------------------- */

static size_t waiting(const run *r) {
  return smtp_client_peek(r->c).n;
}

static void push(run *r, smtp_client_step step) {
  CHECK(r->last < DUE_MAX);
  r->due[r->last].step = step;
  r->due[r->last].lmtp = r->lmtp;
  r->due[r->last].prdr = r->prdr;
  r->due[r->last++].end = r->queued;
}

/* After a call that may queue: what came must be one whole command, and
** nothing if the call failed. */
static void queued(run *r, size_t before, int result, smtp_client_step step) {
  smtp_slice out = smtp_client_peek(r->c);
  size_t i;
  note(r, (uint64_t)-result, (smtp_slice){"", 0});
  if (r->error != 0) CHECK(result == r->error);
  if (result != 0) {
    CHECK(out.n == before);
    return;
  }
  CHECK(out.n >= before + 3 && out.n <= before + SMTP_LINE_MAX);
  for (i = before; i < out.n - 2; i++)
    CHECK((unsigned char)out.p[i] >= 32 && (unsigned char)out.p[i] < 127);
  CHECK(memcmp(out.p + i, "\r\n", 2) == 0);
  CHECK(r->greeted && !r->content && !r->eof);
  r->queued += out.n - before;
  push(r, step);
}

/* The output after `before` is whole chunks: BDAT and so many bytes each; the
** last of all if the content ends with them. */
static void queued_chunks(run *r, size_t before, bool ends) {
  smtp_slice out = smtp_client_peek(r->c);
  size_t at = before;
  bool last = false;
  while (at < out.n) {
    size_t n = 0;
    CHECK(!last && out.n - at > 7 && memcmp(out.p + at, "BDAT ", 5) == 0);
    for (at += 5; at < out.n && out.p[at] >= '0' && out.p[at] <= '9'; at++)
      n = n * 10 + (size_t)(out.p[at] - '0');
    last = out.n - at > 5 && memcmp(out.p + at, " LAST", 5) == 0;
    if (last) at += 5;
    CHECK(out.n - at >= 2 && memcmp(out.p + at, "\r\n", 2) == 0);
    at += 2;
    CHECK(out.n - at >= n && n <= 2 * 65536 + 2);
    at += n;
    r->queued += at - before;
    before = at;
    push(r, last ? SMTP_CLIENT_FINAL : SMTP_CLIENT_CHUNK);
  }
  CHECK(last == ends);
}

static void submit_chunks(run *r, input *in) {
  size_t before = waiting(r);
  int result = smtp_client_chunks(r->c, take(in) & 1);
  CHECK(waiting(r) == before);
  note(r, (uint64_t)-result, (smtp_slice){"", 0});
  if (r->error != 0) CHECK(result == r->error);
  if (result != 0) return;
  CHECK(r->greeted && !r->content && !r->eof);
  r->content = r->chunks = true;
}

static void submit(run *r, input *in) {
  static const struct {
    smtp_slice name, args;
    smtp_client_step step;
  } all[] = {{{"EHLO", 4}, {"a.example", 9}, SMTP_CLIENT_EHLO},
             {{"HELO", 4}, {"a", 1}, SMTP_CLIENT_EHLO},
             {{"LHLO", 4}, {"a", 1}, SMTP_CLIENT_EHLO},
             {{"MAIL", 4}, {"FROM:<>", 7}, SMTP_CLIENT_MAIL},
             {{"rcpt", 4}, {"TO:<a@b>", 8}, SMTP_CLIENT_RCPT},
             {{"DATA", 4}, {"", 0}, SMTP_CLIENT_DATA},
             {{"RSET", 4}, {"", 0}, SMTP_CLIENT_RSET},
             {{"NOOP", 4}, {"x y", 3}, SMTP_CLIENT_COMMAND},
             {{"VRFY", 4}, {"ada", 3}, SMTP_CLIENT_COMMAND},
             {{"XADA", 4}, {"\t", 1}, SMTP_CLIENT_COMMAND},
             {{"QUIT", 4}, {"", 0}, SMTP_CLIENT_QUIT},
             {{"NOOP", 4}, {"a\r\nb", 4}, SMTP_CLIENT_COMMAND},
             {{"NO OP", 5}, {"", 0}, SMTP_CLIENT_COMMAND},
             {{"NOOP", 4}, {"\xc3\xa9", 2}, SMTP_CLIENT_COMMAND},
             {{"BDAT", 4}, {"3", 1}, SMTP_CLIENT_FINAL},
             {{"STARTTLS", 8}, {"", 0}, SMTP_CLIENT_STARTTLS}};
  unsigned i = take(in) % (sizeof all / sizeof *all);
  size_t before = waiting(r);
  int result;
  if (all[i].name.p[0] == 'B') {
    submit_chunks(r, in);
    return;
  }
  result = smtp_client_submit(r->c, all[i].name, all[i].args);
  if (result == 0 && all[i].step == SMTP_CLIENT_RSET && r->chunks)
    r->content = false; /* it ends what is between two chunks */
  queued(r, before, result, all[i].step);
  if (result == 0 && all[i].step == SMTP_CLIENT_EHLO)
    r->lmtp = all[i].name.p[0] == 'L';
}

static void submit_path(run *r, input *in) {
  static const smtp_param params[] = {
      {{"SIZE", 4}, {"10", 2}, true},    {{"BODY", 4}, {"8BITMIME", 8}, true},
      {{"SMTPUTF8", 8}, {"", 0}, false}, {{"PRDR", 4}, {"", 0}, false},
      {{"A=", 2}, {"", 0}, false},       {{"A", 1}, {"a b", 3}, true}};
  static const smtp_slice mailboxes[] = {{"", 0},
                                         {"ada@code.energy", 15},
                                         {"\"a b\"@[127.0.0.1]", 17},
                                         {"Postmaster", 10},
                                         {"\xc3\xa9@b", 4}};
  unsigned how = take(in), which = how >> 1 & 7;
  smtp_verb verb = how & 1 ? SMTP_VERB_RCPT : SMTP_VERB_MAIL;
  size_t before = waiting(r), used;
  smtp_path path;
  if (smtp_path_parse(&path, mailboxes[(how >> 4) % 5],
                      SMTP_PATH_BARE | SMTP_PATH_NULL | SMTP_PATH_POSTMASTER,
                      &used) != 0)
    return;
  if (which > 6) which = 0;
  int result = smtp_client_submit_path(r->c, verb, &path, params, which);
  if (result == 0 && verb == SMTP_VERB_MAIL) r->prdr = which == 4;
  queued(r, before, result, how & 1 ? SMTP_CLIENT_RCPT : SMTP_CLIENT_MAIL);
}

/* Some content, once or so often that chunks of it are full. */
static void body(run *r, input *in) {
  unsigned how = take(in);
  smtp_slice text = take_text(in, how);
  size_t times = how > 250 ? 1000 : 1, n = text.n * times, i;
  char *copy = malloc(n);
  size_t before = waiting(r), taken = 99;
  int result;
  CHECK(copy != NULL || n == 0);
  for (i = 0; i < times; i++)
    if (text.n > 0) memcpy(copy + i * text.n, text.p, text.n);
  result = smtp_client_body(r->c, (smtp_slice){copy, n}, &taken);
  if (r->error != 0) CHECK(result == r->error);
  CHECK((result == SMTP_ESTATE) == (!r->content && r->error == 0));
  CHECK(taken <= n);
  CHECK(result == 0 || (taken == 0 && waiting(r) == before));
  if (r->content && r->chunks) {
    queued_chunks(r, before, false);
  } else {
    CHECK(waiting(r) - before <= 2 * taken + 2);
    r->queued += waiting(r) - before;
  }
  note(r, (uint64_t)-result, (smtp_slice){"", 0});
  free(copy);
}

static void finish(run *r) {
  size_t before = waiting(r);
  int result = smtp_client_finish(r->c);
  size_t made = waiting(r) - before;
  if (r->error != 0) CHECK(result == r->error);
  CHECK((result == SMTP_ESTATE) == (!r->content && r->error == 0));
  CHECK(result == 0 || made == 0);
  CHECK(result != SMTP_EBUSY || r->chunks);
  note(r, (uint64_t)-result, (smtp_slice){"", 0});
  if (result != 0) return;
  r->content = false;
  if (r->chunks) {
    queued_chunks(r, before, true);
    return;
  }
  CHECK(made >= 3 && made <= 5);
  r->queued += made;
  push(r, SMTP_CLIENT_FINAL);
}

static void abandon(run *r) {
  size_t before = waiting(r);
  int result = smtp_client_abandon(r->c);
  if (r->error != 0) CHECK(result == r->error);
  CHECK(r->error != 0 || (result == 0) == (r->content && r->chunks));
  CHECK(waiting(r) == before);
  if (result == 0) r->content = false;
}

static void write(run *r, input *in) {
  size_t n = take(in), most = waiting(r);
  if (n > most || n == 255) n = most;
  smtp_client_sent(r->c, n);
  r->written += n;
  CHECK(waiting(r) == most - n && r->written <= r->queued);
}

/* ---- what the server says -------------------------------------------- */

/* The step of a reply to what was written; by LMTP content has many. */
static void check_due(run *r, smtp_client_step step, smtp_client_step due,
                      int code) {
  bool lmtp = r->due[r->first].lmtp, prdr = r->due[r->first].prdr && !lmtp;
  if (due == SMTP_CLIENT_FINAL && prdr && r->finals == 0 &&
      step == SMTP_CLIENT_RECIPIENT) {
    CHECK(code / 100 == 3);
    r->finals = r->accepted + 1;
    return;
  }
  if (due == SMTP_CLIENT_FINAL && r->finals > 0) { /* a hello may follow */
    CHECK(step == (r->finals > 1 ? SMTP_CLIENT_RECIPIENT : SMTP_CLIENT_FINAL));
    CHECK(code / 100 != 3);
    if (--r->finals > 0) return;
  } else if (due == SMTP_CLIENT_FINAL && lmtp) {
    if (r->finals == 0) r->finals = r->accepted > 0 ? r->accepted : 1;
    CHECK(step == (r->finals > 1 ? SMTP_CLIENT_RECIPIENT : SMTP_CLIENT_FINAL));
    CHECK(code < 300 || code >= 400);
    if (--r->finals > 0) return;
  } else {
    CHECK(step == due);
  }
  r->first++;
}

/* Whose reply it may be, and what it makes of the model. */
static void check_reply(run *r, const smtp_client_event *e, size_t before) {
  int code = e->reply->code;
  bool open = r->first < r->last && r->due[r->first].end <= r->written;
  if (!r->greeted) {
    CHECK(e->step == SMTP_CLIENT_GREETING);
    r->greeted = true;
  } else if (open) {
    check_due(r, e->step, r->due[r->first].step, code);
  } else if (e->step == SMTP_CLIENT_FINAL) {
    CHECK(code >= 400); /* before the content was written */
    CHECK(r->content || r->due[r->first].step == SMTP_CLIENT_FINAL ||
          r->due[r->first].step == SMTP_CLIENT_CHUNK);
    r->content = false;
    r->over = true;
  } else {
    CHECK(e->step == SMTP_CLIENT_UNASKED && code == 421);
  }
  if (code == 421) r->content = false; /* whatever it answered */
  r->over = r->over || code == 421;
  r->kept = !r->over &&
            (r->kept || (e->step == SMTP_CLIENT_FINAL && code / 100 == 2));
  if (e->step == SMTP_CLIENT_MAIL) {
    r->refused = code >= 300;
    r->accepted = 0;
  }
  if (e->step == SMTP_CLIENT_RCPT && code < 300 && !r->refused) r->accepted++;
  if (e->step == SMTP_CLIENT_DATA) CHECK(code >= 300);
  if (e->step == SMTP_CLIENT_DATA && code < 400 && !r->over) {
    r->content = r->accepted > 0;
    r->chunks = false;
    if (!r->content) { /* the machine ended it by itself */
      CHECK(waiting(r) == before + 3);
      r->queued += 3;
      push(r, SMTP_CLIENT_FINAL);
      before += 3;
    }
  }
  CHECK(waiting(r) == before);
}

static void replies(run *r) {
  for (;;) {
    smtp_client_event e;
    size_t before = waiting(r);
    int got = smtp_client_next(r->c, &e);
    CHECK(r->error == 0 || got == r->error);
    CHECK((got == SMTP_EPROTOCOL) == (smtp_client_reason(r->c)[0] != '\0'));
    if (got <= 0) {
      if (got < 0 && r->error == 0) {
        CHECK(smtp_client_in_step(r->c) || r->bytes || !r->kept);
        r->astray = !smtp_client_in_step(r->c);
        r->broke = smtp_buf_length(&r->log);
        note(r, (uint64_t)-got, (smtp_slice){"", 0});
      }
      r->error = got;
      CHECK(got == 0 || got == SMTP_EPROTOCOL || got == SMTP_ECLOSED);
      CHECK(got != SMTP_ECLOSED || r->eof);
      CHECK(got == 0 || !smtp_client_usable(r->c));
      CHECK(waiting(r) == before);
      return;
    }
    check_reply(r, &e, before);
    CHECK(smtp_client_outstanding(r->c) == r->last - r->first);
    CHECK(e.reply->code >= 200 && e.reply->code < 560 && e.reply->lines > 0);
    CHECK(e.status.class_ == 0 || e.status.class_ == e.reply->code / 100);
    note(r, (uint64_t)e.step, smtp_reply_text(e.reply));
    note(r, (uint64_t)e.reply->code, (smtp_slice){"", 0});
    if (smtp_client_paused(r->c)) { /* the handshake is made at once */
      CHECK(e.step == SMTP_CLIENT_STARTTLS && e.reply->code < 300);
      CHECK(smtp_client_secured(r->c) == 0);
      r->secured = true;
    }
  }
}

static void hear(run *r, smtp_slice text) {
  while (text.n > 0) {
    smtp_slice some = {text.p, r->bytes ? 1 : text.n};
    char *copy = copy_of(some);
    CHECK(smtp_client_feed(r->c, copy, some.n) == 0);
    free(copy);
    r->kept = false;
    replies(r);
    text.p += some.n;
    text.n -= some.n;
  }
}

/* Replies that servers send, and some that they should not. */
static void hear_common(run *r, input *in) {
  static const smtp_slice all[] = {
      LIT("220 here\r\n"),
      LIT("250-here\r\n250-PIPELINING\r\n250-SIZE 1000\r\n"
          "250-CHUNKING\r\n250-PRDR\r\n250 ENHANCEDSTATUSCODES\r\n"),
      LIT("250 2.0.0 ok\r\n"),
      LIT("354 go on\r\n"),
      LIT("550 5.1.1 no\r\n"),
      LIT("450-4.2.0 not\r\n450 now\r\n"),
      LIT("421 4.3.2 bye\r\n"),
      LIT("221 bye\r\n"),
      LIT("250 2.1.0 a\r\n250 2.1.5 b\r\n354 c\r\n"),
      LIT("250"),
      LIT("250-\r\n251 x\r\n"),
      LIT("250 ok\n"),
      LIT("353 each\r\n"),
  };
  hear(r, all[take(in) % (sizeof all / sizeof *all)]);
}

/* ---- a session ------------------------------------------------------- */

static void check_state(const run *r) {
  size_t due = r->last - r->first;
  smtp_client_step next =
      due == 0 ? SMTP_CLIENT_UNASKED : r->due[r->first].step;
  if (r->error != 0 || r->eof || r->content) CHECK(!smtp_client_usable(r->c));
  CHECK(smtp_client_peek(r->c).n == r->queued - r->written);
  if (r->error == SMTP_EPROTOCOL) return; /* a reply was lost with it */
  CHECK(smtp_client_outstanding(r->c) == due);
  CHECK(smtp_client_awaits(r->c) == (r->greeted ? next : SMTP_CLIENT_GREETING));
}

static void step(run *r, input *in) {
  switch (take(in) % 8) {
  case 0: hear(r, take_text(in, take(in))); break;
  case 1: hear_common(r, in); break;
  case 2: submit(r, in); break;
  case 3: submit_path(r, in); break;
  case 4: body(r, in); break;
  case 5: finish(r); break;
  case 6: write(r, in); break;
  default:
    switch (take(in) % 8) {
    case 6: abandon(r); break;
    case 7:
      smtp_client_eof(r->c);
      r->eof = true;
      break;
    default: break;
    }
    replies(r);
    break;
  }
  check_state(r);
}

static void play(run *r, const smtp_client_config *config, input in,
                 bool bytes) {
  memset(r, 0, sizeof *r);
  r->bytes = bytes;
  smtp_buf_init(&r->log, smtp_mem_libc(), ROOM);
  r->c = smtp_client_new(smtp_mem_libc(), config);
  CHECK(r->c != NULL);
  while (in.n > 0) step(r, &in);
  smtp_client_eof(r->c);
  r->eof = true;
  replies(r);
  CHECK(r->error != 0);
  smtp_client_free(r->c);
}

/* They are equal, but for the replies that counted a byte at a time, before one
** that was a breach. */
static void check_logs(const run *whole, const run *bytes) {
  smtp_slice x = smtp_buf_data(&whole->log), y = smtp_buf_data(&bytes->log);
  if (whole->astray) {
    CHECK(bytes->broke >= whole->broke);
    CHECK(memcmp(x.p, y.p, whole->broke) == 0);
    x = (smtp_slice){x.p + whole->broke, x.n - whole->broke};
    y = (smtp_slice){y.p + bytes->broke, y.n - bytes->broke};
  }
  CHECK(x.n == y.n && memcmp(x.p, y.p, x.n) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static run whole, bytes;
  smtp_client_config config;
  input in = {data, size};
  if (size == 0 || size > DUE_MAX) return 0;
  config.strict_body = data[0] & 1;
  config.tls = data[0] & 8;
  config.disable = data[0] & 2 ? SMTP_EXT_PIPELINING : 0;
  if (data[0] & 4) config.disable |= SMTP_EXT_ENHANCEDSTATUSCODES;
  take(&in);
  play(&whole, &config, in, false);
  play(&bytes, &config, in, true);
  /* Bytes behind the 220 to STARTTLS are a breach only if they came with it. */
  if (bytes.secured == whole.secured)
    check_logs(&whole, &bytes);
  else
    CHECK(bytes.secured && whole.error == SMTP_EPROTOCOL);
  smtp_buf_clear(&whole.log);
  smtp_buf_clear(&bytes.log);
  return 0;
}
