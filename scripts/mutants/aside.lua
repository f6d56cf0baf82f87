-- SPDX-License-Identifier: MIT
-- Faults that no spec can notice, each with its reason: the file, the function, the line
-- as it was and as it would be, with single blanks. Lines may move; a line that changes
-- asks again.
local M = {}

M.list = {
  { file = "csrc/core/server_auth.c", scope = "smtp_server_lookup",
    was = "return r < 0 ? s->error = r : 0;", is = "return r <= 0 ? s->error = r : 0;",
    why = "without an error s->error is 0 already" },
  { file = "csrc/lua/server.c", scope = "session_sayable",
    was = "if (r < 0) return fail(L, r);", is = "if (r < 0) return 0;",
    why = "no equivalence: an allocation of libc has to fail in this call, and the machine's "
      .. "other calls would fail with it; what is lost is the error" },
  { file = "csrc/lua/server_event.c", scope = "set_notify",
    was = "lua_createtable(L, 3, 0);", is = "lua_createtable(L, 3, 1);",
    why = "no equivalence: the table has room for a key that it never gets, 32 bytes a RCPT "
      .. "with NOTIFY, which are freed with it" },
  { file = "csrc/mime/entity.c", scope = "isencoded",
    was = "size_t n = 0;", is = "size_t n = 1;",
    why = "no encoding has a name of one character, whatever that is" },
  { file = "csrc/mime/fields.c", scope = "smtp_fields_trim",
    was = "while (text.n > 0 && isspacing(text.p[text.n - 1])) text.n--;",
    is = "while (text.n > 1 && isspacing(text.p[text.n - 1])) text.n--;",
    why = "a blank that is left alone goes with those in front" },
  { file = "csrc/mime/field_writer.c", scope = "smtp_field_writer_text",
    was = "r = put_plain(f, head, &spaces, 0);", is = "r = put_plain(f, head, &spaces, 1);",
    why = "the words before an encoded part end in a blank, so no word ends the text" },
  { file = "csrc/mock/engine.c", scope = "accept_all",
    was = "more = realloc(s->sessions, (s->sessions_n + 1) * sizeof *more);",
    is = "more = realloc(s->sessions, (s->sessions_n + 2) * sizeof *more);",
    why = "a list with more room" },
  { file = "csrc/mock/mock.c", scope = "smtp_mock_new", was = "free(m);", is = ";",
    why = "no equivalence: a leak in each mock that fails to start, but for that OpenSSL has to "
      .. "have no random bytes, and it takes them from the kernel" },
  { file = "csrc/mock/session.c", scope = "watch",
    was = "smtp_buf_init(&b, smtp_mem_libc(), 4096);",
    is = "smtp_buf_init(&b, smtp_mem_libc(), 4097);",
    why = "the core cuts lines at 2048 bytes" },
  { file = "csrc/mock/session.c", scope = "begin_tls",
    was = 'not_shaken(s, "not enough memory");', is = ";",
    why = "no equivalence: a session would hang until the watchdog, but an allocation of "
      .. "OpenSSL has to fail" },
  { file = "csrc/mock/session.c", scope = "smtp_mock_session_step",
    was = "if (now - s->touched > s->mock->watchdog && s->call == 0 &&",
    is = "if (now - s->touched >= s->mock->watchdog && s->call == 0 &&",
    why = "no equivalence: a session may last as long as the limit, to the last bit of a "
      .. "clock that counts nanoseconds; no spec can make it stand there" },
  { file = "csrc/mock/session.c", scope = "drain",
    was = "char drop[4096];", is = "char drop[4097];", why = "a buffer of another size" },
  { file = "csrc/mock/session.c", scope = "drain",
    was = "char drop[4096];", is = "char drop[4095];", why = "a buffer of another size" },
  { file = "csrc/mock/session_event.c", scope = "smtp_mock_session_event",
    was = "smtp_mock_session_begin(s, SMTP_MOCK_CONNECT, 0, 0);",
    is = "smtp_mock_session_begin(s, SMTP_MOCK_CONNECT, 0, 1);",
    why = "only BODY and idle look at what is counted" },
  { file = "csrc/net/tls.c", scope = "bio_write",
    was = "if (smtp_buf_append(&t->out, p, n) != 0) return 0;",
    is = "if (smtp_buf_append(&t->out, p, n) != 0) return 1;",
    why = "no equivalence: an allocation has to fail while OpenSSL writes" },
  { file = "lua/smtp/cli/mock_serve.lua", scope = "",
    was = "local FAREWELL = 2 -- seconds that the last client has for its QUIT",
    is = "local FAREWELL = 1 -- seconds that the last client has for its QUIT",
    why = "no equivalence: a spec would have to let a client sleep for a second" },
  { file = "lua/smtp/client/transaction.lua", scope = "Transaction:outcome",
    was = 'if reply.code < 300 then return "partial" end',
    is = 'if reply.code <= 300 then return "partial" end',
    why = "a reply of 3xx is none of a recipient: PRDR begins with it" },
}

--- A function that tells whether a fault is set aside; a set-aside without a reason raises.
function M.index()
  local known = {}
  for _, one in ipairs(M.list) do
    assert(one.why and #one.why > 0, one.file .. ": set aside without a reason")
    known[table.concat({ one.file, one.scope, one.was, one.is }, "\n")] = true
  end
  return function(file, scope, was, is)
    return known[table.concat({ file, scope, was, is }, "\n")] or false
  end
end

return M
