# SPDX-License-Identifier: MIT
"""Reads messages from standard input, each behind a line with its length, and prints
as a table of Lua the fields that Python's email package (policy.default) reads in
each, by small names; of the last part also "file", its file name, and "old", what the
name in Content-Type is to readers that know encoded words alone."""
import email
import email.header
import email.policy
import re
import sys


def quoted(text):
    data = text.encode("utf-8", "surrogateescape")
    return '"' + "".join("\\%03d" % byte for byte in data) + '"'


def old_name(part):
    raw = re.sub(r"\r\n", "", dict(part.raw_items()).get("Content-Type", ""))
    found = (re.search(r';\s*name="((?:[^"\\]|\\.)*)"', raw)
             or re.search(r";\s*name=([^;\s]*)", raw))
    if found is None:
        return None
    name = re.sub(r"\\(.)", r"\1", found.group(1))
    return str(email.header.make_header(email.header.decode_header(name)))


def fields(message):
    found = {name.lower(): str(value) for name, value in message.items()}
    part = list(message.walk())[-1]
    for key, value in ("file", part.get_filename()), ("old", old_name(part)):
        if value is not None:
            found[key] = value
    return found


print("return {")
while True:
    line = sys.stdin.buffer.readline()
    if not line:
        break
    message = email.message_from_bytes(sys.stdin.buffer.read(int(line)),
                                       policy=email.policy.default)
    print("{%s}," % ",".join("[%s]=%s" % (quoted(name), quoted(value))
                             for name, value in fields(message).items()))
print("}")
