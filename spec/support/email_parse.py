# SPDX-License-Identifier: MIT
"""Parses the files named as arguments with Python's email package (policy.default)
and prints what is in each as a table of Lua."""
import email
import email.policy
import sys


def quoted(value):
    if value is None:
        return "nil"
    if isinstance(value, str):
        value = value.encode("utf-8", "surrogateescape")
    return '"' + "".join("\\%03d" % byte for byte in value) + '"'


def people(header):
    if header is None:
        return "{}"
    return "{" + ",".join(
        "{name=%s,address=%s}" % (quoted(one.display_name or None), quoted(one.addr_spec))
        for one in header.addresses) + "}"


def body(message, kind):
    part = message.get_body(preferencelist=(kind,))
    return None if part is None else part.get_content().replace("\r\n", "\n")


def attachments(message):
    found = []
    for part in message.walk():
        if part.get_content_disposition() in ("attachment", "inline"):
            found.append("{name=%s,type=%s,cid=%s,content=%s}" % (
                quoted(part.get_filename()), quoted(part.get_content_type()),
                quoted(part["content-id"]), quoted(part.get_payload(decode=True))))
    return "{" + ",".join(found) + "}"


print("return {")
for path in sys.argv[1:]:
    with open(path, "rb") as file:
        message = email.message_from_binary_file(file, policy=email.policy.default)
    defects = [repr(d) for part in message.walk() for d in part.defects]
    print("{subject=%s,from=%s,to=%s,cc=%s,date=%s,text=%s,html=%s,attachments=%s,defects=%s}," % (
              quoted(message["subject"]), people(message["from"]), people(message["to"]),
              people(message["cc"]),
              int(message["date"].datetime.timestamp()), quoted(body(message, "plain")),
              quoted(body(message, "html")), attachments(message), quoted(" ".join(defects))))
print("}")
