"""Where does a text hold personal data? E-mail and IP addresses, IBANs, card numbers, telephone numbers.

    find("write to jane@x.example", ["email"]) == [Found("email", 9, 23)]

All that has a checksum is checked, and what is rather a version number, a bar code or a machine's own address is left
alone. Time grows with the length of the text, not with its square: no expression can begin again inside a run that it
has read, and all else in it is bounded (tests/test_web_pii.py: 20,000 and 80,000 characters of what is worst)."""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

from hfllm.web.text.phone_numbers import CONTEXT, Span, phones


class Found(NamedTuple):
    kind: str
    start: int
    end: int


LOCAL_LENGTH = 64  # RFC 5321, 4.5.3.1.1
LETTER = "a-zA-ZÀ-ÖØ-öø-ɏ"  # Latin: where no blanks part the words, an address would take its sentence along
LOCAL_PART = re.compile(rf"(?<![{LETTER}\d_.%+-])[.%+-]*([{LETTER}\d_][{LETTER}\d_.%+-]*)\Z")
DOMAIN = re.compile(
    rf"(?:[{LETTER}\d](?:[{LETTER}\d-]{{0,61}}[{LETTER}\d])?\.){{1,8}}(?:xn--[a-z\d-]{{2,59}}|[{LETTER}]{{2,24}})"
)
# logo@2x.png is a picture for fine screens
FILE_ENDINGS = {"png", "jpg", "jpeg", "gif", "webp", "svg", "css", "js", "json", "html", "php"}

# As in phone_numbers.py, what must not stand before a match is looked at behind its first character, for speed.
IPV4 = re.compile(r"\d(?<![\w.].)(?<![a-zA-Z][/-].)\d{0,2}\.\d{1,3}\.\d{1,3}\.\d{1,3}(?!\w|\.\d|-[a-zA-Z])", re.ASCII)
IPV6 = re.compile(r"[23](?<![\w:.].)[\da-fA-F]{3}:(?:[\da-fA-F]{0,4}:){1,6}[\da-fA-F]{1,4}(?![\w:])", re.ASCII)
VERSION_WORD = re.compile(
    r"(?:\b(?:v|ver|version|release|rev|revision|build|firmware|driver|kernel|update|patch"
    r"|section|chapter|clause|article|rule|table|figure|fig|annex|appendix)s?|版本|§)[\s.:]*\Z",
    re.IGNORECASE,
)
# Blocks of private networks, of a machine itself, of many receivers (RFC 6890): no address there tells of a person.
# The blocks for documentation are missing: a text that shows such an address shows it as somebody's.
NOT_PERSONAL = [
    ipaddress.ip_network(block)
    for block in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.168.0.0/16", "224.0.0.0/3"),
    )
]

# Country and length, from SWIFT's registry: without it there is no telling where an IBAN with blanks ends.
COUNTRIES_BY_LENGTH = {
    15: "NO",
    16: "BE",
    18: "DK FI FK FO GL NL SD",
    19: "MK SI",
    20: "AT BA EE KZ LT LU MN XK",
    21: "CH HR LI LV",
    22: "BG BH CR DE GB GE IE ME RS VA",
    23: "AE GI IL IQ OM SO TL",
    24: "AD CZ ES MD PK RO SA SE SK TN VG",
    25: "LY PT ST",
    26: "IS TR",
    27: "BI DJ FR GR IT MC MR SM",
    28: "AL AZ BY CY DO GT HN HU LB NI PL SV",
    29: "BR EG PS QA UA",
    30: "JO KW MU YE",
    31: "MT SC",
    32: "LC",
    33: "RU",
}
IBAN_LENGTHS = {country: length for length, names in COUNTRIES_BY_LENGTH.items() for country in names.split()}
IBAN_HEAD = re.compile(r"\d(?<=[a-zA-Z]{2}.)(?<![a-zA-Z0-9]...)\d(?=[ \xa0-]?[a-zA-Z0-9]{3})", re.ASCII)

CARD = re.compile(
    r"\d(?<![\w+/=&-].)(?<!\d\..)"
    r"(?:\d{11,18}|\d{3}([ -])\d{4}\1\d{4}\1\d{4}(?:\1\d{3})?|\d{3}([ -])\d{6}\2\d{4,5})(?!\w|[.-]\d)",
    re.ASCII,
)
ISSUER = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})"  # Visa
    r"|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}"  # Mastercard
    r"|3[47]\d{13}"  # American Express
    r"|3(?:0[0-5]|[689]\d)\d{11}"  # Diners Club
    r"|(?:35\d\d\d|2131|1800)\d{11}"  # JCB
    r"|(?:6011|64[4-9]\d|65\d\d)\d{12}|62\d{14,17}|220[0-4]\d{12,15}"  # Discover, UnionPay, Mir
    r"|(?:5[06-8]|6\d)\d{10,17}"  # Maestro
)
SHORT_CARD = 13  # a number of 12 or 13 digits is more often a bar code: only a word before it makes it a card
CARD_WORD = re.compile(r"\b(?:card|credit|debit|visa|maestro|cc|carte|carta|cartão|tarjeta)s?\b|karte", re.IGNORECASE)


