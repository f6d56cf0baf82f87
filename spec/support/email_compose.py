# SPDX-License-Identifier: MIT
"""Messages composed by Python's email package, and what its own parser reads in
them, as a chunk of Lua: return { { shape =, bytes =, subject =, ... }, ... }."""
import email
import email.policy
import itertools
import sys
from email.header import Header
from email.headerregistry import Address, Group
from email.message import EmailMessage
from email.mime.application import MIMEApplication
from email.mime.message import MIMEMessage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

POLICIES = {
    "smtp": email.policy.SMTP,
    "default": email.policy.default,
    "utf8": email.policy.SMTPUTF8,
}

TEXTS = {
    "plain": ("us-ascii", "Hello,\n\nthe engine works.\n"),
    "empty": ("us-ascii", ""),
    "blank": ("us-ascii", "\n\n\n"),
    "dots": ("us-ascii", ".\n..\nFrom here\n>From there\n--\n-- \nend\n"),
    "spaces": ("us-ascii", "a  \n\tb\t\n = =3D =\n"),
    "long": ("us-ascii", "word " * 500 + "\n" + "x" * 3000 + "\n"),
    "noend": ("us-ascii", "no line end"),
    "latin": ("iso-8859-1", "Gr\u00fc\u00dfe, \u00e0 bient\u00f4t\n"),
    "euro": ("iso-8859-15", "10 \u20ac\n"),
    "windows": ("windows-1252", "\u201equoted\u201c \u2013 \u20ac\n"),
    "polish": ("iso-8859-2", "Za\u017c\u00f3\u0142\u0107 g\u0119\u015bl\u0105\n"),
    "russian": ("koi8-r", "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440\n"),
    "cyrillic": ("windows-1251", "\u0414\u043e\u0431\u0440\u044b\u0439 \u0434\u0435\u043d\u044c\n"),
    "greek": ("iso-8859-7", "\u039a\u03b1\u03bb\u03b7\u03bc\u03ad\u03c1\u03b1\n"),
    "hebrew": ("windows-1255", "\u05e9\u05dc\u05d5\u05dd\n"),
    "turkish": ("iso-8859-9", "\u0130yi g\u00fcnler\n"),
    "japanese": ("utf-8", "\u3053\u3093\u306b\u3061\u306f\u4e16\u754c\n" * 20),
    "eucjp": ("euc-jp", "\u65e5\u672c\u8a9e\n"),
    "sjis": ("shift_jis", "\u65e5\u672c\u8a9e\u30c6\u30b9\u30c8\n"),
    "chinese": ("gb2312", "\u4f60\u597d\uff0c\u4e16\u754c\n"),
    "big5": ("big5", "\u4f60\u597d\n"),
    "korean": ("euc-kr", "\uc548\ub155\ud558\uc138\uc694\n"),
    "emoji": ("utf-8", "\U0001f600 \U0001f469\u200d\U0001f52c\n"),
}

SUBJECTS = [
    "Hello", "", "Gr\u00fc\u00dfe", "\u65e5\u672c\u8a9e\u306e\u4ef6\u540d" * 8,
    "a long subject " * 12, "mixed ascii and \u00fcml\u00e4ut words, again \u00fc",
    "\U0001f600" * 30, "=? not a word ?=", "Re: [list] a; b, c: \"d\" (e)",
    "x" * 200, "\u0141\u00f3d\u017a = 100%_?", "tabs\tin\tit", "caf\u00e9 " * 30,
]

