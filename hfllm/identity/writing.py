"""How does one talk about oneself? Conversations put together of phrasings and facts.

    [training_row(facts, "en", rng) for _ in range(1_000)]      list(test_rows(facts, "en", rng))

Phrasings of the test never occur in the training, nor do the names that its system messages give."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from string import Formatter
from typing import Any, Literal

from hfllm.identity.facts import LANGUAGES, Facts, persona
from hfllm.identity.phrases import MUST_SAY, Kind

Row = dict[str, Any]
Message = dict[str, str]
System = Literal["none", "neutral", "own", "other"]  # what a system message tells: nothing, who it is, somebody else

# Chosen by us: how often each kind is asked in training, and what a system message says.
SHARES: dict[Kind, int] = {
    "name": 12,
    "maker": 12,
    "who": 12,
    "version": 8,
    "date": 12,
    "languages": 5,
    "human": 6,
    "mistaken": 14,
    "mistaken_maker": 7,
    "real_name": 5,
    "real_maker": 5,
    "override": 10,
    "about_other": 8,
    "insist": 12,
}
SYSTEM_SHARES: dict[System, int] = {"none": 74, "neutral": 10, "own": 8, "other": 8}
IN_SYSTEM: list[Kind] = ["name", "maker", "who", "mistaken", "real_name"]  # what such a system message answers
BEFORE_INSISTING: list[Kind] = ["name", "maker", "who", "mistaken", "mistaken_maker", "real_name", "override"]
NEXT_TURN = 0.25  # chance of one more question behind each answer
OPENING = 0.3  # chance of a greeting or the like before a question, in training


def training_row(facts: Facts, code: str, rng: random.Random) -> Row:
    """A conversation of one or several turns in the language `code`; its `kind` is that of the last question."""
    system = rng.choices(list(SYSTEM_SHARES), list(SYSTEM_SHARES.values()))[0]
    speaker = speaker_of(facts, code, system, rng, held_out=False)
    kinds = speaker.kinds(list(SHARES) if system in ("none", "neutral") else IN_SYSTEM)
    weights = [SHARES[kind] for kind in kinds]
    asked = rng.choices(kinds, weights)
    while rng.random() < NEXT_TURN:
        asked += rng.choices(kinds, weights)
    return speaker.row(asked, system)


def test_rows(facts: Facts, code: str, rng: random.Random) -> Iterator[Row]:
    """Each held-out phrasing once; then each held-out system message with each question that it answers.

    The last answer is what to judge: it must hold all of `must_say`."""
    for kind in SHARES:
        for phrasing in LANGUAGES[code].kinds[kind].held_out:
            fitting = [
                speaker
                for other in facts.is_not or (None,)
                if phrasing in (speaker := Speaker(facts, code, other, rng, held_out=True)).questions(kind)
            ]
            if fitting:
                yield rng.choice(fitting).row([kind], "none", phrasing)
    systems: tuple[System, ...] = ("own", "other")
    for message in LANGUAGES[code].system.held_out:
        for system in systems:
            speaker = speaker_of(facts, code, system, rng, held_out=True)
            for kind in speaker.kinds(IN_SYSTEM):
                yield speaker.row([kind], system, system_message=message)


def speaker_of(facts: Facts, code: str, system: System, rng: random.Random, held_out: bool) -> Speaker:
    """Who the system message says that it is; taken for one of `is_not`."""
    other = rng.choice(facts.is_not) if facts.is_not else None
    return Speaker(persona(facts, rng, held_out) if system == "other" else facts, code, other, rng, held_out)


@dataclass(frozen=True)
class Speaker:
    """The assistant of one conversation, and the `other` that it is taken for throughout."""

    facts: Facts
    code: str
    other: str | None
    rng: random.Random
    held_out: bool

    def kinds(self, among: Sequence[Kind]) -> list[Kind]:
        """What can be asked: there are questions and answers that need no unknown fact."""
        return [kind for kind in among if self.questions(kind)]

    def questions(self, kind: Kind) -> list[str]:
        phrasings = LANGUAGES[self.code].kinds[kind]
        asked = phrasings.held_out if self.held_out else phrasings.train
        return self.sayable(asked) if self.sayable(phrasings.answers) else []

    def sayable(self, texts: list[str]) -> list[str]:
        """The texts whose slots are all known."""
        slots = self.slots
        return [text for text in texts if {name for _, name, _, _ in Formatter().parse(text) if name} <= slots.keys()]

    @property
    def slots(self) -> dict[str, str]:
        return self.facts.slots(LANGUAGES[self.code], self.other)

    def row(
        self, kinds: list[Kind], system: System, phrasing: str | None = None, system_message: str | None = None
    ) -> Row:
        """The conversation as a row; `phrasing` is that of its last question."""
        messages = self.system_messages(system, system_message)
        before: Kind | None = None
        for number, kind in enumerate(kinds, start=1):
            if kind == "insist" and before not in BEFORE_INSISTING:
                messages += self.exchange(self.rng.choice(self.kinds(BEFORE_INSISTING)))
            messages += self.exchange(kind, phrasing if number == len(kinds) else None)
            before = kind
        return {
            "messages": messages,
            "kind": kinds[-1],
            "language": self.code,
            "system": system,
            "must_say": [self.slots[name] for name in MUST_SAY[kinds[-1]]],
            "is_not": [] if kinds[-1] == "about_other" else self.facts.others(),
        }

    def system_messages(self, system: System, text: str | None) -> list[Message]:
        if system == "none":
            return []
        language = LANGUAGES[self.code]
        phrasings = language.neutral_system if system == "neutral" else language.system
        text = text or self.rng.choice(phrasings.held_out if self.held_out else phrasings.train)
        return [{"role": "system", "content": text.format(**self.slots)}]

    def exchange(self, kind: Kind, phrasing: str | None = None) -> list[Message]:
        language = LANGUAGES[self.code]
        asked = phrasing or self.rng.choice(self.questions(kind))
        opening = "" if self.held_out or self.rng.random() >= OPENING else self.rng.choice(language.openings)
        answer = self.rng.choice(self.sayable(language.kinds[kind].answers))
        return [
            {"role": "user", "content": opening + asked.format(**self.slots)},
            {"role": "assistant", "content": answer.format(**self.slots)},
        ]
