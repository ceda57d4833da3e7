"""Where does a text hold telephone numbers?

    list(phones("Call 555 0100 today.")) == [(5, 13)]

Numbers are written in a hundred ways, and most runs of digits are something else. So a run of digits counts when it
has a shape that little else has, as +41 (0)96 471 07 95, (212) 555-0100 and 0341 8387176, or when a word beside it says
what it is: "Phone:", "call me on", "office" at the line's end."""

from __future__ import annotations

import re
from collections.abc import Iterator

Span = tuple[int, int]

# A number without its area has 7 digits, ITU's E.164 allows 15. A shape alone is enough for those with an area; a word
# alone for no more than 13: longer ones are card and order numbers.
DIGITS_BY_SHAPE, DIGITS_BY_WORD = range(9, 16), range(7, 14)
CONTEXT = 40  # characters before a number in which a word can tell what it is
PLAIN = {"\xa0": " ", "\u2009": " ", "\u202f": " ", "‐": "-", "‑": "-", "–": "-"}

# Its first character is matched first and what must not stand before it looked at afterwards: so the engine skips to
# the next digit instead of trying each place. A run that ends in what no number ends in is taken, too, as `rest`: it
# would end there from each of its digits, and to try them all takes a square of time ("1 1 1 1 ... 1%").
RUN = re.compile(
    r"[+(\d](?=[\d .()/-]{6})"
    r"(?<![\w$%/=&+-].)(?<!\d[.,:].)(?<![€£¥].)"  # not inside a word, a price, a web address, a decimal number
    r"(?>\(?\d*)(?>(?:(?:[ ()/-]{1,4}|\.)\d+)*)"
    r"(?:(?P<extension> ?(?:x|ext\.? ?|extension )\d{1,6})?(?!\w|[%€£¥@=]|[.,:/-]\d)|(?P<rest>))",
    re.ASCII | re.IGNORECASE,
)
GAP = r"(?: ?[.-] ?| )"
AREA_END = r"(?:\) ?[/-]? ?| ?[/.-] ?| )"
SHAPES = (
    r"\+[1-9](?:[ ()./-]{0,4}\d){7,14}",  # +41 (0)96 471 07 95
    rf"00[1-9]\d{{0,2}}(?:{GAP}\d{{2,9}}){{2,5}}",  # 001-253-366-9781
    rf"(?:1{GAP})?(?:\([2-9]\d\d\) ?[/-]? ?|[2-9]\d\d(?:{GAP}|/))\d{{3}}{GAP}\d{{4}}",  # (212) 555-0100
    rf"\(0?[1-9]\d{{1,3}}\) ?[/-]? ?\d{{2,5}}(?:{GAP}\d{{2,5}}){{1,3}}",  # (08) 8747 6301
    rf"\(?0[1-9]\d{{0,3}}{AREA_END}(?:\d{{5,8}}|\d{{2,4}}(?:{GAP}\d{{2,4}}){{1,4}}(?:{GAP}\d)?)",  # 0341 8387176
)
SHAPE = re.compile(rf"(?<![\d+(])(?<!\d[./-])(?:{'|'.join(SHAPES)})(?![\d)]|[./-]\d)", re.ASCII)
ONLY_BLANKS = re.compile(r"[\d ]+", re.ASCII)
OTHER = re.compile(
    r"(?:19|20)\d\d([./-])\d{1,2}\1\d{1,2}(?!\d)"  # 2019-07-17
    r"|\d{1,2}([./-])\d{1,2}\2(?:19|20)\d\d(?!\d)"  # 17.07.2019
    r"|(?:19|20)\d\d ?[/-] ?(?:19|20)\d\d(?!\d)"  # 2010-2019
    r"|\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\Z"  # an IP address, a version
    r"|\d{3}-\d\d-\d{4}\Z"  # social security in the United States
    r"|97[89][ -]\d"  # ISBN
    r"|\d\d(?:[ .-]\d\d){5}",  # a draw of six
    re.ASCII,
)
THOUSANDS = re.compile(r"\d{1,3}([ .])\d{3}(?:\1\d{3})*", re.ASCII)

WORD = (
    r"(?:tele)?phones?|tel|mobiles?|mob|cell|cell ?phone|cellular|(?:tele)?fax|whatsapp|hotline|helpline|switchboard"
    r"|handy|telefon\w*|gsm|tél|téléphone|teléfono|móvil|celular|telefone|telem[oó]vel|telefono|cellulare|telefoon"
    r"|puhelin|komórka|тел|телефон|факс|моб"
)
FILLER = (
    r"numbers?|no|nr|num|nummer|número|me|us|him|her|them|at|on|is|are|to|today|now|toll|free|or|and|please|direct(?:ly)?"
    r"|und|oder|et|ou|y|e"
)
# such a word, then at most words that say nothing more: "phone number:", "call us today at", "Tel. / Fax"
CUE = re.compile(
    rf"(?:\b(?:{WORD}|ph|call|dial)\b|\b(?:desk|office|direct|work|home|reception)\b(?= ?:)"
    r"|[☎📞📱]|电话|電話|手机|전화)"
    rf"(?:[\s.:/(-]{{1,3}}(?:{WORD}|{FILLER})\b)*[^\w\n]{{0,4}}\n?[^\w\n]{{0,4}}\Z",
    re.IGNORECASE,
)
CUE_BEHIND = re.compile(rf" ?[(-]? ?(?:{WORD}|office|desk)\)? *(?=[\n,;|\\]|\Z)", re.IGNORECASE)
BETWEEN = re.compile(r"\s?(?:[,/;|&]|or|and|und|oder|et|ou|y|e)?\s?", re.IGNORECASE)  # two numbers


def phones(text: str) -> Iterator[Span]:
    """Each number with its extension, (898)666-3621x0135; not years, dates, prices, IP addresses, ISBNs."""
    for character, plain in PLAIN.items():
        text = text.replace(character, plain)
    last_end = 0
    for run in (run for run in RUN.finditer(text) if run["rest"] is None):
        for start, end in _in_shape(run) or _by_word(run, last_end):
            yield start, end
            last_end = end


def _in_shape(run: re.Match[str]) -> list[Span]:
    """The numbers in a run that need no word; behind a postal code, "NY 10001 212-555-0100", it holds more than one."""
    if OTHER.match(run[0]):
        return []
    found = [one for one in SHAPE.finditer(run.string, *run.span()) if _count(one[0]) in DIGITS_BY_SHAPE]
    extension = run.start("extension")
    return [
        (one.start(), run.end() if one.end() == extension else one.end())
        for one in found
        if not OTHER.match(one[0]) and (not ONLY_BLANKS.fullmatch(one[0]) or one.span() == run.span())
    ]


def _by_word(run: re.Match[str], last_end: int) -> list[Span]:
    """The whole run, when a word before or behind it calls it a number, or another number stands just before it."""
    number = run[0].removesuffix(run["extension"] or "")
    if _count(number) not in DIGITS_BY_WORD or OTHER.match(number):
        return []
    text, start, end = run.string, *run.span()
    start += number.startswith("(") and ")" not in number  # the bracket is the sentence's: (555-0100)
    told = CUE.search(text, max(0, start - CONTEXT), start) or (
        not THOUSANDS.fullmatch(number)
        and (CUE_BEHIND.match(text, end) or (last_end and BETWEEN.fullmatch(text, last_end, start)))
    )
    return [(start, end)] if told else []


def _count(number: str) -> int:
    return sum(map(str.isdigit, number))
