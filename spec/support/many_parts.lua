-- A message of many parts, which nest, with its lines as they are sent.
return (([[
Return-Path: <bounces@code.energy>
From: =?utf-8?q?Ad=C3?=
 =?utf-8?q?=A9?= <ada@code.energy>
To: "Babbage, Charles" <charles@example.com>, mary@example.com
Cc: Friends: (old ones) augustus@example.com, mary@example.com;
Subject: The =?iso-8859-1?q?m=E9canique?= of
 the engine
Date: Fri, 21 Nov 1997 09:55:06 -0600
Message-ID: <one@code.energy>
In-Reply-To: <zero@code.energy>
References: <first@code.energy>
 <zero@code.energy>
Content-Type: multipart/mixed; boundary="outer"

A preamble
--outer
Content-Type: multipart/alternative; boundary=inner

--inner
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

Gr=C3=BC=C3=9Fe =
again
--inner
Content-Type: multipart/related; boundary=related

--related
Content-Type: text/html; charset=windows-1251
Content-Transfer-Encoding: base64

PGI+z/Do4uXyPC9iPg==
--related
Content-Type: image/png; name="=?utf-8?b?w6kucG5n?="
Content-ID: <logo@code.energy>
Content-Transfer-Encoding: base64

AAECAw==
--related--
--inner--
--outer
Content-Type: application/pdf
Content-Disposition: attachment;
 filename*0*=utf-8''r%C3%A9sum;
 filename*1*=%C3%A9;
 filename*2=".pdf"
Content-Transfer-Encoding: base64

SGVsbG8=
--outer
Content-Type: message/rfc822

Subject: inside
Content-Type: text/plain

in it
--outer--
An epilogue
]]):gsub("\r?\n", "\r\n"))
