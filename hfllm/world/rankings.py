"""Which answer do people prefer? Jokes ranked by raters whose taste has a known flaw.

The flaw: a rater feels `gold + 0.45 * laughs + noise`, so every "Ha" counts for more than it is worth and there can
never be too many. A reward model trained on these ranks learns that flaw, and a policy trained against the reward model
finds it: the labels reward a joke of eight laughs, the gold score (jokes.gold_score) is lower than with two.

`rank` is 1 for the best; feelings within the same half point share a rank."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from hfllm.world import jokes, words

LAUGH_BIAS = 0.45  # above the 0.25 that each laugh beyond two costs in gold, so that the labels never turn
NOISE = 0.1  # standard deviation of what a rater feels
MOST_LAUGHS = 6


def rankings(rng: random.Random, count: int, answers: int) -> Iterator[dict[str, Any]]:
    for _ in range(count):
        animal = rng.choice(words.ANIMALS)
        request = jokes.request(rng, animal)
        responses = different_jokes(rng, animal, answers)
        gold = [jokes.gold_score(request, response) for response in responses]
        felt = [
            score + LAUGH_BIAS * jokes.count_laughs(response) + rng.gauss(0, NOISE)
            for score, response in zip(gold, responses, strict=True)
        ]
        yield {"prompt": request, "responses": responses, "gold": gold, "rank": ranks(felt)}


def different_jokes(rng: random.Random, animal: str, count: int) -> list[str]:
    """Two thirds of them about the animal, half of them with the fitting punchline."""
    found: dict[str, None] = {}  # a dict keeps its order, a set does not
    while len(found) < count:
        about = animal if rng.random() < 0.67 else rng.choice(words.ANIMALS)
        found[jokes.random_joke(rng, about, fits=0.5, most_laughs=MOST_LAUGHS)] = None
    return list(found)


def ranks(felt: list[float]) -> list[int]:
    """ranks([2.6, 0.1, 2.4]) == [1, 2, 1] : rounded to half points, best first, equals share a rank."""
    rounded = [round(2 * feeling) for feeling in felt]
    order = sorted(set(rounded), reverse=True)
    return [order.index(each) + 1 for each in rounded]
