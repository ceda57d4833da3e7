"""How does the funnel report write numbers, and text that others wrote?"""

from __future__ import annotations

import json
from typing import Any

SPACE = "\u00a0"  # between a number and its unit: a line does not break there
UNITS = (("M", 1e6), ("B", 1e9), ("T", 1e12))
LONGEST = 160  # characters of a reason, a domain, an address

# Not allowed in HTML, or turning the text after them around: shown by their numbers, as ⟨07⟩.
HIDDEN = [*set(range(32)) - set(b"\t\n\r"), 0x7F, *range(0x80, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
VISIBLE: dict[int, str] = {code: f"⟨{code:02x}⟩" for code in HIDDEN}
VISIBLE |= dict.fromkeys(range(0xD800, 0xE000), "\ufffd")  # half a character, which UTF-8 cannot write


def number(value: Any) -> str:
    """1,234,567 or 0.6512; anything else as a recipe would write it, and a dash for what is not known."""
    match value:
        case None:
            return "–"
        case bool():
            return as_json(value)
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.4g}" if abs(value) < 10_000 else f"{value:,.0f}"
    return as_json(value)


def compact(value: float) -> str:
    """In full below ten million, then three digits: 9,999,999 and 12.3 M."""
    if abs(value) < 10_000_000:
        return number(value)
    unit, size = next((pair for pair in UNITS if abs(value) < 999.5 * pair[1]), UNITS[-1])
    digits = value / size
    return f"{digits:,.0f}{SPACE}{unit}" if abs(digits) >= 99.95 else f"{digits:.3g}{SPACE}{unit}"


def rounded(value: float) -> str:
    """For the axis of a chart: three digits that count, and no decimals from a hundred on."""
    return compact(round(value) if abs(value) >= 100 else float(f"{value:.3g}"))


def share(part: float, whole: float) -> str:
    """share(1, 3) is 33.3 %; what is not all and not nothing never looks like it: < 0.1 %, > 99.9 %."""
    if not whole:
        return "–"
    percent = 100 * part / whole
    if 0 < percent < 0.05:
        return f"<{SPACE}0.1{SPACE}%"
    if 99.95 <= percent < 100:
        return f">{SPACE}99.9{SPACE}%"
    return f"{percent:.1f}".removesuffix(".0") + f"{SPACE}%"


def duration(seconds: float) -> str:
    """3.2 s, 4 min 10 s, 2 h 05 min."""
    if seconds < 9.95:
        return f"{seconds:.2g}{SPACE}s"
    minutes, rest = divmod(round(seconds), 60)
    match minutes:
        case 0:
            return f"{rest}{SPACE}s"
        case _ if minutes < 60:
            return f"{minutes} min {rest:02} s"
    return f"{minutes // 60:,} h {minutes % 60:02} min"


def plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"


def as_json(value: Any) -> str:
    """As a recipe would write it; text without quotes."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def shorten(text: str, most: int = LONGEST) -> str:
    """Both ends of what is too long: the host of an address, and its last part."""
    return text if len(text) <= most else f"{text[: most * 2 // 3]} … {text[-(most // 3) :]}"


def visible(value: Any) -> Any:
    """Text without characters that a browser would obey; anything but text as it is."""
    return value.translate(VISIBLE) if isinstance(value, str) else value
