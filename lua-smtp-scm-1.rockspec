rockspec_format = "3.0"
package = "lua-smtp"
version = "scm-1"
source = {
  url = "git+https://github.com/lua-smtp/lua-smtp.git",
}
description = {
  summary = "SMTP for Lua: client, server, mock and dialogue",
  detailed = [[
    Send mail from a script, accept or refuse it with Lua functions, test what
    sends mail against a scripted server, and drive the protocol by hand. The
    protocol itself is a core in C without I/O.
  ]],
  homepage = "https://github.com/lua-smtp/lua-smtp",
  license = "MIT",
  labels = { "smtp", "mail", "network" },
}
dependencies = {
  "lua >= 5.4, < 5.5",
}
external_dependencies = {
  OPENSSL = { header = "openssl/ssl.h" },
}
build = {
  type = "builtin",
  modules = {
    ["smtp.core"] = {
      -- Every C file of csrc; `make rockspec` writes this list.
      sources = {
        "csrc/core/ascii.c",
        "csrc/core/base64.c",
        "csrc/core/buf.c",
        "csrc/core/client.c",
        "csrc/core/client_auth.c",
        "csrc/core/command.c",
        "csrc/core/dot.c",
        "csrc/core/ehlo.c",
        "csrc/core/header.c",
        "csrc/core/mem.c",
        "csrc/core/param.c",
        "csrc/core/path.c",
        "csrc/core/punycode.c",
        "csrc/core/reply.c",
        "csrc/core/sasl.c",
        "csrc/core/sasl_cram.c",
        "csrc/core/sasl_external.c",
        "csrc/core/sasl_gs2.c",
        "csrc/core/sasl_login.c",
        "csrc/core/sasl_oauth.c",
        "csrc/core/sasl_plain.c",
        "csrc/core/sasl_scram.c",
        "csrc/core/sasl_scram_client.c",
        "csrc/core/sasl_scram_server.c",
        "csrc/core/server.c",
        "csrc/core/server_auth.c",
        "csrc/core/server_command.c",
        "csrc/core/server_reply.c",
        "csrc/core/status.c",
        "csrc/core/xtext.c",
        "csrc/lua/certificate.c",
        "csrc/lua/client.c",
        "csrc/lua/dkim.c",
        "csrc/lua/file.c",
        "csrc/lua/grammar.c",
        "csrc/lua/job.c",
        "csrc/lua/mime_compose.c",
        "csrc/lua/mime_parse.c",
        "csrc/lua/mock.c",
        "csrc/lua/mock_record.c",
        "csrc/lua/mock_rule.c",
        "csrc/lua/module.c",
        "csrc/lua/poller.c",
        "csrc/lua/push.c",
        "csrc/lua/sasl.c",
        "csrc/lua/server.c",
        "csrc/lua/server_config.c",
        "csrc/lua/server_event.c",
        "csrc/lua/socket.c",
        "csrc/lua/spool.c",
        "csrc/lua/support.c",
        "csrc/lua/tls.c",
        "csrc/mime/charset.c",
        "csrc/mime/decode.c",
        "csrc/mime/dkim_canon.c",
        "csrc/mime/encode.c",
        "csrc/mime/entity.c",
        "csrc/mime/fields.c",
        "csrc/mime/value.c",
        "csrc/mime/words.c",
        "csrc/mock/engine.c",
        "csrc/mock/engine_station.c",
        "csrc/mock/mock.c",
        "csrc/mock/plan.c",
        "csrc/mock/record.c",
        "csrc/mock/reply_text.c",
        "csrc/mock/rule.c",
        "csrc/mock/session.c",
        "csrc/mock/session_event.c",
        "csrc/mock/session_judge.c",
        "csrc/mock/text.c",
        "csrc/net/address.c",
        "csrc/net/certificate.c",
        "csrc/net/clock.c",
        "csrc/net/crypto.c",
        "csrc/net/dkim.c",
        "csrc/net/file.c",
        "csrc/net/job.c",
        "csrc/net/pin.c",
        "csrc/net/poller.c",
        "csrc/net/poller_epoll.c",
        "csrc/net/poller_kqueue.c",
        "csrc/net/poller_poll.c",
        "csrc/net/pump.c",
        "csrc/net/resolve.c",
        "csrc/net/socket.c",
        "csrc/net/spool.c",
        "csrc/net/tls.c",
        "csrc/net/tls_context.c",
        "csrc/net/tls_peer.c",
        "csrc/net/wake.c",
      },
      libraries = { "ssl", "crypto", "pthread" },
    },
  },
  install = {
    bin = { ["lua-smtp"] = "bin/lua-smtp" },
  },
  platforms = {
    macosx = { -- where iconv is not in libc
      modules = {
        ["smtp.core"] = { libraries = { "ssl", "crypto", "pthread", "iconv" } },
      },
    },
  },
}
test = {
  type = "command",
  command = "make test",
}
