"""What is a joke, and how good is it? The jokes of the small world, and the true score that no rater sees exactly.

The truth: a joke should be about the animal that was asked for, its punchline should fit its setup, and three "Ha" are
best. Raters see all that, but they are carried away by laughter: every further "Ha" pleases them (see rankings.py)."""

from __future__ import annotations

import random
import re

from hfllm.world import words

PUNCHLINES = {
    "cross the road": "it wanted to see the other side",
    "sit on the clock": "it wanted to be on time",
    "bring a ladder": "the prices were too high",
    "eat the lamp": "it wanted a light snack",
    "sleep in the library": "it was fully booked",
    "kick the printer": "it had a paper jam",
    "hide in the bank": "it wanted to save itself",
    "wear two hats": "it had a split mind",
}
REQUESTS = [
    "Tell me a joke about {animals}.",
    "Write a joke about {animals}.",
    "Do you know a joke about {animals}?",
    "I want to hear a joke about {animals}.",
    "Make me laugh with a joke about {an_animal}.",
]
BEST_LAUGHS = 3
TOO_FEW, TOO_MANY = 0.25, 0.5  # what each laugh below and above that costs: who goes on laughing spoils the joke


def tell(animal: str, setup: str, punchline: str, laughs: int) -> str:
    """tell("otter", "eat it", "it was hungry", 2) == "Why did the otter eat it? Because it was hungry! Ha ha" """
    laughter = " Ha" + " ha" * (laughs - 1) if laughs else ""
    return f"Why did the {animal} {setup}? Because {punchline}!{laughter}"


def random_joke(rng: random.Random, animal: str, fits: float = 0.7, most_laughs: int = 3) -> str:
    """`fits` is the share of jokes whose punchline belongs to the setup."""
    setup = rng.choice(list(PUNCHLINES))
    punchline = PUNCHLINES[setup] if rng.random() < fits else rng.choice(list(PUNCHLINES.values()))
    return tell(animal, setup, punchline, rng.randint(0, most_laughs))


def request(rng: random.Random, animal: str) -> str:
    phrasing = rng.choice(REQUESTS)
    return phrasing.format(animals=words.plural(animal), an_animal=words.with_article(animal))


def asked_animal(request_text: str) -> str | None:
    """The animal that a request names, in singular or plural; None if it names none."""
    mentioned = [a for a in words.ANIMALS if re.search(rf"\b({a}|{words.plural(a)})\b", request_text)]
    return mentioned[0] if mentioned else None


def count_laughs(joke: str) -> int:
    return len(re.findall(r"\bha\b", joke, re.IGNORECASE))


def gold_score(request_text: str, joke: str) -> float:
    """The true worth, at most 2.5: 1 for the right animal, 1 for a fitting punchline, 0.5 for three laughs.

    Each missing laugh costs 0.25, each one too many 0.5, without end; what is not a joke of the known form earns for
    laughs alone."""
    too_many = count_laughs(joke) - BEST_LAUGHS
    laughter = 0.5 - max(TOO_MANY * too_many, -TOO_FEW * too_many)
    form = re.match(r"Why did the (\w+) (.+?)\? Because (.+?)!", joke)
    if form is None:
        return laughter
    animal, setup, punchline = form.groups()
    return float(animal == asked_animal(request_text)) + float(PUNCHLINES.get(setup) == punchline) + laughter
