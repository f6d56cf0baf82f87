# SPDX-License-Identifier: MIT
"""What smtplib says under TLS: smtplib_tls.py PORT NAME CA USER PASSWORD.

It prints what came of it, a line each; NAME is a function below."""
import smtplib
import ssl
import sys

port, name, ca, user, password = sys.argv[1:6]
port = int(port)
own = sys.argv[6:]  # a certificate and its key
HERE = {"host": "localhost", "port": port, "local_hostname": "client.example.org",
        "timeout": 30}


def context():
    made = ssl.create_default_context(cafile=ca)
    if own:
        made.load_cert_chain(*own)
    return made


def send(client):
    client.sendmail("ada@example.org", ["bob@example.com"],
                    "Subject: smtplib\r\n\r\nover TLS\r\n")
    print("sent")


def starttls():
    with smtplib.SMTP(**HERE) as client:
        print("starttls", client.starttls(context=context())[0])
        client.ehlo()
        print("offered", client.has_extn("starttls"), client.has_extn("auth"))
        print(client.sock.version())
        send(client)


def implicit():
    with smtplib.SMTP_SSL(**HERE, context=context()) as client:
        client.ehlo()
        print("offered", client.has_extn("starttls"), client.has_extn("auth"))
        print(client.sock.version())
        send(client)


def login(client):
    try:
        code, text = client.login(user, password)
        print("login", code, text.decode())
        send(client)
    except smtplib.SMTPAuthenticationError as error:
        print("refused", error.smtp_code, error.smtp_error.decode())
    except smtplib.SMTPNotSupportedError:
        print("unsupported")


def login_starttls():
    with smtplib.SMTP(**HERE) as client:
        client.starttls(context=context())
        login(client)


def login_implicit():
    with smtplib.SMTP_SSL(**HERE, context=context()) as client:
        login(client)


def login_clear():
    with smtplib.SMTP(**HERE) as client:
        login(client)
        print("auth", *client.docmd("AUTH", "PLAIN AGFkYQBhZGE="))


def untrusted():
    for _ in range(2):
        client = smtplib.SMTP(**HERE)
        try:
            client.starttls(context=context())
        except ssl.SSLCertVerificationError as error:
            print("untrusted", error.verify_code)
        client.close()


def many():
    made = context()
    for _ in range(20):
        with smtplib.SMTP_SSL(**HERE, context=made) as client:
            login(client)


globals()[name]()
