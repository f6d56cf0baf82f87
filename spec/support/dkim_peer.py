# SPDX-License-Identifier: MIT
"""dkimpy at both ends, a message at its standard input.

dkim_peer.py sign ALGORITHM HEADER BODY KEY   prints the signature's field
dkim_peer.py verify SELECTOR=RECORD...        prints True or False for each
"""
import sys

import dkim


def sign(algorithm, header, body, key):
    with open(key, "rb") as file:
        private = file.read()
    field = dkim.sign(
        sys.stdin.buffer.read(), b"s", b"example.com", private,
        canonicalize=(header.encode(), body.encode()),
        signature_algorithm=algorithm.encode(),
    )
    sys.stdout.buffer.write(field)


def verify(*records):
    known = {}
    for record in records:
        selector, _, text = record.partition("=")
        known[selector + "._domainkey.example.com."] = text.encode()

    def lookup(name, timeout=5):
        name = name.decode() if isinstance(name, bytes) else name
        return known.get(name.rstrip(".") + ".")

    message = dkim.DKIM(sys.stdin.buffer.read())
    for i in range(len(records)):
        try:
            print(message.verify(idx=i, dnsfunc=lookup))
        except dkim.DKIMException as error:
            print(error)


{"sign": sign, "verify": verify}[sys.argv[1]](*sys.argv[2:])
