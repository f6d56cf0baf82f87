# SPDX-License-Identifier: MIT
"""What Python's smtplib says to a server: smtplib_client.py PORT NAME."""
import smtplib
import sys

ADA, BOB = "ada@example.org", "bob@example.com"


def content(client):
    header = b"Subject: smtplib\r\n\r\n"
    for body, options in [
        (b".\r\n..\r\n...a\r\n.\r\n", []),
        ("Gr\u00fc\u00dfe\r\n".encode() + b"\xff\r\n", ["BODY=8BITMIME"]),
        ("a\nb\rc\r\nd\n", []),  # mended in text, not in bytes
        (b"no end", []),
        (b"", []),
        (b"x" * 900 + b"\r\n", []),
    ]:
        if isinstance(body, str):
            client.sendmail(ADA, BOB, header.decode() + body, options)
        else:
            client.sendmail(ADA, [BOB], header + body, options)


def large(client):
    lines = "".join(
        "%s%049d\r\n" % ("." if i % 3 == 0 else "", i) for i in range(1, 100001)
    )
    client.sendmail(ADA, [BOB], "Subject: large\r\n\r\n" + lines)


def commands(client):
    client.ehlo()
    print("noop", client.noop()[0])
    print("vrfy", client.verify(BOB)[0])
    print("mail", client.mail(ADA)[0])
    print("rset", client.rset()[0])
    print("rcpt", client.rcpt(BOB)[0])
    print("unknown", client.docmd("UNKNOWN")[0])
    for name in ["8bitmime", "pipelining", "size"]:
        print(name, client.has_extn(name))


def refused(client):
    text = "Subject: hi\r\n\r\nhi\r\n"
    to = [BOB, "eve@example.com", "later@example.com", "charles@example.com"]
    for address, (code, reply) in sorted(client.sendmail(ADA, to, text).items()):
        print(address, code, reply.decode())
    try:
        client.sendmail(ADA, ["eve@example.com"], text)
    except smtplib.SMTPRecipientsRefused:
        print("all refused")
    client.sendmail(ADA, [BOB], text)
    print("sent after that")


def many(client):
    for i in range(1, 101):
        client.sendmail(
            ADA,
            ["user%d@example.com" % i],
            "Subject: number %d\r\n\r\nbody %d\r\n" % (i, i),
        )


with smtplib.SMTP(
    "127.0.0.1", int(sys.argv[1]), local_hostname="client.example.org", timeout=30
) as smtp:
    globals()[sys.argv[2]](smtp)
