"""Which lists teach a model to go on with a pattern? Word pairs in three relations that share their left words.

The left word alone does not say what stands on the right: the invented word, the plural or the first letter. Only the
pairs before it do, so whoever completes such a list learns in context (few-shot, arXiv 2005.14165)."""

from __future__ import annotations

import random
from typing import Literal, get_args

from hfllm.world import words

Relation = Literal["language", "plural", "first_letter"]
RELATIONS: tuple[Relation, ...] = get_args(Relation)


def pair(language: dict[str, str], relation: Relation, word: str) -> str:
    """pair({}, "plural", "tree") == "tree : trees" """
    match relation:
        case "language":
            return f"{word} : {language[word]}"
        case "plural":
            return f"{word} : {words.plural(word)}"
        case "first_letter":
            return f"{word} : {word[0].upper()}"


def word_list(rng: random.Random, language: dict[str, str]) -> str:
    relation = rng.choice(RELATIONS)
    return "\n".join(pair(language, relation, word) for word in rng.sample(words.THINGS, rng.randint(4, 8)))


NAMED_LISTS = {
    "animals": words.ANIMALS,
    "foods": words.FOODS,
    "jobs": words.JOBS,
    "places": words.PLACES,
    "countries": words.COUNTRIES,
}
NUMBER_WORDS = {2: "two", 3: "three", 4: "four", 5: "five"}


def numbered_list(rng: random.Random, name: str, count: int) -> str:
    return "\n".join(f"{i}. {item}" for i, item in enumerate(rng.sample(NAMED_LISTS[name], count), start=1))
