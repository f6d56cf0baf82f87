# SPDX-License-Identifier: MIT
"""bench/peer_email_parse.py FOLDER MESSAGES: bench/parse.lua by Python's email package."""

import sys
from email import message_from_bytes
from email.policy import default
from pathlib import Path

folder, messages = Path(sys.argv[1]), int(sys.argv[2])
raw = (folder / "message").read_bytes()
subject = (folder / "subject").read_text(encoding="utf-8")
text = (folder / "text").read_text(encoding="utf-8")
html = (folder / "html").read_text(encoding="utf-8")
attachment = (folder / "attachment").read_bytes()

for _ in range(messages):
    message = message_from_bytes(raw, policy=default)
    assert message["Subject"] == subject
    assert message["From"].addresses[0].addr_spec == "ada@code.energy"
    assert message["To"].addresses[1].addr_spec == "mary@example.com"
    # as the other side gives them: with "\n" as line end
    assert message.get_body(["plain"]).get_content().replace("\r\n", "\n") == text
    assert message.get_body(["html"]).get_content().replace("\r\n", "\n") == html
    file = next(message.iter_attachments())
    assert file.get_filename() == "notes.pdf"
    assert file.get_content() == attachment
