"""Which characters do the bytes of a web page stand for?

The order of the WHATWG standards (encoding.spec.whatwg.org; HTML, section 13.2.3): byte order mark, HTTP header,
`<meta>`; then UTF-8 where it fits, then a guess. No page is lost here: what cannot be decoded becomes U+FFFD."""

from __future__ import annotations

import codecs
import re

# What Python calls the encoding of a label -> what browsers read then: a superset, or the encoding that is meant
READ_AS = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
    "utf-16": "utf-16-le",
}
# Labels of the standard that Python does not know
LABELS = {
    label: encoding
    for encoding, labels in {
        "utf-8": "unicode-1-1-utf-8 unicode11utf8 unicode20utf8 x-unicode20utf8",
        "utf-16-le": "unicode csunicode iso-10646-ucs-2 ucs-2 unicodefeff",
        "utf-16-be": "unicodefffe",
        "iso8859-6": "csiso88596e csiso88596i iso-8859-6-e iso-8859-6-i",
        "iso8859-7": "sun_eu_greek",
        "iso8859-8": "csiso88598e csiso88598i iso-8859-8-e iso-8859-8-i logical visual",
        "iso8859-15": "csisolatin9",
        "koi8-r": "koi koi8",
        "koi8-u": "koi8-ru",
        "mac-roman": "csmacintosh mac x-mac-roman",
        "mac-cyrillic": "x-mac-cyrillic x-mac-ukrainian",
        "cp874": "dos-874 windows-874",
        "cp1252": "x-user-defined",
        "gb18030": "csgb2312 gb_2312 gb_2312-80 x-gbk",
        "big5hkscs": "cn-big5 x-x-big5",
        "euc_jp": "cseucpkdfmtjapanese x-euc-jp",
        "cp932": "windows-31j x-sjis",
        "cp949": "cseuckr csksc56011987 iso-ir-149 ks_c_5601-1989 ksc_5601 windows-949",
    }.items()
    for label in labels.split()
}
# iso88592 and x-cp1250, as Python writes them
SPELLINGS = ((re.compile(r"^iso-?8859(?=\d)"), "iso-8859-"), (re.compile(r"^x-(?=cp\d)"), ""))
# Nothing else is ever decoded: Python's punycode, utf-7 or unicode_escape have no place on the web
ENCODINGS = {
    *("utf-8", "utf-16-le", "utf-16-be", "gb18030", "big5hkscs", "euc_jp", "cp932", "iso2022_jp", "cp949"),
    *("hz", "koi8-r", "koi8-u", "mac-roman", "mac-cyrillic", "cp866", "cp874"),
    *(f"cp{number}" for number in range(1250, 1259)),
    *(f"iso8859-{number}" for number in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)),
}
# Guessing between the Latin encodings fails too often (measured on undeclared Portuguese: 22 of 40 pages right), so
# all that look Latin are read as windows-1252, the standard's default; Cyrillic, Greek, Chinese, ... are recognised.
GUESSED = ["cp1252", "cp1251", "koi8_r", "cp1253", "cp1255", "cp1256", "cp932", "gb18030", "cp949", "cp874", "euc_jp"]
GUESSED += ["big5hkscs"]
GUESSED_FROM_BYTES = 20  # beyond ASCII; fewer are some quotes and dashes of an English page, which fit anything
BYTE_ORDER_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))

META_BYTES = 4096  # the standard looks at 1,024 bytes; pages exist that begin with longer scripts
COMMENT = re.compile(rb"<!--.*?-->", re.DOTALL)
META = re.compile(rb"""<meta\s[^>]*?charset\s*=\s*["']?\s*([^\s"'/>;]+)""", re.IGNORECASE)
XML = re.compile(rb"""\s*<\?xml\s[^>]*?encoding\s*=\s*["']([^"']+)""", re.IGNORECASE)
SURROGATE = re.compile("[\ud800-\udfff]")


def decode(body: bytes, http_charset: str | None = None) -> str:
    """The text of a page, `http_charset` being what the HTTP header says of it.

    `decode("café".encode("latin-1"), "iso-8859-1") == "café"`"""
    for mark, encoding in BYTE_ORDER_MARKS:
        if body.startswith(mark):
            return body[len(mark) :].decode(encoding, "replace").replace("\0", "")
    for promised in (encoding_of(http_charset), meta_encoding(body), "utf-8"):
        if promised and (text := fitting(body, promised)) is not None:
            return text.replace("\0", "")
    return body.decode(guess(body), "replace").replace("\0", "")


def clean(text: str) -> str:
    """Without what cannot be stored everywhere: NUL, and the halves of surrogate pairs that JSON can have."""
    text = text.replace("\0", "")
    try:
        text.encode()
    except UnicodeEncodeError:
        return SURROGATE.sub("\ufffd", text)
    return text


def encoding_of(label: str | None) -> str | None:
    """`encoding_of("Latin1") == "cp1252"`; None for a label that means nothing."""
    name = (label or "").strip().lower()
    if name in LABELS:
        return LABELS[name]
    for spelling, usual in SPELLINGS:
        name = spelling.sub(usual, name)
    try:
        name = codecs.lookup(name).name
    except (LookupError, ValueError):  # ValueError: a NUL in the label
        return None
    encoding = READ_AS.get(name, name)
    return encoding if encoding in ENCODINGS else None


def meta_encoding(body: bytes) -> str | None:
    start = COMMENT.sub(b"", body[:META_BYTES])
    found = META.search(start) or XML.match(start)
    encoding = encoding_of(found[1].decode("latin-1")) if found else None
    # who could read this label as ASCII was not reading UTF-16
    return "utf-8" if encoding and encoding.startswith("utf-16") else encoding


def fitting(body: bytes, encoding: str) -> str | None:
    """The text, None where the promise is wrong: more characters beyond ASCII are undecodable than decodable."""
    if encoding.startswith("utf-16") and b"\0" not in body:
        return None  # a page has tags, and tags in UTF-16 have NULs
    try:
        return body.decode(encoding)
    except UnicodeDecodeError:
        text = body.decode(encoding, "replace")
    beyond_ascii = len(text) - len(text.encode("ascii", "ignore"))
    return text if beyond_ascii >= 2 * text.count("\ufffd") else None


def guess(body: bytes) -> str:
    from charset_normalizer import from_bytes

    if len(body) - len(body.decode("ascii", "ignore")) < GUESSED_FROM_BYTES:
        return "cp1252"
    best = from_bytes(body, cp_isolation=GUESSED, preemptive_behaviour=False).best()
    return best.encoding if best else "cp1252"
