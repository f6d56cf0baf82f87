# SPDX-License-Identifier: MIT
"""An aiosmtpd that prints its port, and then each message as a line of JSON:
aiosmtpd_server.py [--helo]. With --helo it knows no EHLO.
Recipients whose name begins with "no" or "later" are refused, and contents with
X-Refuse."""
import asyncio
import base64
import json
import sys

from aiosmtpd.smtp import SMTP


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("no"):
            return "550 5.1.1 no such user"
        if address.startswith("later"):
            return "450 4.2.1 try later"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, server, session, envelope):
        if b"X-Refuse" in envelope.content:
            return "554 5.6.0 not this"
        mail = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "options": envelope.mail_options,
            "helo": session.host_name,
            "peer": session.peer[1],
            "content": base64.b64encode(envelope.content).decode(),
        }
        print(json.dumps(mail), flush=True)
        return "250 2.0.0 kept"


class Server(SMTP):
    line_length_limit = 10000


class HeloServer(Server):
    async def smtp_EHLO(self, hostname):
        await self.push("502 5.5.1 not here")


async def main():
    factory = HeloServer if "--helo" in sys.argv else Server
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: factory(Handler(), hostname="mx.example.com", loop=loop),
        host="127.0.0.1",
        port=0,
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
