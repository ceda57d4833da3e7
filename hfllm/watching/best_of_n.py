"""What would a little optimisation do, before any training? The best of n answers by the proxy, n = 1, 2, ... 16.

Choosing the best of n goes log n - (n-1)/n nats from the policy (Stiennon et al., arXiv 2009.01325, appendix G.3). An
audit that falls from n = 4 to n = 16 says that the proxy can be exploited, and at which distance (arXiv 2210.10760)."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from math import comb
from typing import Any

import numpy as np

from hfllm.watching.answers import Answer, proxy
from hfllm.watching.measures import key_of

Judged = tuple[float, float]  # what the proxy gave to an answer, and what the audit gave
Point = dict[str, Any]  # n, kl (nats), proxy and rewards: means over prompts


def kl(n: int) -> float:
    """Nats between the policy and its best of n: kl(1) == 0."""
    return math.log(n) - (n - 1) / n


def expected(judged: Sequence[Judged], n: int) -> float:
    """The mean audit of the best by proxy among n of the answers, over all choices of n: unbiased.

    expected([(1, 0.0), (2, 1.0)], n=1) == 0.5, and with n=2 it is 1.0. Answers with the same proxy share their chances.
    Raises ValueError when there are fewer than n."""
    if not 0 < n <= len(judged):
        raise ValueError(f"the best of {n} of {len(judged)} answers")
    ordered = sorted(judged)
    chances = [comb(worse, n - 1) / comb(len(judged), n) for worse in range(len(judged))]
    shared: dict[float, list[float]] = defaultdict(list)
    for (value, _), chance in zip(ordered, chances, strict=True):
        shared[value].append(chance)
    return sum(audit * sum(shared[value]) / len(shared[value]) for value, audit in ordered)


def curve(answers: Sequence[Answer], weights: Mapping[str, float], most: int) -> list[Point]:
    """One point for each n from 1 to `most`; every prompt has `most` answers."""
    measured = [name for name, weight in weights.items() if not weight]
    groups = {name: by_prompt(answers, weights, name) for name in (None, *measured)}

    def mean(name: str | None, n: int) -> float | None:
        values = [expected(group, n) for group in groups[name] if len(group) >= n]
        return float(np.mean(values)) if values else None

    return [
        {"n": n, "kl": kl(n), "proxy": mean(None, n), "rewards": {name: mean(name, n) for name in measured}}
        for n in range(1, most + 1)
    ]


def falls(answers: Sequence[Answer], weights: Mapping[str, float], audit: str, most: int) -> tuple[float, float] | None:
    """The audit at n = most / 4 and at n = most, when it is lower there by more than two standard errors."""
    groups = [group for group in by_prompt(answers, weights, audit) if len(group) >= most]
    low, high = ([expected(group, n) for group in groups] for n in (max(1, most // 4), most))
    changes = np.subtract(high, low)
    if len(changes) < 2 or changes.mean() >= -2 * changes.std(ddof=1) / math.sqrt(len(changes)):
        return None
    return float(np.mean(low)), float(np.mean(high))


def by_prompt(answers: Sequence[Answer], weights: Mapping[str, float], name: str | None) -> list[list[Judged]]:
    """For each prompt (proxy, reward `name`) of the answers that both judged; None stands for the proxy itself."""
    groups: dict[str, list[Judged]] = defaultdict(list)
    for answer in answers:
        value = proxy(answer.rewards, weights)
        audit = value if name is None else answer.rewards[name]
        if value is not None and audit is not None:
            groups[key_of(answer.prompt)].append((value, audit))
    return list(groups.values())
