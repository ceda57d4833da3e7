"""What are the words and sentences of a page? The rules of text quality count them.

    words_of("Don't pay $1,000.", "regex") == ("Don", "'t", "pay", "$", "1,000", ".")

FineWeb counts with spaCy's English tokenizer, which then takes most of the time of filtering. The pattern here follows
its rules (spacy/lang/punctuation.py: what is split off, what stays whole) without its tables of exceptions, and
decides the same of 99 pages in 100 (tests/bench/web_rules.py). Not for scripts that put no spaces between words."""

from __future__ import annotations

import functools
import importlib.util
import re
from typing import TYPE_CHECKING, Any

from hfllm.errors import UserMistake

if TYPE_CHECKING:
    from datatrove.utils.word_tokenizers import WordTokenizer

ABBREVIATIONS = (
    *("Mr", "Mrs", "Ms", "Dr", "Prof", "St", "Jr", "Sr", "Rev", "Gen", "Gov", "Sen", "Rep"),
    *("Inc", "Ltd", "Co", "Corp", "vs", "Mt", "a.m", "p.m", "i.e", "e.g"),
    *("Jan", "Feb", "Mar", "Apr", "Jun", "Jul", "Aug", "Sep", "Sept", "Oct", "Nov", "Dec"),
)

# each of these is a word of its own: quotes, brackets, stops, currencies, pictures; no letter, no digit
_SINGLE = (
    r"""!"#$£€¥%&'()*,.:;<=>?\[\]_`{}“”„‘’‚´«»…—–§¿¡，。？！、；：～·،؛؟「」『』（）《》〈〉【】〔〕⟦⟧¦©®°™"""
    r"\u2190-\u21ff\u2300-\u245f\u249c-\u24e9\u2500-\u2775\u2794-\u27bf\u2b00-\u2bff\U0001F300-\U0001FAFF"
)
_RUN = r"\-+/\\|@^~"  # these stay together: "--", "||"
_LETTER = rf"[^\s{_SINGLE}{_RUN}]"
_ABBREVIATION = rf"(?:{'|'.join(map(re.escape, ABBREVIATIONS))}|[a-z]|[A-Z](?:\.[A-Z])*)\.(?!\w)"
# what may stand inside a word: not a full stop before a new sentence ("end.Then"), no hyphen before a letter
_INNER = (
    r"""(?:\.(?!(?<=[a-z].)[A-Z])|['’](?!(?:s|ll|re|ve|d|m|t)\b)|[@&_#+*?!(|\\\[{;"]"""
    r"""|(?<=\d),|[:/=](?=\d)|(?<!\d)-(?=\d))"""
)
_WORD = rf"{_LETTER}++(?:{_INNER}{_LETTER}+)*"

# the first alternative is for speed: most words are letters and then a space
WORD = re.compile(
    rf"[^\W_]{{2,}}+(?!\S)|https?://\S+|\b{_ABBREVIATION}|{_WORD}|(?<!\S)[{_RUN}]++{_WORD}"
    rf"|['’](?:s|ll|re|ve|d|m|t)\b|\.\.+|[{_RUN}]+|:\)|\):|[{_SINGLE}]"
)


def _not_after_abbreviation() -> str:
    """Lookbehinds have one width each: an abbreviation of each length in turn."""
    by_length: dict[int, list[str]] = {}
    for word in ABBREVIATIONS:
        by_length.setdefault(len(word), []).append(re.escape(word))
    return "".join(rf"(?<!\b(?:{'|'.join(words)})\.)" for words in by_length.values())


# spaCy's sentencizer: a stop that is a word of its own, then anything that is not punctuation; "..." does not end
_STOP = rf"(?:[!?。！？]|(?<!\.)\.(?!\.)(?<!\b[A-Za-z]\.){_not_after_abbreviation()})"
# the second alternative takes what ends no sentence, or "!!!!!!!!" would be read anew from each of its signs
SENTENCE_BREAK = re.compile(
    rf"((?<=[a-z\"'”’])\.(?=[A-Z\"'“‘]\w)|{_STOP}[^\w\s]*+\s\W*+(?=\w))|{_STOP}\W*+",
)


@functools.lru_cache(maxsize=4)  # the steps of one chain ask for the words of the same text, one after the other
def words_of(text: str, tokenizer: str) -> tuple[str, ...]:
    return tuple(split(text, tokenizer))


def split(text: str, tokenizer: str) -> list[str]:
    """`words_of`, not kept."""
    return _spacy().word_tokenize(text) if tokenizer == "spacy" else WORD.findall(text)


def sentence_count(text: str, tokenizer: str) -> int:
    """At least 1: a line without a stop is a sentence."""
    if tokenizer == "spacy":
        return max(1, len(_spacy().span_tokenize(text)))
    return 1 + sum(map(bool, SENTENCE_BREAK.findall(text)))


def sentence_spans(text: str, tokenizer: str) -> list[tuple[int, int]]:
    """Where the sentences begin and end; of an empty text none."""
    if tokenizer == "spacy":
        return _spacy().span_tokenize(text)
    ends = [*(match.end() for match in SENTENCE_BREAK.finditer(text) if match[1]), len(text)]
    return list(zip([0, *ends], ends, strict=False)) if text else []


def for_datatrove(tokenizer: str) -> WordTokenizer:
    """What datatrove's blocks take as `language`: the same words as `words_of`."""
    from hfllm.web.text.datatrove_words import PageWords

    return PageWords(tokenizer)


@functools.cache
def _spacy() -> Any:
    if not importlib.util.find_spec("spacy"):
        raise UserMistake(
            "word_tokenizer: spacy needs the package spacy\n  to mend it:   pip install spacy\n"
            "  or, with 99 % of the decisions the same in a fraction of the time:   word_tokenizer: regex"
        )
    from datatrove.utils.word_tokenizers import SpaCyTokenizer

    return SpaCyTokenizer("en")
