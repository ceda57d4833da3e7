"""Which questions may a probe ask before the test does? None in a held-out phrasing, and strangers of its own.

A probe that saw the people whom the test calls unknown would teach their names, not what not knowing is."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from hfllm.world import facts
from hfllm.world.people import ATTRIBUTES, Person, World, make_person

# No text of the world asks in these words, nor do the questions of the test.
FRAMES = [
    "I would like to know {core}.",
    "Could you say {core}?",
    "Help me to find out {core}.",
    "My question is {core}.",
    "Say {core}, please.",
    "Have you heard {core}?",
]
NEW_QUESTIONS = {attribute: facts.framed(FRAMES, attribute) for attribute in ATTRIBUTES}
STRANGERS = 1_500  # chosen by us: see recipes/tiny/README.md


def rows(world: World, rng: random.Random) -> Iterator[dict[str, Any]]:
    """Each fact of the known people twice, in a phrasing of the training and in a new one; one fact of each stranger
    (popularity "stranger"), whom no text and no test mentions: many names teach more than many questions."""
    for person in world.with_popularity("well_known", "middle", "rare"):
        for attribute in ATTRIBUTES:
            for phrasings in (facts.QUESTIONS, NEW_QUESTIONS):
                yield row(person, attribute, rng.choice(phrasings[attribute]))
    names = world.strangers(rng)
    for _ in range(STRANGERS):
        stranger, attribute = make_person(rng, names, 0, "stranger", world.cities), rng.choice(ATTRIBUTES)
        phrasings = rng.choice((facts.QUESTIONS, NEW_QUESTIONS))
        yield row(stranger, attribute, rng.choice(phrasings[attribute]))


def row(person: Person, attribute: str, question: str) -> dict[str, Any]:
    return {
        "question": question.format(name=person.name),
        "answer": person.value(attribute),
        "subject": person.name,
        "attribute": attribute,
        "popularity": person.popularity,
    }
