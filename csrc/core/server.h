/* SPDX-License-Identifier: MIT */
/*
** server.h: the server's side of an SMTP session (RFC 5321, 2920, 1870, 6152,
** 2034, 3207, 4954; LMTP, RFC 2033) as a machine: bytes in, events out;
** verdicts in, replies out.
**
**   feed(bytes) -> next() -> event -> decide(verdict) -> peek() -> sent(n)
**
** An event that asks (smtp_server_asks) waits for its verdict; everything
** else the machine answers by itself: grammar, order of commands, limits and
** deadlines. Replies to a group of pipelined commands pile up and go out in
** one write. Content of a message is given in slices of the input: a caller
** that does not ask for the next event makes the peer wait.
**
** STARTTLS pauses the machine. After its 220 is written there is the event; the
** caller does the handshake, and calls smtp_server_secured: from then on the
** bytes come through TLS.
*/
#ifndef SMTP_SERVER_H
#define SMTP_SERVER_H

#include <stdbool.h>

#include "envelope.h"
#include "mem.h"
#include "path.h"
#include "sasl.h"
#include "smtp.h"
#include "status.h"

typedef struct smtp_server smtp_server;

typedef enum smtp_server_event_type {
  SMTP_SERVER_NONE,
  SMTP_SERVER_CONNECT, /* asks: before the greeting */
  SMTP_SERVER_HELO,    /* asks: text is the name, esmtp */
  SMTP_SERVER_MAIL,    /* asks: path, mail */
  SMTP_SERVER_RCPT,    /* asks: path */
  SMTP_SERVER_DATA,    /* asks: whether content may come; chunk: by BDAT, for
                          whose acceptance nothing is said */
  SMTP_SERVER_MESSAGE, /* asks: the content is at its end; as often as replies
                          says */
  SMTP_SERVER_VRFY,    /* asks: text */
  SMTP_SERVER_AUTH,    /* asks: credentials, verb is the mechanism */
  SMTP_SERVER_COMMAND, /* asks: an own verb; verb, text */
  SMTP_SERVER_CHUNK,   /* asks, with intercept: one that is not the last came */
  SMTP_SERVER_VERB,    /* asks, with intercept, but for BDAT: a command line
                          came; verb, text, more. NONE: it is read as ever;
                          else it is not */
  SMTP_SERVER_LOOKUP,  /* asks for keys, by smtp_server_lookup: credentials
                          has the user, verb is the mechanism */
  SMTP_SERVER_STARTTLS,    /* pause: the handshake is due */
  SMTP_SERVER_BODY,        /* content: text */
  SMTP_SERVER_RESET,       /* fact: the transaction was dropped */
  SMTP_SERVER_AUTH_FAILED, /* fact, with failures: credentials were wrong */
  SMTP_SERVER_CLOSE,   /* fact: nothing follows; write what is left, close */
  SMTP_SERVER_LINE,    /* fact, with trace: a command line came; text */
  SMTP_SERVER_REPLY,   /* fact, with trace: a reply was written; text */
  SMTP_SERVER_XCLIENT, /* fact: attributes of the client that it is now; all
                           that was said before is void, CONNECT follows */
  SMTP_SERVER_XFORWARD /* fact: attributes of whom the next message is; void
                           after it, and after RESET */
} smtp_server_event_type;

/* Commands by which another server speaks for its clients. */
enum smtp_forward { SMTP_FORWARD_XCLIENT = 1, SMTP_FORWARD_XFORWARD = 2 };

typedef enum smtp_attribute {
  SMTP_ATTRIBUTE_NAME,
  SMTP_ATTRIBUTE_ADDR, /* without the tag of IPv6 */
  SMTP_ATTRIBUTE_PORT,
  SMTP_ATTRIBUTE_PROTO,
  SMTP_ATTRIBUTE_HELO,
  SMTP_ATTRIBUTE_LOGIN,    /* XCLIENT only */
  SMTP_ATTRIBUTE_DESTADDR, /* the same */
  SMTP_ATTRIBUTE_DESTPORT, /* the same */
  SMTP_ATTRIBUTE_IDENT,    /* XFORWARD only */
  SMTP_ATTRIBUTE_SOURCE,   /* the same */
  SMTP_ATTRIBUTES
} smtp_attribute;

/* Values are decoded and of their grammar. p is NULL: absent; n is 0: not known
** ("[UNAVAILABLE]"). */
typedef struct smtp_attributes {
  smtp_slice value[SMTP_ATTRIBUTES];
  bool temporary; /* NAME was "[TEMPUNAVAIL]" */
} smtp_attributes;

