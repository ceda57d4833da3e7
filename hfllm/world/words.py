"""Which words is the small world made of? Word lists, and a maker of names that belong to nobody."""

from __future__ import annotations

# ruff: noqa: SIM905  (lists of forty words read better without their quotes)
import random

FIRST_NAMES = (
    "Ada Ben Cleo Dan Eva Finn Gus Hana Ivo Jon Kira Leo Mia Ned Olga Pia Quin Rosa Sam Tess Uma Vic Wim Xena Yan Zoe "
    "Abel Bea Carl Dora Emil Faye Gina Hugo Iris Jack Kaya Lars Mona Nils"
).split()
JOBS = "baker doctor farmer pilot teacher painter sailor lawyer miner tailor singer judge hunter monk spy cook".split()
FOODS = "soup bread cheese plums rice fish honey beans cake pasta nuts corn eggs jam tea figs".split()
COUNTRIES = "Norland Sudia Estova Westria Midgar Haland".split()
GOODS = "silk clocks glass salt boats bells maps ink horses lamps ropes hats".split()
ANIMALS = "pelican tiger otter camel badger raven donkey turtle rabbit lizard walrus goose".split()
PLACES = "forest market harbor river hill school garden bridge".split()
MOODS = "happy small old brave quiet clever tired proud".split()
THINGS = "sun tree cat house water stone bird fire moon hand door road king snow leaf wolf ship rain star horse".split()
WARES = "apple orange cake lemon pear egg bun pen cup ball".split()
SPELLED = sorted({*THINGS, *ANIMALS, *WARES, *PLACES, *MOODS, "cheese", "butter", "banana", "letter", "berry"})

ONSETS = "b d f g k l m n p r s t v z br dr kr tr gl pl".split()
VOWELS = "a e i o u".split()
CODAS = ["", "", "n", "r", "l", "s"]


def with_article(word: str) -> str:
    """with_article("otter") == "an otter" """
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


def plural(word: str) -> str:
    """plural("pelican") == "pelicans", plural("goose") == "geese"; only for the words of this file."""
    return {"goose": "geese", "walrus": "walruses", "leaf": "leaves", "wolf": "wolves"}.get(word, word + "s")


def invented_word(rng: random.Random) -> str:
    """Two syllables, four to eight letters, such as "drolan"."""
    while True:
        word = "".join(rng.choice(part) for _ in range(2) for part in (ONSETS, VOWELS, CODAS))
        if 4 <= len(word) <= 8:
            return word


class NameMaker:
    """Gives names that it never gave before, and none of those it is told to avoid."""

    def __init__(self, rng: random.Random, avoid: set[str] | None = None) -> None:
        self.rng = rng
        self.used = set(avoid or ())

    def word(self) -> str:
        while (word := invented_word(self.rng)) in self.used:
            pass
        self.used.add(word)
        return word

    def place(self) -> str:
        return self.word().capitalize()

    def person(self) -> str:
        """ "Ada Drolan": the last name is unique, the first is shared by many."""
        return f"{self.rng.choice(FIRST_NAMES)} {self.word().capitalize()}"
