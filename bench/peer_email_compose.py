# SPDX-License-Identifier: MIT
"""bench/peer_email_compose.py FOLDER MESSAGES: bench/compose.lua by Python's email package."""

import sys
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import localtime, make_msgid
from pathlib import Path

folder, messages = Path(sys.argv[1]), int(sys.argv[2])
subject = (folder / "subject").read_text(encoding="utf-8")
text = (folder / "text").read_text(encoding="utf-8")
html = (folder / "html").read_text(encoding="utf-8")
attachment = (folder / "attachment").read_bytes()

for _ in range(messages):
    message = EmailMessage(policy=SMTP)
    message["Date"] = localtime()
    message["From"] = Address("Ada Lovelace", "ada", "code.energy")
    message["To"] = [
        Address("Charles Babbage", "charles", "example.com"),
        Address("Mary Somerville", "mary", "example.com"),
    ]
    message["Subject"] = subject
    # its default would ask the resolver for our name
    message["Message-ID"] = make_msgid(domain="code.energy")
    message.set_content(text)
    message.add_alternative(html, subtype="html")
    message.add_attachment(
        attachment, maintype="application", subtype="pdf", filename="notes.pdf"
    )
    assert len(message.as_bytes()) > len(text) + len(html) + len(attachment) * 4 // 3
