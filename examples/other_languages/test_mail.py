# SPDX-License-Identifier: MIT
"""What sends mail, tested with pytest:

lua-smtp mock run --strict --rules rules.json --expect 1 -- python3 -m pytest test_mail.py
"""
import os
import smtplib
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

import pytest


def welcome(recipient):
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "ada@code.energy", recipient, "Welcome"
    message["Date"], message["Message-ID"] = formatdate(), make_msgid(domain="code.energy")
    message.set_content("It works.\n")
    with smtplib.SMTP(os.environ["SMTP_HOST"], int(os.environ["SMTP_PORT"])) as server:
        return server.send_message(message)


def test_welcome_is_accepted():
    assert welcome("bob@example.org") == {}


def test_unknown_recipient_is_told():
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        welcome("eve@gone.test")