PEOPLE = [
    [Address("Ada Lovelace", "ada", "code.energy")],
    [Address("Lovelace, Ada", "ada", "code.energy"), Address("", "bob", "example.com")],
    [Address("\u00c9ric \u00d8st", "eric", "example.com")],
    [Address("Quote \" and \\ slash", "q", "example.com")],
    [Address("", "a b", "example.com"), Address("at", "a@b", "example.com")],
    [Address("J. R. R. (Ronald)", "jrr", "example.com")],
    [Address("\u65e5\u672c \u592a\u90ce " * 5, "taro", "example.com")],
    [Address("Name %d" % i, "user%d" % i, "example.com") for i in range(40)],
    [Address("N\u00e4me %d" % i, "user%d" % i, "example.com") for i in range(15)],
    [Group("Friends", (Address("B", "b", "example.com"), Address("", "c", "example.com"))),
     Address("D", "d", "example.com")],
    [Group("undisclosed-recipients", ())],
    [Group("Gr\u00fcppe", (Address("", "b", "example.com"),))],
    [Address("apostrophe o'Neil", "o'neil", "example.com")],
    [Address("plus", "a+b=c", "sub.example.com"), Address("", "x", "[192.0.2.1]")],
]

NAMES = [
    "plain.txt", "with space.txt", "r\u00e9sum\u00e9.pdf", "\u65e5\u672c\u8a9e.png",
    "quote\"d.txt", "semi;colon, comma.txt", "x" * 150 + ".dat", "\u00fc" * 80 + ".dat",
    "back\\slash.txt", "100% (2) 'x'.txt", "a=b*c.txt", "\U0001f600.gif",
]

BYTES = bytes(range(256)) * 3 + b"\r\n.\r\n--\r\nend"

messages = []  # (shape, bytes)


def base(subject="s", sender=None, to=None):
    m = EmailMessage(policy=email.policy.default)
    m["Subject"] = subject
    m["From"] = sender or PEOPLE[0]
    m["To"] = to or [Address("", "bob", "example.com")]
    m["Date"] = "Fri, 21 Nov 1997 09:55:06 -0600"
    m["Message-ID"] = "<1@code.energy>"
    return m


def add(shape, m, policy="smtp"):
    messages.append((shape, m.as_bytes(policy=POLICIES[policy])))


def fitting(charset, text, cte):
    try:
        data = text.encode(charset)
    except UnicodeEncodeError:
        return False
    if cte in ("7bit", "8bit") and max(map(len, data.split(b"\n"))) > 998:
        return False
    return cte != "7bit" or all(c < 128 for c in data)


def texts():
    for (name, (charset, text)), cte in itertools.product(
            TEXTS.items(), ("7bit", "8bit", "quoted-printable", "base64")):
        for one in dict.fromkeys((charset, "utf-8")):
            if fitting(one, text, cte):
                m = base()
                m.set_content(text, charset=one, cte=cte)
                add("text %s %s %s" % (name, one, cte), m)
    for name in ("plain", "latin", "japanese"):
        m = base()
        m.set_content(TEXTS[name][1])
        add("text %s with LF" % name, m, "default")


def headers():
    for i, subject in enumerate(SUBJECTS):
        for policy in POLICIES:
            m = base(subject)
            m.set_content("x\n")
            add("subject %d %s" % (i, policy), m, policy)
    for i, people in enumerate(PEOPLE):
        for policy in POLICIES:
            m = base(to=people)
            m["Cc"] = people[::-1]
            m.set_content("x\n")
            add("people %d %s" % (i, policy), m, policy)


def attachments():
    for i, name in enumerate(NAMES):
        for policy in POLICIES:
            m = base()
            m.set_content("body\n")
            m.add_attachment(BYTES, maintype="application", subtype="octet-stream", filename=name)
            m.add_attachment("t\u00ebxt\n", filename=name, subtype="csv")
            add("name %d %s" % (i, policy), m, policy)


