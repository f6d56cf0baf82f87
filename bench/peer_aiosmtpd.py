# SPDX-License-Identifier: MIT
"""bench/peer_aiosmtpd.py PORTFILE: aiosmtpd with handlers that accept."""

import asyncio
import os
import signal
import sys

from aiosmtpd.smtp import SMTP


class Handler:
    async def handle_MAIL(self, server, session, envelope, address, options):
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        return "250 OK"


async def main(portfile):
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(Handler(), data_size_limit=None, loop=loop), "127.0.0.1", 0
    )
    port = server.sockets[0].getsockname()[1]
    with open(portfile + ".new", "w") as file:
        file.write(f"{port}\n")
    os.rename(portfile + ".new", portfile)
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()


asyncio.run(main(sys.argv[1]))
