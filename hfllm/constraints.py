"""Does a text keep to an instruction that a program can check? Twenty-five kinds, a function each.

    follows("length_constraints:number_words", "Two words.", {"relation": "less than", "num_words": 3}) is True

Source: Zhou et al., "Instruction-Following Evaluation for Large Language Models", arXiv 2311.07911, table 1.
A function is named after the second part of the instruction's id and takes that instruction's arguments under the names
of the data, misspelt ones included. Words and sentences are counted by regular expressions and languages are told apart
by py3langid, where the paper's program uses NLTK and langdetect: single verdicts differ, rarely."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from typing import Any, Literal

Relation = Literal["at least", "less than"]

COMMAS = ",，、،"  # ASCII, full width, ideographic, Arabic
CONSTRAINED_ANSWERS = ("My answer is yes.", "My answer is no.", "My answer is maybe.")
MAX_LANGUAGE_CHARACTERS = 10_000  # the language of a longer text shows in its beginning
ABBREVIATIONS = {"mr", "mrs", "ms", "dr", "prof", "st", "vs", "jr", "sr"}

_WORD = re.compile(r"\w+")
_CAPITAL = re.compile(r"\w+(?:[-.]\w+)*")
_INITIALS = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]|[A-HJ-Z]")
_SENTENCE_END = re.compile(r"(?:[.!?][.!?\"'”’)\]*_]{0,4}(?=\s|$)|[。！？।॥۔]+)")
_HIGHLIGHT = re.compile(r"\*\*([^\n*]+)\*\*|\*([^\n*]+)\*")


def follows(instruction_id: str, text: str, arguments: dict[str, Any]) -> bool:
    """Whether `text` keeps to one instruction; arguments that are None were not given. An empty text keeps to none."""
    given = {name: value for name, value in arguments.items() if value is not None}
    return bool(text.strip()) and find(instruction_id)(text, **given)


@cache
def find(instruction_id: str) -> Callable[..., bool]:
    """The function of an instruction id such as `punctuation:no_comma`. Raises KeyError for an unknown one."""
    group, _, name = instruction_id.partition(":")
    for function in KINDS.get(group, ()):
        if function.__name__ == name:
            return function
    raise KeyError(instruction_id)


# keywords


def existence(text: str, keywords: list[str]) -> bool:
    return all(keyword.lower() in text.lower() for keyword in keywords)


def frequency(text: str, keyword: str, relation: Relation, frequency: float) -> bool:
    return _compare(text.lower().count(keyword.strip().lower()), relation, frequency)


def forbidden_words(text: str, forbidden_words: list[str]) -> bool:
    """Whole words only: `rocks` is not `rock`."""
    return not any(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE) for word in forbidden_words)


def letter_frequency(text: str, letter: str, let_relation: Relation, let_frequency: float) -> bool:
    return _compare(text.lower().count(letter.lower()), let_relation, let_frequency)


# language


def response_language(text: str, language: str) -> bool:
    """`language` is an ISO 639-1 code."""
    return _language_of(text) == language


def _language_of(text: str) -> str:
    """ISO 639-1 code of the likeliest of 97 languages (Lui and Baldwin, ACL 2012; the model of py3langid).

    Chosen over langdetect, the paper's library: of 60 sentences in each of 27 languages (lingua-py's test data) it
    told 99.3 % (langdetect 97.6 %), of 194 English ones in capitals all (87 %), and it draws no random numbers."""
    import py3langid

    readable = text[:MAX_LANGUAGE_CHARACTERS].encode("utf-8", errors="ignore").decode()
    return py3langid.classify(readable)[0]


# length_constraints


def number_words(text: str, relation: Relation, num_words: float) -> bool:
    return _compare(len(_WORD.findall(text)), relation, num_words)


def number_sentences(text: str, relation: Relation, num_sentences: float) -> bool:
    return _compare(_count_sentences(text), relation, num_sentences)


def _count_sentences(text: str) -> int:
    """_count_sentences("Dr. No paid $3.50. Really?") == 2 : not at abbreviations, initials and decimal points."""
    text = text.rstrip()
    ends = [match.end() for match in _SENTENCE_END.finditer(text) if not _abbreviated(text, match)]
    rest = text[ends[-1] :] if ends else text
    return len(ends) + bool(_WORD.search(rest))


def number_paragraphs(text: str, num_paragraphs: float) -> bool:
    """Paragraphs are divided by a line `***`; one without text, unless it is at an end, is a mistake."""
    paragraphs = [paragraph.strip() for paragraph in re.split(r"\s?\*\*\*\s?", text)]
    inner = paragraphs[not paragraphs[0] : len(paragraphs) - (not paragraphs[-1])]
    return all(inner) and len(inner) == num_paragraphs


def nth_paragraph_first_word(text: str, num_paragraphs: float, nth_paragraph: float, first_word: str) -> bool:
    """Paragraphs are divided by an empty line; `nth_paragraph` counts from 1."""
    paragraphs = [paragraph for paragraph in text.split("\n\n") if paragraph.strip()]
    if len(paragraphs) != num_paragraphs or nth_paragraph > num_paragraphs:
        return False
    word = _WORD.search(paragraphs[int(nth_paragraph) - 1])
    return word is not None and word[0].lower() == first_word.lower()


# detectable_content


def number_placeholders(text: str, num_placeholders: float) -> bool:
    """Placeholders are in square brackets: [address]."""
    return len(re.findall(r"\[[^\[\]\n]+\]", text)) >= num_placeholders


def postscript(text: str, postscript_marker: str) -> bool:
    """A line or sentence that begins with the marker, however its letters are cased and spaced: P.S. or p. s."""
    letters = re.findall(r"\w", postscript_marker)
    marker = r"\.?[ ]?".join(map(re.escape, letters))
    return re.search(rf"(?:^|\n|[.!?\"]\s)[^\w\n]{{0,5}}{marker}\b", text, re.IGNORECASE) is not None


# detectable_format


def number_bullet_lists(text: str, num_bullets: float) -> bool:
    """Exactly so many lines that begin with `*` or `-`."""
    return len(re.findall(r"^[ \t]*(?:\*(?![*])|-(?!-))[ \t]*\S", text, re.MULTILINE)) == num_bullets


def number_highlighted_sections(text: str, num_highlights: float) -> bool:
    """At least so many parts in *asterisks* or **asterisks**."""
    found = (match[1] or match[2] for match in _HIGHLIGHT.finditer(text))
    return sum(bool(part.strip()) for part in found) >= num_highlights


def multiple_sections(text: str, section_spliter: str, num_sections: float) -> bool:
    """At least so many headings such as `Section 1`."""
    return len(re.findall(rf"{re.escape(section_spliter)}\s?\d+", text)) >= num_sections


def title(text: str) -> bool:
    """A title in double angular brackets: <<poem of joy>>."""
    return any(name.strip() for name in re.findall(r"<<([^\n<>]+)>>", text))


def json_format(text: str) -> bool:
    """All of the text is JSON, alone or in a fence of backticks."""
    fenced = re.fullmatch(r"\s*```(?:json)?\n?(.*?)\n?```\s*", text, re.DOTALL | re.IGNORECASE)
    try:
        json.loads(fenced[1] if fenced else text)
    except (ValueError, RecursionError):
        return False
    return True


def constrained_response(text: str) -> bool:
    return any(answer in text for answer in CONSTRAINED_ANSWERS)


# combination


def repeat_prompt(text: str, prompt_to_repeat: str) -> bool:
    """The text begins with the request, word for word."""
    return text.strip().lower().startswith(prompt_to_repeat.strip().lower())


def two_responses(text: str) -> bool:
    """Two different answers, divided by six asterisks."""
    parts = [part.strip() for part in text.split("******")]
    inner = parts[not parts[0] : len(parts) - (not parts[-1])]
    return all(inner) and len(inner) == 2 and inner[0] != inner[1]


# change_case, punctuation, startend


def capital_word_frequency(text: str, capital_relation: Relation, capital_frequency: float) -> bool:
    words = _CAPITAL.findall(text)
    return _compare(sum(word.isupper() for word in words), capital_relation, capital_frequency)


def english_capital(text: str) -> bool:
    return text.isupper() and _language_of(text) == "en"


def english_lowercase(text: str) -> bool:
    return text.islower() and _language_of(text) == "en"


def no_comma(text: str) -> bool:
    return not any(comma in text for comma in COMMAS)


def end_checker(text: str, end_phrase: str) -> bool:
    """Nothing but quotation marks may follow the phrase."""
    return text.strip().strip('"').rstrip().lower().endswith(end_phrase.strip().lower())


def quotation(text: str) -> bool:
    """The whole text is in double quotation marks."""
    text = text.strip()
    return len(text) > 2 and text[0] == text[-1] == '"'


def _compare(count: int, relation: Relation, number: float) -> bool:
    return count < number if relation == "less than" else count >= number


def _abbreviated(text: str, end: re.Match[str]) -> bool:
    """Whether the full stop belongs to an initial or an abbreviation: `J. Smith`, `Dr. No`, `e.g. this`, `P.S. Bye`."""
    if end[0] != ".":
        return False
    word = re.search(r"[\w.]{1,12}$", text[max(0, end.start() - 12) : end.start()])
    if word is None or end.end() == len(text):
        return False
    return word[0].lower() in ABBREVIATIONS or _INITIALS.fullmatch(word[0]) is not None


KINDS: dict[str, tuple[Callable[..., bool], ...]] = {
    "keywords": (existence, frequency, forbidden_words, letter_frequency),
    "language": (response_language,),
    "length_constraints": (number_words, number_sentences, number_paragraphs, nth_paragraph_first_word),
    "detectable_content": (number_placeholders, postscript),
    "detectable_format": (
        *(number_bullet_lists, number_highlighted_sections, multiple_sections, title, json_format),
        constrained_response,
    ),
    "combination": (repeat_prompt, two_responses),
    "change_case": (capital_word_frequency, english_capital, english_lowercase),
    "punctuation": (no_comma,),
    "startend": (end_checker, quotation),
}
