# SPDX-License-Identifier: MIT
# Sends one message by Python's smtplib; see arguments() of gauntlet_clients.lua.
import smtplib
import ssl
import sys

host, port, tls, ca, user, password, timeout, sender, to, path, bits = sys.argv[1:]
with open(path, "rb") as file:
    content = file.read()


def connect():
    if tls == "implicit":
        context = ssl.create_default_context(cafile=ca or None)
        return smtplib.SMTP_SSL(host, int(port), local_hostname="client.code.energy",
                                timeout=float(timeout), context=context)
    return smtplib.SMTP(host, int(port), local_hostname="client.code.energy",
                        timeout=float(timeout))


try:
    with connect() as client:
        if tls == "starttls":
            client.starttls(context=ssl.create_default_context(cafile=ca or None))
        if user:
            client.login(user, password)
        options = []
        if bits == "7bit":
            content = content.decode("ascii")  # of text it mends the line ends
        else:
            client.ehlo_or_helo_if_needed()
            if client.has_extn("8bitmime"):
                options = ["BODY=8BITMIME"]
        client.sendmail(sender, to.split(","), content, options)
except Exception as problem:
    sys.exit("%s: %s" % (type(problem).__name__, problem))
