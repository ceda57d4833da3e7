"""Does an answer say what is true, something else, or that the model does not know? The one place that judges it.

    verdict("She lives in Paris.", "Paris") == "right"
    verdict("I am sorry, I don't know.", ["Paris"]) == "refused"

Patterns and whole words, no model: fast, the same everywhere, and for English only. The three verdicts are those of
SimpleQA (arXiv 2411.04368): correct, incorrect, not attempted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Literal

from hfllm.answers import after_thinking
from hfllm.tasks import closed_book

Verdict = Literal["right", "wrong", "refused"]

_NOT = r"(?: not|not|n't|'t| never)"
_INFORMATION = (
    r"(?:information|info|knowledge|data|details?|records?|idea|clue|answer|memory|way of knowing|access|ability|"
    r"capability|capacity|experiences?|feelings|opinions?|preferences?)"
)
# Chosen by us; matched in lower case, with plain apostrophes.
REFUSALS = [
    rf"\bi (?:really |honestly |just |simply |still )?(?:do|did|would|could|can){_NOT} (?:really |actually |yet )?"
    r"(?:know|recall|remember|tell|say|answer|find|verify|confirm|determine|provide|help|give|predict|identify|"
    r"speculate|comment|offer|share|access|be (?:sure|certain))\b",
    # not idioms: "I cannot wait to tell you: it is Rome"
    r"\bi (?:cannot|can not|can't) (?!wait|believe|deny|stop|help but|recommend|stress|overstate|agree more)\w+",
    r"\bi (?:won't|will not) (?:say|tell|answer|guess|speculate|comment|help|assist|provide|share|do|discuss)\b",
    rf"\bi (?:do|did){_NOT} (?:currently |really |actually )?have (?:\w+ ){{0,3}}{_INFORMATION}\b",
    rf"\bi(?: have|'ve)(?: got)? no (?!doubt|question)(?:\w+ ){{0,2}}{_INFORMATION}\b",
    r"\bi(?: am|'m) (?:really |just |still )?(?:not (?:\w+ ){0,2}(?:sure|certain|aware|familiar|able|capable)|unsure|"
    r"uncertain|unaware|unfamiliar|unable)\b",
    rf"\bi(?:{_NOT}| have{_NOT}|'ve never)(?: ever)? (?:heard|been (?:told|given))\b",
    r"\b(?:that|this|it) is (?:something|more than|beyond what) i\b",
    r"\b(?:beyond|outside)(?: of)? (?:my|what i) (?:knowledge|know)\b",
    r"\bthere (?:is|are|was|were)(?:n't| not?) (?:\w+ ){0,4}(?:information|data|details?|records?)\b",
    rf"^(?:sorry, |unfortunately, )?no (?:\w+ ){{0,2}}{_INFORMATION}"
    r"(?: (?:is |was |could be |can be )?(?:available|found|given)| (?:on|about|for|of|regarding)\b|\s*(?:[.,;!]|$))",
    r"\b(?:it|that|this|the answer)(?: is|'s| remains| was) (?:currently |still )?"
    r"(?:unknown|unclear|not (?:(?:yet|exactly|publicly|currently) )?known|"
    r"impossible to (?:say|know|tell|determine|predict))\b",
    r"\b(?:no ?one|nobody) (?:really )?(?:knows|can (?:know|say|tell))\b",
    r"^(?:not sure|unknown|no idea|don't know|i'd rather not say)\b",
]
# Behind a refusal, these make it a guess after all: "I am not sure, but I think it is Lyon" claims something.
GUESSES = [
    r"\b(?:but|however),? (?:i (?:would |'d )?(?:think|believe|guess|say|suppose)|it (?:may|might|could)"
    r"|(?:maybe|perhaps|probably)|my (?:best )?guess)\b",
    # "I'm not sure, but she was born in 1956"
    r"\b(?:but|however),? (?:he|she|it|they|the \w+|(?:his|her|its|their) \w+) (?:is|was|are|were|has|had|lives?|lived|"
    r"works?|worked|comes?|came|likes?|liked|died|wrote|won)\b(?! (?:not|possible|unknown|unclear|important|beyond)\b)",
    r"\b(?:i(?: would|'d)? guess|my (?:best )?guess)\b",
]
_REFUSAL, _GUESS = (re.compile("|".join(patterns), re.MULTILINE) for patterns in (REFUSALS, GUESSES))
_SENTENCE = re.compile(r"[^.!?\n;]+")
APOSTROPHES = str.maketrans(dict.fromkeys("\u2019\u02bc\u00b4`", "'"))
JUDGE_TOKENS = 8  # room for yes or no
MAX_CHARACTERS = 2_000  # of an answer that are read for likeness, which takes time


def verdict(text: str, answers: str | Sequence[str], *, fuzzy: float | None = None) -> Verdict:
    """One of three, whatever comes: silence, and thoughts that never end, are wrong.

    What a refusing sentence itself says does not count: "I don't know the river of Rome" names no river Rome."""
    if not refuses(text):
        return "right" if is_right(text, answers, fuzzy=fuzzy) else "wrong"
    sentences = _SENTENCE.findall(_plain(text))
    rest = ". ".join(sentence for sentence in sentences if not _REFUSAL.search(sentence.strip()))
    return "right" if is_right(rest, answers, fuzzy=fuzzy) else "refused"


def refuses(text: str) -> bool:
    """Whether an answer says that the model does not know, or will not say, and does not guess then.

    refuses("I don't know who that is.") and not refuses("I'm not sure, but I think it is Lyon.")"""
    plain = _plain(text)
    found = _REFUSAL.search(plain)
    return found is not None and not _GUESS.search(plain, found.start())


def is_right(text: str, answers: str | Sequence[str], *, fuzzy: float | None = None) -> bool:
    """Whether one of the accepted answers occurs in a text, as whole words, after TriviaQA's normalisation.

    With `fuzzy`, from above 0 to 1, also words as alike as that (difflib's ratio) with the same digits: .8 forgives a
    slip of the pen, as Tchaikovsky for Tschaikovsky. A text that lists everything is right, too."""
    accepted = [answers] if isinstance(answers, str) else list(answers)
    if closed_book.score(text, {"answers": accepted}) == 1.0:
        return True
    if fuzzy is None:
        return False
    said = closed_book.normalised(after_thinking(text)[:MAX_CHARACTERS])
    return any(_alike(said, closed_book.normalised(answer), fuzzy) for answer in accepted)


def _alike(text: str, answer: str, least: float) -> bool:
    if not answer:
        return False
    matcher = SequenceMatcher(b=answer, autojunk=False)
    for words in _windows(text.split(), len(answer.split())):
        matcher.set_seq1(words)
        if _digits(words) == _digits(answer) and matcher.quick_ratio() >= least and matcher.ratio() >= least:
            return True
    return False


def _windows(words: list[str], size: int) -> Iterator[str]:
    """Runs of about as many words as the answer has: "van gogh" may be written "vangogh"."""
    for count in {max(1, size - 1), size, size + 1}:
        for start in range(len(words) - count + 1):
            yield " ".join(words[start : start + count])


def _digits(text: str) -> str:
    return "".join(filter(str.isdigit, text))


def _plain(text: str) -> str:
    return after_thinking(text).translate(APOSTROPHES).lower().strip()


def judge_prompt(question: str, answers: Sequence[str], reply: str) -> list[dict[str, str]]:
    """What a model is asked, to be answered with yes or no, when words alone do not say whether a reply is right."""
    content = (
        "Does the reply state the right answer? Judge by the reference answers alone, not by what you know. "
        "Say yes or no and nothing else.\n\n"
        f"Question: {question}\nReference answers: {'; '.join(answers)}\nReply: {reply}"
    )
    return [{"role": "user", "content": content}]


def says_yes(text: str) -> bool:
    """says_yes("Yes.") and not says_yes("No, yesterday.")"""
    words = closed_book.without_punctuation(after_thinking(text)).split()
    return words[:1] == ["yes"]
