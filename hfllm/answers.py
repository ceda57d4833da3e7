"""Which answer does a text state? Numbers, the content of \\boxed{...}, and what stands behind the thinking.

    last_number("48/2 = 24, so 48 + 24 = 72. The answer is $72.00.") == 72

Every function here takes text of any length and content in linear time, and raises nothing."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from fractions import Fraction

MAX_DIGITS = 400  # no answer is longer, and Python itself refuses to read more than 4,300
MAX_LINE = 200  # characters behind "the answer is" that are read

# A digit or bracket before a minus makes it a sign of subtraction.
NUMBER = re.compile(
    r"(?P<sign>(?<![A-Za-z0-9_)\]}])[-\u2212])?"
    r"[$\u20ac\u00a3\u00a5]?"
    r"(?:(?P<mixed>[0-9]{1,9}) (?=[0-9]{1,9}/[0-9]))?"
    r"(?P<whole>[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+|(?=\.[0-9])(?<![A-Za-z0-9]))"
    r"(?P<decimals>\.[0-9]+)?"
    r"(?:(?P<exponent>[eE][-+]?[0-9]{1,3})(?![A-Za-z0-9])| ?/ ?(?P<denominator>[0-9]+))?"
)
# Names are read as a whole, so that their digits are no numbers: x2, H2O, v2.15, x_12, \hat{x}_12. A command of LaTeX
# ends with its letters: \approx72.
NUMBER_OR_NAME = re.compile(
    NUMBER.pattern + r"|\\[A-Za-z]+(?:_[A-Za-z0-9]+)?"
    r"|(?<=[0-9)\]}])_[0-9]+"
    r"|[A-Za-z][A-Za-z0-9_]*(?:(?<=[0-9])(?:\.[0-9]+|,[0-9]{3}(?![0-9])))*"
)
LATEX_FRACTION = re.compile(r"\\[dt]?frac ?(?:\{(-?[0-9]{1,30})\}\{([0-9]{1,30})\}|([0-9])([0-9]))")
LATEX_SPACE = re.compile(r"\\[,!;: ]|\{,\}|\\(?=[$%])")
HASHES = re.compile(r"^####[ \t]*([^\n]{1,80})$", re.MULTILINE)
ANSWER_IS = re.compile(r"\banswer\b[^\n.0-9]{0,40}?(?:\bis\b(?! not\b)|[:=])", re.IGNORECASE)
SENTENCE_END = re.compile(r"\n|[.!?](?:\s|$)")
BRACES = re.compile(r"\\(?:boxed|fbox|framebox)\s{0,9}\{|\\.|[{}]", re.DOTALL)


def last_number(text: str) -> Fraction | None:
    """The number a text gives as its answer; None when there is none.

    What stands in the last \\boxed{}, else a line `#### 72`, else behind "the answer is", else the last number.
    1,234  $72.00  72%  -5  3/4  2 1/2  1e3 are one number each; a percentage is the number before the sign."""
    content = boxed(text)
    if content is not None:
        return _stated(content)
    for found in (_behind_hashes(text), _behind_answer_is(text)):
        if found is not None:
            return found
    last = deque(_numbers(text), maxlen=1)
    return _value(last[0]) if last else None


def number(text: str) -> Fraction | None:
    """The value of a text that is one number and nothing else, currency, percent sign and full stop allowed."""
    if len(text) > 2 * MAX_DIGITS:
        return None
    bare = _without_latex(text).strip().strip("$").strip().removesuffix(".").removesuffix("%").strip()
    match = NUMBER.fullmatch(bare)
    return _value(match) if match else None


def judge_number(completion: str, answer: str) -> float | None:
    """1.0 when the completion ends in the number `answer`, 0.0 when not; None when `answer` is no number."""
    expected = number(answer)
    if expected is None:
        return None
    return float(last_number(after_thinking(completion)) == expected)


def boxed(text: str) -> str | None:
    """boxed("so \\\\boxed{\\\\frac{1}{2}}.") == "\\\\frac{1}{2}" : the last complete box, of nested ones the inner."""
    if "box" not in text:
        return None
    opened: list[tuple[int, bool]] = []  # where the content of each open brace starts, and whether it is a box
    found: tuple[int, int] | None = None
    for match in BRACES.finditer(text):
        mark = match.group()
        if mark[-1] == "{" and mark != r"\{":
            opened.append((match.end(), len(mark) > 1))
        elif mark == "}" and opened:
            start, is_box = opened.pop()
            if is_box and (found is None or found[0] < start):
                found = (start, match.start())
    return text[found[0] : found[1]] if found else None


def behind_answer_is(text: str) -> str | None:
    """The sentence behind the last "the answer is", "Answer:" or "answer =" of a text, cut to one line."""
    last = last_match(ANSWER_IS, text)
    if last is None:
        return None
    rest = text[last.end() : last.end() + MAX_LINE].lstrip(" \t\r\n*_:")
    return SENTENCE_END.split(rest, maxsplit=1)[0].strip()


def after_thinking(text: str) -> str:
    """What stands behind the last </think>; the text itself without one; "" when <think> is never closed."""
    answer = text.rpartition("</think>")[2]
    return "" if "<think>" in answer else answer


def last_match(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    """last_match(re.compile("[0-9]"), "1 2 3")[0] == "3" """
    matches = deque(pattern.finditer(text), maxlen=1)
    return matches[0] if matches else None


def _behind_hashes(text: str) -> Fraction | None:
    """Only a line that is a number: `#### 3. Add them up` is a heading."""
    found = None
    for match in HASHES.finditer(text):
        value = number(match[1])
        found = found if value is None else value
    return found


def _behind_answer_is(text: str) -> Fraction | None:
    sentence = behind_answer_is(text)
    return _stated(sentence) if sentence is not None else None


def _stated(text: str) -> Fraction | None:
    """The first number behind the last equals sign: `x = 72 cm^2` states 72, `5 + 3 = 8` states 8."""
    first = next(_numbers(text.rpartition("=")[2]), None)
    return _value(first) if first else None


def _numbers(text: str) -> Iterator[re.Match[str]]:
    matches = NUMBER_OR_NAME.finditer(_without_latex(text))
    return (match for match in matches if match["whole"] is not None)


def _without_latex(text: str) -> str:
    """_without_latex("\\\\$1{,}234 or \\\\frac{3}{4}") == "$1,234 or 3/4" """
    if "\\" not in text and "{" not in text:
        return text
    return LATEX_FRACTION.sub(_plain_fraction, LATEX_SPACE.sub("", text))


def _plain_fraction(match: re.Match[str]) -> str:
    """With a space behind digits and letters: 1\\frac{1}{2} reads 1 1/2, which is one and a half."""
    space = " " if match.string[max(match.start() - 1, 0) : match.start()].isalnum() else ""
    return f"{space}{match[1] or match[3]}/{match[2] or match[4]}"


def _value(match: re.Match[str]) -> Fraction | None:
    whole, decimals = match["whole"].replace(",", ""), (match["decimals"] or ".")[1:]
    exponent, denominator = int((match["exponent"] or "e0")[1:]), match["denominator"] or "1"
    if len(whole) + len(decimals) + len(denominator) > MAX_DIGITS or not denominator.strip("0"):
        return None
    size = Fraction(int(whole + decimals or "0"), int(denominator)) * Fraction(10) ** (exponent - len(decimals))
    size += int(match["mixed"] or 0)
    return -size if match["sign"] else size
