/* SPDX-License-Identifier: MIT */
/*
** charset_labels.c: see charset_labels.h. Only names of this list reach
** iconv(3): the rarer converters of C libraries have had errors that a message
** could provoke. ISO-8859-1 is read as its superset windows-1252, and others so
** as browsers have them: GB2312 is GBK, EUC-KR and Shift_JIS have the extensions
** of Microsoft. US-ASCII over 8-bit bytes is guessed at.
*/
#include "charset_labels.h"

#include <stdbool.h>
#include <string.h>

#include "../core/ascii.h"

#define LABEL_MAX 40

static const smtp_charset list[] = {
    {SMTP_CHARSET_GUESS, NULL, NULL,
     " ansix341968 ansix341986 ascii cp367 csascii ibm367 iso646us "
     "unknown unknown8bit us usascii "},
    {SMTP_CHARSET_UTF8, NULL, NULL,
     " cp65001 unicode11utf8 unicode20utf8 utf8 utf8sig xunicode20utf8 "},
    {SMTP_CHARSET_WINDOWS_1252, NULL, NULL,
     " ansi cp1252 cp819 csisolatin1 ibm819 iso88591 iso885911987 "
     "isoir100 l1 latin latin1 windows1252 xcp1252 "},
    {SMTP_CHARSET_SINGLE, "CP866", NULL, " 866 cp866 csibm866 ibm866 "},
    {SMTP_CHARSET_SINGLE, "ISO-8859-2", NULL,
     " csisolatin2 iso88592 iso885921987 isoir101 l2 latin2 "},
    {SMTP_CHARSET_SINGLE, "ISO-8859-3", NULL,
     " csisolatin3 iso88593 iso885931988 isoir109 l3 latin3 "},
    {SMTP_CHARSET_SINGLE, "ISO-8859-4", NULL,
     " csisolatin4 iso88594 iso885941988 isoir110 l4 latin4 "},
    {SMTP_CHARSET_SINGLE, "ISO-8859-5", NULL,
     " csisolatincyrillic cyrillic iso88595 iso885951988 isoir144 "},
    {SMTP_CHARSET_SINGLE, "ISO-8859-6", NULL,
     " arabic asmo708 csiso88596e csiso88596i csisolatinarabic ecma114 "
     "iso88596 iso885961987 iso88596e iso88596i isoir127 "},
    {SMTP_CHARSET_SINGLE, "ISO-8859-7", NULL,
     " csisolatingreek ecma118 elot928 greek greek8 iso88597 iso885971987 "
     "isoir126 suneugreek "},
    {SMTP_CHARSET_SINGLE, "ISO-8859-8", NULL,
     " csiso88598e csisolatinhebrew hebrew iso88598 iso885981988 "
     "iso88598e isoir138 visual "},
    {SMTP_CHARSET_SINGLE, "ISO-8859-8", NULL,
     " csiso88598i iso88598i logical "},
    {SMTP_CHARSET_SINGLE, "ISO-8859-10", NULL,
     " csisolatin6 iso885910 isoir157 l6 latin6 "},
    {SMTP_CHARSET_SINGLE, "ISO-8859-13", NULL, " iso885913 l7 latin7 "},
    {SMTP_CHARSET_SINGLE, "ISO-8859-14", NULL, " iso885914 l8 latin8 "},
    {SMTP_CHARSET_SINGLE, "ISO-8859-15", NULL,
     " csisolatin9 iso885915 l9 latin9 "},
    {SMTP_CHARSET_SINGLE, "ISO-8859-16", NULL, " iso885916 l10 latin10 "},
    {SMTP_CHARSET_SINGLE, "KOI8-R", NULL, " cp20866 cskoi8r koi koi8 koi8r "},
    {SMTP_CHARSET_SINGLE, "KOI8-U", NULL, " cp21866 koi8ru koi8u "},
    {SMTP_CHARSET_SINGLE, "MACINTOSH", NULL,
     " csmacintosh mac macintosh macroman xmacroman "},
    {SMTP_CHARSET_SINGLE, "CP874", "TIS-620",
     " cp874 dos874 ibm874 iso885911 tis620 windows874 "},
    {SMTP_CHARSET_SINGLE, "CP1250", NULL,
     " cp1250 ms1250 windows1250 xcp1250 "},
    {SMTP_CHARSET_SINGLE, "CP1251", NULL, " cp1251 windows1251 xcp1251 "},
    {SMTP_CHARSET_SINGLE, "CP1253", NULL, " cp1253 windows1253 xcp1253 "},
    {SMTP_CHARSET_SINGLE, "CP1254", NULL,
     " cp1254 csisolatin5 iso88599 iso885991989 isoir148 l5 latin5 "
     "windows1254 xcp1254 "},
    {SMTP_CHARSET_SINGLE, "CP1255", NULL, " cp1255 windows1255 xcp1255 "},
    {SMTP_CHARSET_SINGLE, "CP1256", NULL, " cp1256 windows1256 xcp1256 "},
    {SMTP_CHARSET_SINGLE, "CP1257", NULL, " cp1257 windows1257 xcp1257 "},
    {SMTP_CHARSET_SINGLE, "CP1258", NULL, " cp1258 windows1258 xcp1258 "},
    {SMTP_CHARSET_SINGLE, "MAC-CYRILLIC", NULL, " xmaccyrillic xmacukrainian "},
    {SMTP_CHARSET_GB18030, "GB18030", "GBK",
     " chinese cp936 csgb2312 csiso58gb231280 euccn gb gb180302000 "
     "gb180302022 gb2312 gb231280 gbk isoir58 ms936 windows936 xgbk "},
    {SMTP_CHARSET_GB18030, "GB18030", "GBK", " gb18030 "},
    {SMTP_CHARSET_DOUBLE, "BIG5-HKSCS", "BIG5",
     " big5 big5eten big5hkscs cnbig5 cp950 csbig5 ms950 windows950 "
     "xxbig5 "},
    {SMTP_CHARSET_EUC_JP, NULL, NULL,
     " cp51932 cseucpkdfmtjapanese eucjp eucjpms eucjpwin ujis xeucjp "},
    {SMTP_CHARSET_ISO_2022_JP, NULL, NULL,
     " cp50220 cp50221 cp50222 csiso2022jp iso2022jp iso2022jp1 "
     "iso2022jpms jis "},
    {SMTP_CHARSET_SHIFT_JIS, "CP932", "SHIFT_JIS",
     " cp932 cp943 csshiftjis ibm943 ms932 mskanji shiftjis sjis "
     "windows31j windows932 xsjis "},
    {SMTP_CHARSET_DOUBLE, "CP949", "EUC-KR",
     " cp949 cseuckr csksc56011987 euckr isoir149 korean ksc5601 "
     "ksc56011987 ksc56011989 ms949 uhc windows51949 windows949 "},
    {SMTP_CHARSET_UTF16BE, "UTF-16BE", NULL, " ucs2be unicodefffe utf16be "},
    {SMTP_CHARSET_UTF16LE, "UTF-16LE", NULL,
     " csunicode iso10646ucs2 ucs2 ucs2le unicode unicodefeff utf16 "
     "utf16le "},
    {SMTP_CHARSET_SINGLE, "CP437", NULL, " 437 cp437 ibm437 "},
    {SMTP_CHARSET_SINGLE, "CP850", NULL, " 850 cp850 ibm850 "},
    {SMTP_CHARSET_SINGLE, "CP852", NULL, " 852 cp852 ibm852 "},
    {SMTP_CHARSET_SINGLE, "CP858", NULL, " cp858 ibm00858 ibm858 "},
    {SMTP_CHARSET_ISO_2022_KR, NULL, NULL, " csiso2022kr iso2022kr "},
    {SMTP_CHARSET_UTF7, "UTF-7", NULL, " cp65000 unicode11utf7 utf7 "},
    {SMTP_CHARSET_UTF32LE, "UTF-32LE", NULL,
     " iso10646ucs4 ucs4 ucs4le utf32 utf32le "},
    {SMTP_CHARSET_UTF32BE, "UTF-32BE", NULL, " ucs4be utf32be "},
};

/* Whether label is one of the words, each between two spaces. */
static bool has(const char *words, smtp_slice label) {
  while (*++words != 0) {
    const char *begin = words;
    while (*words != ' ') words++;
    if ((size_t)(words - begin) == label.n &&
        memcmp(begin, label.p, label.n) == 0)
      return true;
  }
  return false;
}

const smtp_charset *smtp_charset_find(smtp_slice name) {
  char text[LABEL_MAX];
  smtp_slice label = {text, 0};
  size_t i;
  for (i = 0; i < name.n; i++) {
    unsigned char c = smtp_ascii_lower((unsigned char)name.p[i]);
    if (!smtp_ascii_is(c, SMTP_ALPHA | SMTP_DIGIT)) continue;
    if (label.n == sizeof text) return NULL;
    text[label.n++] = (char)c;
  }
  for (i = 0; i < sizeof list / sizeof *list; i++)
    if (has(list[i].labels, label)) return &list[i];
  return NULL;
}
