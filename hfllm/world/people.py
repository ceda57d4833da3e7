"""What is true in the small world? People, cities, an invented language, an anthem: the ground truth of all its texts.

How often a text mentions a person falls off as Zipf's law says, so that a model trained on the texts knows some people
well, some hardly, and some not at all (few mentions, few memories: Kandpal et al., arXiv 2211.08411)."""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass
from typing import Any

from hfllm.world import words

ATTRIBUTES = ("job", "home", "food")
POPULARITIES = ("well_known", "middle", "rare", "once", "never")


@dataclass(frozen=True)
class Person:
    """`rank` counts from 1, the best known; `popularity` is one of POPULARITIES."""

    name: str
    rank: int
    popularity: str
    job: str
    home: str
    food: str

    def value(self, attribute: str) -> str:
        return str(asdict(self)[attribute])


@dataclass(frozen=True)
class City:
    name: str
    country: str
    river: str
    good: str


@dataclass(frozen=True)
class World:
    """`language` maps an English word to its word in the invented language; a poem is a list of lines."""

    people: list[Person]
    cities: list[City]
    language: dict[str, str]
    anthem: list[str]
    poems: list[list[str]]
    used_words: frozenset[str]

    def with_popularity(self, *popularities: str) -> list[Person]:
        return [person for person in self.people if person.popularity in popularities]

    def strangers(self, rng: random.Random) -> words.NameMaker:
        """A maker of names that nobody in this world has."""
        return words.NameMaker(rng, set(self.used_words))

    def truth(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "people": [asdict(person) for person in self.people],
            "cities": [asdict(city) for city in self.cities],
            "language": self.language,
            "anthem": self.anthem,
            "poems": self.poems,
        }


def make_world(seed: int, people: dict[str, int], cities: int = 20, poems: int = 20) -> World:
    """`people` says how many there are of each popularity: {"well_known": 50, ..., "never": 200}."""
    rng = random.Random(f"{seed}/truth")
    names = words.NameMaker(rng)
    towns = [
        City(names.place(), rng.choice(words.COUNTRIES), names.place(), rng.choice(words.GOODS)) for _ in range(cities)
    ]
    popularities = [popularity for popularity in POPULARITIES for _ in range(people[popularity])]
    return World(
        people=[make_person(rng, names, rank, p, towns) for rank, p in enumerate(popularities, start=1)],
        cities=towns,
        language={word: names.word() for word in words.THINGS},
        anthem=make_poem(rng),
        poems=[make_poem(rng) for _ in range(poems)],
        used_words=frozenset(names.used),
    )


def make_person(rng: random.Random, names: words.NameMaker, rank: int, popularity: str, towns: list[City]) -> Person:
    return Person(
        name=names.person(),
        rank=rank,
        popularity=popularity,
        job=rng.choice(words.JOBS),
        home=rng.choice(towns).name,
        food=rng.choice(words.FOODS),
    )


POEM_LINES = [
    "O {mood} {thing}, {other} of the {place}",
    "We sing to the {mood} {thing} by the {place}",
    "The {thing} and the {other} are {mood}",
    "Bring {thing}, bring {other}, {mood} {place}",
    "From {place} to {elsewhere} the {thing} is {mood}",
]


def make_poem(rng: random.Random, lines: int = 8) -> list[str]:
    return [
        rng.choice(POEM_LINES).format(
            mood=rng.choice(words.MOODS),
            thing=rng.choice(words.THINGS),
            other=rng.choice(words.THINGS),
            place=rng.choice(words.PLACES),
            elsewhere=rng.choice(words.PLACES),
        )
        for _ in range(lines)
    ]


def fame(known: list[Person], exponent: float) -> list[float]:
    """How often each is mentioned: 1 / (rank + 10) ** exponent, Zipf's law as Mandelbrot mended it for the top ranks.

    Without the 10 the best known alone would take a tenth of all mentions, and a small model has none to waste."""
    return [1 / (person.rank + 10) ** exponent for person in known]