/* Slices and path are borrowed until the next call of feed or next. */
typedef struct smtp_server_event {
  smtp_server_event_type type;
  smtp_slice verb;
  smtp_slice text;
  bool esmtp;
  bool chunk;
  bool more; /* VERB: bytes came behind the line already */
  const smtp_path *path;
  smtp_mail_params mail;
  smtp_rcpt_params rcpt;
  smtp_slice params;                        /* of MAIL and RCPT, as written */
  const smtp_sasl_credentials *credentials; /* until it is answered */
  const smtp_attributes *attributes;        /* XCLIENT, XFORWARD */
  smtp_situation situation; /* MESSAGE: why it is refused whatever the verdict
                               says, or NONE; CLOSE: the last reply's reason,
                               NONE when the peer went away */
  uint64_t size;            /* BODY, MESSAGE: bytes of content so far */
  unsigned seen;            /* MESSAGE: OR of enum smtp_dot_seen */
  size_t replies; /* MESSAGE: how many verdicts it asks for: one; in LMTP one
                     for each recipient, in the order of their RCPTs; with
                     PRDR the same, and then one for all (more than one
                     recipient then: else there is no PRDR) */
} smtp_server_event;

typedef enum smtp_verdict {
  SMTP_VERDICT_NONE,    /* there is no handler for the step: accept */
  SMTP_VERDICT_NOTHING, /* the handler returned nothing: RCPT is refused, a
                           MESSAGE is 451, an own verb 451, others accepted */
  SMTP_VERDICT_ACCEPT,  /* the default 2xx, or with the text */
  SMTP_VERDICT_REFUSE, /* the permanent refusal of the stage, or with the text */
  SMTP_VERDICT_FAIL,   /* 451 4.3.0 */
  SMTP_VERDICT_REPLY   /* exactly code and text */
} smtp_verdict;

typedef enum smtp_bare_newline {
  SMTP_BARE_REJECT,    /* read to the true end, then 550 5.5.2 */
  SMTP_BARE_NORMALIZE, /* bare CR and LF become CRLF, NUL is dropped */
  SMTP_BARE_RAW        /* passed on as they are: for tests */
} smtp_bare_newline;

/* 0 is not "no limit" but a limit of 0. Times are seconds. */
typedef struct smtp_server_limits {
  uint64_t message_size; /* content bytes, advertised by SIZE */
  uint64_t header;       /* bytes of the header block */
  size_t hops;           /* this many Received fields are a loop */
  size_t recipients;     /* accepted ones of one message */
  size_t messages;       /* of one session */
  size_t errors;         /* errors of the peer; the first quarter is free, */
                         /* each further one waits a second */
  size_t junk;           /* NOOP RSET VRFY HELP between messages */
  size_t line;           /* bytes of a command line with CRLF */
  size_t auth_line;      /* the same of AUTH and its exchange */
  double idle_timeout;
  double command_timeout; /* from a line's first byte to its last */
  double data_rate;       /* bytes a second, after SMTP_DATA_GRACE seconds */
} smtp_server_limits;

#define SMTP_DATA_GRACE 30
#define SMTP_AUTH_FAILURES 3     /* of a session, then 421 */
#define SMTP_RECIPIENTS_OVER 200 /* refused ones beyond, then 421 */
#define SMTP_REFUSED_TIMEOUT 10  /* idle seconds after 554 as a greeting */
#define SMTP_EACH_MAX 4096 /* bytes of a reply for one recipient of many */

typedef struct smtp_server_config {
  smtp_slice hostname; /* in the greeting and in HELO's reply */
  smtp_slice greeting; /* text after the host name; may be empty */
  smtp_slice verbs;    /* own verbs in upper case, separated by spaces */
  unsigned extensions; /* OR of enum smtp_extension: offered as well */
  smtp_slice offers;   /* lines of EHLO besides, separated by LF */
  smtp_slice mail_own, rcpt_own; /* own parameters, as verbs */
  bool lmtp;                     /* RFC 2033 in place of SMTP */
  unsigned forwarding;  /* OR of enum smtp_forward: there are such commands */
  bool strict;          /* syntax = "strict" */
  bool trace;           /* gives LINE and REPLY */
  bool intercept;       /* gives VERB */
  bool keep_header;     /* smtp_server_header has the header of a message */
  bool failures;        /* gives AUTH_FAILED */
  bool accept_data;     /* DATA does not ask: it is accepted */
  bool refuse_eightbit; /* 8-bit content without BODY=8BITMIME: 550 5.6.3 */
  smtp_bare_newline bare_newline;
  smtp_server_limits limits;
  bool tls;            /* STARTTLS is offered */
  bool tls_required;   /* without TLS only NOOP, EHLO, STARTTLS and QUIT */
  unsigned auth;       /* OR of enum smtp_sasl_mechanism; 0: no AUTH */
  bool auth_cleartext; /* also without TLS */
  bool auth_required;  /* no mail without it */
  unsigned iterations; /* of SCRAM for passwords and for unknown users */
  smtp_slice secret;   /* random: salts come of it */
  const smtp_crypto *crypto; /* for auth */
} smtp_server_config;

/* The defaults of every field; hostname is "localhost". */
SMTP_FUNC void smtp_server_config_init(smtp_server_config *config);

/*
** A new session; config is borrowed and must outlive it. NULL: no memory.
** The first event is CONNECT.
*/
SMTP_FUNC smtp_server *smtp_server_new(const smtp_mem *mem,
                                       const smtp_server_config *config,
                                       double now);
SMTP_FUNC void smtp_server_free(smtp_server *s);

