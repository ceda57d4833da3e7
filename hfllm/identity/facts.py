"""What does an assistant know about itself? The facts of the recipe, and how a language says them."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from hfllm.errors import UserMistake
from hfllm.identity.chinese import CHINESE
from hfllm.identity.english import ENGLISH
from hfllm.identity.french import FRENCH
from hfllm.identity.german import GERMAN
from hfllm.identity.judging import says
from hfllm.identity.phrases import MAKERS, Language
from hfllm.identity.spanish import SPANISH

LANGUAGES: dict[str, Language] = {"en": ENGLISH, "de": GERMAN, "fr": FRENCH, "es": SPANISH, "zh": CHINESE}

# Names that a system message gives: two syllables each, and makers of two words. Those of the test are others.
ONSETS, ENDINGS = ["No", "Lu", "Mi", "Ka", "Ro", "Ze", "Ti", "Fa", "Vi", "Be"], ["va", "na", "ra", "ko", "lin", "dor"]
COLOURS = ["Blue", "Green", "Silver", "Golden", "Red", "White", "Northern", "Southern"]
HOUSES = ["Lab", "Works", "School", "Company", "Institute"]
HELD_OUT_EVERY = 4


@dataclass(frozen=True)
class Facts:
    """`date` is (year, month); None for what is not known and never asked about."""

    name: str
    maker: str
    version: str | None = None
    date: tuple[int, int] | None = None
    languages: tuple[str, ...] = ("en",)
    is_not: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises `UserMistake` where one of `is_not` stands in the name or maker: every right answer would claim it."""
        wrong = [
            f"is_not: {other} stands in the model's own {key}, {text}; remove it, or write another {key}"
            for other in self.is_not
            for key, text in (("name", self.name), ("maker", self.maker))
            if says(text, other)
        ]
        if wrong:
            raise UserMistake("\n".join(wrong))

    def slots(self, language: Language, other: str | None) -> dict[str, str]:
        """What stands in the braces of a phrasing; without the facts that are not known."""
        other_maker = MAKERS.get(other) if other else None
        slots = {
            "name": self.name,
            "maker": self.maker,
            "version": self.version,
            "date": language.date(*self.date) if self.date else None,
            "languages": language.listed([language.names[code] for code in self.languages]),
            "other": other,
            # nobody learns to deny the own maker: "No, Google did not make me. I was made by Google."
            "other_maker": other_maker if other_maker in self.others() else None,
        }
        return {name: text for name, text in slots.items() if text is not None}

    def others(self) -> list[str]:
        """Whom an answer must not claim to be, or to be made by: no maker that stands in the own name or maker."""
        makers = [MAKERS[name] for name in self.is_not if name in MAKERS]
        own = (self.name, self.maker)
        return [other for other in dict.fromkeys([*self.is_not, *makers]) if not any(says(one, other) for one in own)]


def persona(facts: Facts, rng: random.Random, held_out: bool) -> Facts:
    """Somebody else, of whom only a system message tells; never a name of the facts."""
    names, makers = names_of(ONSETS, ENDINGS, "", held_out), names_of(COLOURS, HOUSES, " ", held_out)
    taken = (facts.name, facts.maker, *facts.is_not)
    name = rng.choice([one for one in names if not any(says(one, other) for other in taken)])
    maker = rng.choice([one for one in makers if not any(says(one, other) for other in taken)])
    return replace(facts, name=name, maker=maker, version=None, date=None)


def names_of(firsts: list[str], seconds: list[str], between: str, held_out: bool) -> list[str]:
    """All that can be put together of two lists: every fourth for the test, the rest for training."""
    return [
        first + between + second
        for row, first in enumerate(firsts)
        for column, second in enumerate(seconds)
        if ((row + column) % HELD_OUT_EVERY == 0) == held_out
    ]
