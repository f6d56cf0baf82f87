/* SPDX-License-Identifier: MIT */
/*
** session_state.h: what the files of a session share, and nobody else:
** session.c moves bytes and time, session_event.c does what an event and the
** rules ask for, session_judge.c knows what a client may not do.
*/
#ifndef SMTP_MOCK_SESSION_STATE_H
#define SMTP_MOCK_SESSION_STATE_H

#include "../net/connection.h"
#include "plan.h"
#include "session.h"

enum stage {
  OPEN,
  SHAKING,   /* the TLS handshake */
  FINISHING, /* all is said; what the peer still says is dropped */
  OVER
};

enum ending { GOES_ON, CLOSES, RESETS, HANGS };

struct smtp_mock_session {
  smtp_mock *mock;
  smtp_mock_visit *visit; /* the record's */
  smtp_server *machine;
  smtp_connection connection;
  smtp_plan plan;
  enum stage stage;
  enum ending ending;
  double now, touched; /* touched: bytes went in or out */
  double gate;         /* nothing is read or decided before */
  double finish_by;
  unsigned waits;
  /* the event at hand, and the actions of its rule */
  smtp_server_event event;
  smtp_mock_point point;
  const smtp_mock_step *step; /* NULL: none is under way */
  size_t at;                  /* the next action */
  uint64_t call;              /* the owner is asked; else 0 */
  bool asks, answered;
  bool gone; /* the peer said its last */
  bool keep; /* STORE: whatever is answered */
  int early; /* code of a reply within the content, which is all; 0: none */
  smtp_mock_pace pace;
  /* the message at hand */
  smtp_mock_mail *mail; /* NULL: there is none */
  smtp_slice *to;       /* recipients that were accepted; the mail's */
  size_t to_n;
  uint64_t rate;               /* at which the body is read; 0: as it comes */
  uint64_t body_from, body_to; /* of this content rules are still to be told */
  double idle_since;
  uint64_t idle_told; /* milliseconds that rules have had */
  smtp_slice line;    /* the last command line, owned */
  smtp_slice address; /* of the path at hand, owned */
  smtp_slice offered; /* the reply to EHLO, owned */
  bool more, excused; /* more came behind it; a step failed before it in its
                         group, so that a 503 is nobody's fault (RFC 2920) */
  bool line_ruled;    /* a rule answered it */
  smtp_buf said;      /* a line of ours that is not whole */
};

/* session_event.c */
SMTP_FUNC void smtp_mock_session_event(smtp_mock_session *s);
SMTP_FUNC void smtp_mock_session_run(smtp_mock_session *s);
/* Tells rules of content that came, as far as their actions let it. */
SMTP_FUNC void smtp_mock_session_body(smtp_mock_session *s);
/* It ends here: a message that came whole is kept, though nobody was told. */
SMTP_FUNC void smtp_mock_session_abandon(smtp_mock_session *s);
SMTP_FUNC void smtp_mock_session_facts(const smtp_mock_session *s,
                                       smtp_mock_facts *f);
SMTP_FUNC void smtp_mock_session_begin(smtp_mock_session *s,
                                       smtp_mock_point point, uint64_t before,
                                       uint64_t bytes);

/* session_judge.c: notes what is wrong with a command line, with parameters
** of MAIL, with a message, with how a session ended, with what the machine had
** to answer by itself. */
SMTP_FUNC void smtp_mock_judge_cut(smtp_mock_session *s);
SMTP_FUNC bool smtp_mock_is_auth(smtp_slice line);
SMTP_FUNC void smtp_mock_judge_line(smtp_mock_session *s);
SMTP_FUNC void smtp_mock_judge_mail(smtp_mock_session *s);
SMTP_FUNC void smtp_mock_judge_message(smtp_mock_session *s);
SMTP_FUNC void smtp_mock_judge_close(smtp_mock_session *s);
SMTP_FUNC void smtp_mock_judge_reply(smtp_mock_session *s, smtp_slice reply);

#endif