def structures():
    def alternative(m):
        m.set_content("plain \u00fc\n")
        m.add_alternative("<p>html \u00fc</p>\n", subtype="html")

    def related(m):
        alternative(m)
        m.get_payload()[1].add_related(BYTES, "image", "png", cid="<logo@code.energy>")

    def mixed(m):
        related(m)
        m.add_attachment(BYTES, maintype="application", subtype="pdf", filename="a.pdf")
        m.add_attachment(b"", maintype="application", subtype="zip", filename="empty.zip")

    def forwarded(m):
        mixed(m)
        inner = base("inside")
        mixed(inner)
        m.add_attachment(inner)

    def inline(m):
        m.set_content("body\n")
        m.add_attachment(BYTES, maintype="image", subtype="gif", disposition="inline",
                         filename="x.gif", cid="<x>")
        m.add_attachment("footer\n", disposition="inline")

    def html(m):
        m.set_content("<b>only</b>\n", subtype="html")

    def binary(m):
        m.set_content(BYTES, maintype="application", subtype="pdf", filename="whole.pdf")

    def calendar(m):
        alternative(m)
        m.add_alternative("BEGIN:VCALENDAR\n", subtype="calendar", params={"method": "REQUEST"})

    for shape in (alternative, related, mixed, forwarded, inline, html, binary, calendar):
        for policy in POLICIES:
            m = base("structure")
            shape(m)
            add(shape.__name__ + " " + policy, m, policy)
    m = base("deep")
    mixed(m)
    for _ in range(20):
        outer = base("deep")
        outer.make_mixed()
        outer.attach(m)
        m = outer
    add("deep", m)


def legacy():
    """What the older classes make, as programs of many years do."""
    for i, name in enumerate(NAMES):
        m = MIMEMultipart()
        m["Subject"] = Header("\u65e5\u672c\u8a9e\u306e\u4ef6\u540d" * 4, "iso-2022-jp")
        m["From"] = "%s <ada@code.energy>" % Header("\u00c9ric", "iso-8859-1").encode()
        m["To"] = "bob@example.com (Bob (the) Builder)"
        m.attach(MIMEText("Gr\u00fc\u00dfe\n", "plain", "iso-8859-1"))
        m.attach(MIMEText("<i>\u65e5\u672c</i>\n", "html", "iso-2022-jp"))
        part = MIMEApplication(BYTES)
        part.add_header("Content-Disposition", "attachment", filename=("utf-8", "de", name))
        m.attach(part)
        part = MIMEApplication(BYTES)
        word = Header(name, "utf-8", maxlinelen=2000).encode()
        part["Content-Disposition"] = 'attachment; filename="%s"' % word
        m.attach(part)
        m.attach(MIMEMessage(MIMEText("inside\n")))
        messages.append(("legacy %d" % i, m.as_bytes()))


def people(header):
    if header is None:
        return []
    found = []
    for group in header.groups:
        for one in group.addresses:
            found.append({"name": one.display_name, "address": one.addr_spec,
                          "group": group.display_name})
    return found


def leaves(m):
    if m.get_content_maintype() == "multipart" and m.is_multipart():
        for part in m.iter_parts():
            yield from leaves(part)
    else:
        yield m


def body(part):
    if part is None:
        return None
    charset = part.get_content_charset() or "us-ascii"
    text = part.get_payload(decode=True).decode(charset, "replace")
    return text.replace("\r\n", "\n")


def bytes_of(part):
    if part.get_content_type() == "message/rfc822":
        return part.get_payload(0).get("Subject", "") or ""
    return part.get_payload(decode=True)


def expected(shape, data):
    m = email.message_from_bytes(data, policy=email.policy.default)
    text, html = m.get_body(("plain",)), m.get_body(("html",))
    files = [{"name": part.get_filename(), "type": part.get_content_type(),
              "content": bytes_of(part)}
             for part in leaves(m) if part is not text and part is not html]
    return {
        "shape": shape, "bytes": data, "subject": m["Subject"], "text": body(text),
        "html": body(html), "files": files, "from": people(m["From"]),
        "to": people(m["To"]), "cc": people(m["Cc"]),
        "time": int(m["Date"].datetime.timestamp()) if m["Date"] else None,
    }


def lua(value):
    if isinstance(value, dict):
        return "{%s}" % ",".join(
            '["%s"]=%s' % (k, lua(v)) for k, v in value.items() if v is not None)
    if isinstance(value, list):
        return "{%s}" % ",".join(map(lua, value))
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        value = value.encode("utf-8", "surrogateescape")
    return '"%s"' % "".join("\\%03d" % c for c in value)


for compose in (texts, headers, attachments, structures, legacy):
    compose()
sys.stdout.write("return {\n%s\n}\n" % ",\n".join(lua(expected(*one)) for one in messages))
