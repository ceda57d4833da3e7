"""How sure is a mean over questions? The bootstrap's answer, the same for the same seed.

    interval([1.0, 0.0, 1.0, 1.0]) == Estimate(0.75, 0.25, 1.0, 4)

Questions are drawn again with putting back, and the middle 95 % of the means are kept (Efron 1979; percentile method).
It says how much another set of such questions would change the number, not how much another training would. Where all
questions agree it is a single point, although the truth may lie 3/n beside it (the rule of three)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

RESAMPLES = 2_000  # chosen by us: the ends then move by less than a tenth of the interval from seed to seed
CONFIDENCE = 0.95


class Estimate(NamedTuple):
    """A mean, the ends of its interval, and over how many questions it was taken."""

    value: float
    low: float
    high: float
    questions: int


def interval(values: Sequence[float], seed: int = 0) -> Estimate:
    """Raises ValueError for no values."""
    if not values:
        raise ValueError("no values to take a mean of")
    one = np.asarray(values, dtype=float)
    generator = np.random.default_rng(seed)
    means = [one[generator.integers(len(one), size=len(one))].mean() for _ in range(RESAMPLES)]
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Estimate(float(one.mean()), float(low), float(high), len(one))
