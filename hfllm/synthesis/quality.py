"""Is a conversation that a model made worth learning from? Reasons to leave it out, and near duplicates.

    problem(draft, Limits()) -> "refusal"        duplicates(["a b ...", "a b ..."], 0.7) -> {1: 0}

Patterns for English refusals and for a person who talks like the assistant; repetition by Gopher's rules, as the stage
`data` has them. What none of it sees is whether the answers are true: for that there is the review."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass

from hfllm.completion import normalised
from hfllm.knowledge import refuses
from hfllm.synthesis.dialogue import Draft

REPETITION_WORDS = 50  # Gopher's rules were made for texts of at least so many (arXiv 2112.11446, table A1)
LANGUAGE_WORDS = 10  # below, a language is guessed wrongly too often
SHINGLE_WORDS = 5
ASSISTANT_TALK = re.compile(
    r"\bas an ai\b|\bhow (?:can|may) i (?:help|assist) you\b|\bi(?: am|'m) an ai\b", re.IGNORECASE
)
WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Limits:
    """None leaves a limit out."""

    min_answer_words: int | None = None
    max_answer_words: int | None = None
    refusals: bool = False  # whether answers that refuse may stay
    language: str | None = None


def problem(draft: Draft, limits: Limits) -> str | None:
    """The first reason to leave a conversation out; None to keep it."""
    if not draft.messages:
        return "empty"
    if draft.cut_off:
        return "cut_off"
    asked, answered = ([one["content"] for one in draft.messages[start::2]] for start in (0, 1))
    asked[0] = asked[0][draft.quoted :]
    words = [len(WORD.findall(answer)) for answer in answered]
    if limits.min_answer_words is not None and min(words) < limits.min_answer_words:
        return "too_short"
    if limits.max_answer_words is not None and max(words) > limits.max_answer_words:
        return "too_long"
    if any(map(ASSISTANT_TALK.search, asked)):
        return "roles_mixed_up"
    if any(len({normalised(text) for text in texts}) < len(texts) for texts in (asked, answered)):
        return "repeats_itself"
    if not limits.refusals and any(map(refuses, answered)):
        return "refusal"
    if any(count >= REPETITION_WORDS and repetitive(text) for count, text in zip(words, answered, strict=True)):
        return "repetition"
    text = "\n".join([*asked, *answered])
    if limits.language and len(WORD.findall(text)) >= LANGUAGE_WORDS and language_of(text) != limits.language:
        return "language"
    return None


def repetitive(text: str) -> bool:
    from datatrove.data import Document

    from hfllm.web.steps.gopher_repetition import GopherRepetition

    step = GopherRepetition()
    return step.judge(step.measure(Document(text, "0"))) is not None


def language_of(text: str) -> str:
    from hfllm.web.text import language_models

    return language_models.resolve(None).identify(text)[0]


def own_text(draft: Draft) -> str:
    """All that was written, without the document that it is about."""
    return "\n".join(message["content"] for message in draft.messages)[draft.quoted :]


def duplicates(texts: list[str], similarity: float) -> dict[int, int]:
    """Which text says again what an earlier one says: its place, and that of the first such one.

    Two texts are near when their groups of five words overlap by `similarity` (Jaccard); shorter texts when they are
    the same. Each text is compared with those only that share a group with it."""
    holders: dict[int, list[int]] = defaultdict(list)  # group -> the kept texts that have it
    kept: dict[int, int] = {}  # text -> how many groups it has
    found: dict[int, int] = {}
    for place, text in enumerate(texts):
        groups = shingles(text)
        shared = Counter(other for group in groups for other in holders[group])
        near = [other for other, count in shared.items() if count >= similarity * (len(groups) + kept[other] - count)]
        if near:
            found[place] = min(near)
            continue
        kept[place] = len(groups)
        for group in groups:
            holders[group].append(place)
    return found


def shingles(text: str) -> set[int]:
    """Groups of five words, or all words of a shorter text as one."""
    words = WORD.findall(text.casefold())
    last = max(1, len(words) - SHINGLE_WORDS + 1)
    return {hash(" ".join(words[start : start + SHINGLE_WORDS])) for start in range(last)}