def find(text: str, kinds: Collection[str]) -> list[Found]:
    """What there is of `kinds`, in the order of the text; where two would overlap, the first of FINDERS has it."""
    found: list[Found] = []
    for kind, finder in FINDERS.items():
        if kind in kinds:
            new = [Found(kind, start, end) for start, end in finder(text)]
            text = replaced(text, [(one, "\0" * (one.end - one.start)) for one in new])  # the next one sees none of it
            found += new
    return sorted(found, key=lambda one: one.start)


def replaced(text: str, replacements: list[tuple[Found, str]]) -> str:
    """The text with another in place of each span; the spans in the order of the text."""
    pieces, end = [], 0
    for found, replacement in replacements:
        pieces += [text[end : found.start], replacement]
        end = found.end
    return "".join([*pieces, text[end:]]) if pieces else text


def emails(text: str) -> Iterator[Span]:
    """jane.doe+lists@mail.example; not @jane, not logo@2x.png."""
    at = text.find("@")
    while at >= 0:
        end = at + 1
        domain = DOMAIN.match(text, end)
        local = LOCAL_PART.search(text, max(0, at - LOCAL_LENGTH), at) if domain else None
        if local and domain and domain[0].rpartition(".")[2].lower() not in FILE_ENDINGS:
            end = domain.end()
            yield local.start(1), end
        at = text.find("@", end)


def ips(text: str) -> Iterator[Span]:
    """Addresses that the world can reach, and those of the blocks for documentation."""
    yield from (found.span() for found in IPV4.finditer(text) if _is_personal(text, found))
    yield from (found.span() for found in IPV6.finditer(text) if _address(found[0]))


def ibans(text: str) -> Iterator[Span]:
    """GB82 WEST 1234 5698 7654 32, with or without blanks: as long as its country says, 1 modulo 97 (ISO 13616)."""
    for head in IBAN_HEAD.finditer(text):
        start = head.start() - 2
        length = IBAN_LENGTHS.get(text[start : start + 2].upper())
        found = _of_length(length).match(text, start) if length else None
        if found and _is_one_modulo_97(re.sub("[ \xa0-]", "", found[0])):
            yield found.span()


def cards(text: str) -> Iterator[Span]:
    """Numbers of an issuer's prefix and length that pass Luhn's check (ISO/IEC 7812)."""
    for found in CARD.finditer(text):
        digits = re.sub(r"\D", "", found[0])
        if ISSUER.fullmatch(digits) and _passes_luhn(digits) and (len(digits) > SHORT_CARD or _is_called_card(found)):
            yield found.span()


FINDERS: dict[str, Callable[[str], Iterator[Span]]] = {
    "email": emails,
    "iban": ibans,
    "credit_card": cards,
    "ip": ips,
    "phone": phones,
}


def _is_personal(text: str, found: re.Match[str]) -> bool:
    address = _address(found[0])
    if address is None or any(address in block for block in NOT_PERSONAL):
        return False
    if len(found[0]) == len("1.2.3.4") or found[0].endswith(".0"):
        return False  # a version, a section, everybody's name servers (8.8.8.8); a network
    return VERSION_WORD.search(text, max(0, found.start() - CONTEXT), found.start()) is None


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


@functools.cache
def _of_length(length: int) -> re.Pattern[str]:
    fours, rest = divmod(length - 1, 4)
    one = "[a-zA-Z0-9]"
    return re.compile(rf"(?:{one}{{{length}}}|(?:{one}{{4}}[ \xa0-]){{{fours}}}{one}{{{rest + 1}}})(?!{one})")


def _is_one_modulo_97(iban: str) -> bool:
    return int("".join(str(int(character, 36)) for character in iban[4:] + iban[:4])) % 97 == 1


def _passes_luhn(digits: str) -> bool:
    """Every second digit from the right counts double, its digits summed: 18 -> 8 + (2 x 1), 10, passes."""
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(map(int, digits[::-2])) + sum(doubled)) % 10 == 0


def _is_called_card(found: re.Match[str]) -> bool:
    return CARD_WORD.search(found.string, max(0, found.start() - CONTEXT), found.start()) is not None
