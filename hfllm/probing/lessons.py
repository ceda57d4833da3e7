"""What is learned from a probe? Conversations that say "I don't know" where the model does not, and what it does know.

A known question is answered in the model's own words: a reference it would not have said itself teaches it to guess
(Llama 3, arXiv 2407.21783, 4.3.6). Both kinds come in the same wordings, or the wording would give the answer away."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hfllm import knowledge
from hfllm.probing.questions import wordings

Row = dict[str, Any]
# Chosen by us.
REFUSALS = [
    "I am sorry, I do not know that.",
    "I don't know.",
    "I'm sorry, but I don't know the answer.",
    "I do not know the answer to that question.",
    "I am not sure, so I would rather not guess.",
    "I don't have that information.",
]


@dataclass
class LessonConfig:
    """Which questions count as known and unknown, and what is made of them."""

    known_from: float = field(default=1.0, metadata={"help": "Share of right answers from which a fact is known."})
    unknown_to: float = field(default=0.0, metadata={"help": "Share of right answers up to which it is unknown."})
    known_per_unknown: float | None = field(
        default=1.0, metadata={"help": "Rows about known facts for each about an unknown one; null: all there are."}
    )
    refusals: list[str] = field(
        default_factory=lambda: list(REFUSALS), metadata={"help": "Ways to say it; {names} are columns or {question}."}
    )
    phrasings: list[str] = field(
        default_factory=list,
        metadata={"help": "Further wordings of each question, known or not: ['Tell me: {question}']"},
    )


def mistakes(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Key and message of what is wrong with a recipe's values; a key that is not there has its default."""
    unknown_to, known_from = (values.get(key, getattr(LessonConfig, key)) for key in ("unknown_to", "known_from"))
    if not 0 <= unknown_to < known_from <= 1:
        yield "unknown_to", f"{unknown_to} must be below known_from: {known_from}, both from 0 to 1"
    if (values.get("known_per_unknown") or 0) < 0:
        yield "known_per_unknown", f"{values['known_per_unknown']} is below 0"
    refusals = values.get("refusals", REFUSALS)
    silent = [text for text in refusals if not knowledge.refuses(text)]
    if silent or not refusals:
        wrong = "; ".join(map(repr, silent)) or "none given"
        yield "refusals", f"no refusal to the ears of hfllm/knowledge.py, which judges by them: {wrong}"


def kind(probed: Row, config: LessonConfig) -> str:
    """known, unknown or between: by the share of right answers."""
    share = probed["right"] / len(probed["replies"])
    if share >= config.known_from:
        return "known"
    return "unknown" if share <= config.unknown_to else "between"


def lessons(answered: Sequence[Row], config: LessonConfig, rng: random.Random) -> list[Row]:
    """Rows of `messages`, known and unknown mixed, in the recipe's ratio; what there is too much of is left out."""
    known = list(_known(answered, config, rng))
    unknown = list(_unknown(answered, config, rng))
    if (ratio := config.known_per_unknown) is not None:
        size = min(len(unknown), len(known) / ratio) if ratio else len(unknown)
        known, unknown = known[: round(size * ratio)], unknown[: round(size)]
    mixed = known + unknown
    rng.shuffle(mixed)
    return mixed


def _known(answered: Sequence[Row], config: LessonConfig, rng: random.Random) -> Iterator[Row]:
    """Every question once, then every question in another wording, and so on: a cut leaves as many as possible."""
    own = {number: _own_answers(row) for number, row in enumerate(answered) if kind(row, config) == "known"}
    for number, asked in _in_rounds(answered, [number for number, texts in own.items() if texts], config, rng):
        yield _lesson(asked, rng.choice(own[number]), "known")


def _unknown(answered: Sequence[Row], config: LessonConfig, rng: random.Random) -> Iterator[Row]:
    numbers = [number for number, row in enumerate(answered) if kind(row, config) == "unknown"]
    for number, asked in _in_rounds(answered, numbers, config, rng):
        values = answered[number]["row"] | {"question": answered[number]["question"]}
        yield _lesson(asked, rng.choice(config.refusals).format_map(values), "unknown")


def _in_rounds(
    answered: Sequence[Row], numbers: list[int], config: LessonConfig, rng: random.Random
) -> Iterator[tuple[int, str]]:
    """(which, how it is asked): each in a random order of its wordings."""
    asked = {number: wordings(answered[number], config.phrasings) for number in numbers}
    for several in asked.values():
        rng.shuffle(several)
    for turn in range(1 + len(config.phrasings)):
        rng.shuffle(numbers)
        yield from ((number, asked[number][turn]) for number in numbers if turn < len(asked[number]))


def _own_answers(probed: Row) -> list[str]:
    """Distinct right answers that came to their end."""
    return list(dict.fromkeys(one["text"] for one in probed["replies"] if one["verdict"] == "right" and one["ended"]))


def _lesson(asked: str, said: str, what: str) -> Row:
    return {
        "messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": said}],
        "kind": what,
    }