/* Sets the commands that this peer may use (OR of enum smtp_forward), out of
** the configured ones. Before the first event; none at first. */
SMTP_FUNC void smtp_server_trust(smtp_server *s, unsigned forwarding);

/*
** Bytes from the peer: copied. If they come before our first bytes, the session
** ends with 554. 0, or SMTP_ENOMEM.
*/
SMTP_FUNC int smtp_server_feed(smtp_server *s, const char *p, size_t n);

/*
** Feeds without a copy: gives room for the next bytes, as many as are useful in
** the state of the session; then commits the number of received bytes.
*/
SMTP_FUNC int smtp_server_space(smtp_server *s, char **place, size_t *room);
SMTP_FUNC void smtp_server_fed(smtp_server *s, size_t n);

/* The peer's stream has ended. */
SMTP_FUNC void smtp_server_eof(smtp_server *s);

/*
** 1 and the next event; 0 when bytes (or time) are needed first. Negative: a
** sticky failure, SMTP_ENOMEM; SMTP_ESTATE, not sticky, while a verdict is
** due.
*/
SMTP_FUNC int smtp_server_next(smtp_server *s, smtp_server_event *event);

/*
** Answers the event that asked. Gives the code that is sent (2xx and 3xx:
** the step was accepted; 0: none, a VERB that is read as ever), or a negative
** result: SMTP_ESTATE if no verdict is due, SMTP_ENOMEM. A reply that may not
** be sent (code outside 2xx, 4xx, 5xx, controls in the text) is sent as 451
** 4.3.0; so is one of more than SMTP_EACH_MAX bytes where there are several.
*/
SMTP_FUNC int smtp_server_decide(smtp_server *s, smtp_verdict verdict, int code,
                                 smtp_slice text);

/* Whether the client is sent such a text as it is. Else each character of it
** that is not ASCII is sent as "?", for a client that does not speak SMTPUTF8
** (RFC 6531 section 3.7.4.2). */
SMTP_FUNC bool smtp_server_hears(const smtp_server *s, smtp_slice text);

/* Whether code and text could be sent as one of several replies to a message
** while its content is read: 1, 0, SMTP_ENOMEM. */
SMTP_FUNC int smtp_server_sayable(smtp_server *s, int code, smtp_slice text);

/* With keep_header: the received bytes of the current message's header; *whole
** tells whether the header is complete. It is cut at limits.header, which
** refuses the message. Borrowed until the next call. */
SMTP_FUNC smtp_slice smtp_server_header(const smtp_server *s, bool *whole);

/* Answers LOOKUP; NULL: the look-up failed, 454 is sent. 0, SMTP_ESTATE,
** SMTP_ENOMEM. Call next then. */
SMTP_FUNC int smtp_server_lookup(smtp_server *s, const smtp_sasl_keys *keys);

/*
** TLS is established: before the greeting, or after STARTTLS; then all earlier
** facts of the client are forgotten. name is the name in a verified certificate
** of the client, or empty. Copied; a binding or name that is too long is not
** kept. 0, SMTP_ESTATE.
*/
SMTP_FUNC int smtp_server_secured(smtp_server *s,
                                  const smtp_sasl_binding *binding,
                                  smtp_slice name);

/* The bytes to write, and the number of written ones. Empty while held back. */
SMTP_FUNC smtp_slice smtp_server_peek(const smtp_server *s);
SMTP_FUNC void smtp_server_sent(smtp_server *s, size_t n);

/* All output, also bytes that are held back or wait for the end of a chunk. */
SMTP_FUNC smtp_slice smtp_server_queued(const smtp_server *s);

/* True while bytes of the peer are an attack: until our first bytes are sent,
** and the 220 to STARTTLS. Look for bytes before writing these. */
SMTP_FUNC bool smtp_server_wary(const smtp_server *s);

/* The 220 to STARTTLS was sent: bytes of the peer are for TLS. */
SMTP_FUNC bool smtp_server_paused(const smtp_server *s);

/*
** True while a peer with errors is slowed down: there are neither events nor
** output before the deadline; received bytes only pile up.
*/
SMTP_FUNC bool smtp_server_held(const smtp_server *s);

/* Tells the time; call it before feed, next and decide. */
SMTP_FUNC void smtp_server_clock(smtp_server *s, double now);

/*
** The time at which the session must be ticked if no bytes came before;
** negative: never. tick ends a delay, or the session with 421.
*/
SMTP_FUNC double smtp_server_deadline(const smtp_server *s);
SMTP_FUNC void smtp_server_tick(smtp_server *s, double now);

/*
** Ends the session with a situation's reply (421) as soon as it is between
** commands; at once if now is true. For shutdown and for limits outside.
*/
SMTP_FUNC void smtp_server_end(smtp_server *s, smtp_situation why, bool now);

/* True for an event that waits for a verdict. */
SMTP_FUNC bool smtp_server_asks(smtp_server_event_type type);

/* Between messages without an unfinished command: may be closed without loss. */
SMTP_FUNC bool smtp_server_idle(const smtp_server *s);

#endif
