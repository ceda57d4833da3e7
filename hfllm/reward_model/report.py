"""How good is a reward model? Accuracy, calibration and scores on held-out rankings, and what length has to do with it.

report(judged) == {"accuracy": 0.93, "accuracy_standard_error": 0.01, ...}

Standard errors count rankings, not pairs: the pairs of one ranking are not independent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

ABOUT_EQUAL = 0.1  # lengths that differ by at most this share of the longer one
BINS = 10  # of calibration, between 0.5 and 1
BUCKETS = ("chosen_shorter", "about_equal", "chosen_longer")

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Judged:
    """A held-out ranking of K answers: scores, lengths in tokens, and its P pairs as numbers of answers."""

    scores: Sequence[float]
    lengths: Sequence[int]
    better: Sequence[int]
    worse: Sequence[int]
    weight: float = 1.0  # in the loss; less than 1 for a part of a ranking that was too large for one row


@dataclass(frozen=True)
class Pairs:
    """All pairs of all rankings, each array (P,)."""

    margin: Array  # score of the better answer less that of the worse one
    longer: Array  # how much longer the better answer is, as a share of the longer of the two: -1 to 1
    ranking: Array  # the number of the ranking that the pair is of

    @classmethod
    def of(cls, judged: Sequence[Judged]) -> Pairs:
        rows = [
            (one.scores[i] - one.scores[j], _longer(one.lengths[i], one.lengths[j]), number)
            for number, one in enumerate(judged)
            for i, j in zip(one.better, one.worse, strict=True)
        ]
        margin, longer, ranking = zip(*rows, strict=True)
        return cls(np.array(margin, dtype=float), np.array(longer, dtype=float), np.array(ranking))

    @property
    def right(self) -> Array:
        """1 for a pair in its order, 0.5 for equal scores."""
        return np.where(self.margin == 0, 0.5, self.margin > 0)


def report(judged: Sequence[Judged]) -> dict[str, Any]:
    """What held-out rankings tell of a reward model, as plain numbers; what length does is in length.py."""
    pairs = Pairs.of(judged)
    accuracy, error = mean_and_error(pairs.right, pairs.ranking)
    bins = calibration(pairs)
    scores = np.concatenate([np.asarray(one.scores, dtype=float) for one in judged])
    is_constant = np.ptp(scores) == 0  # `std` of equal numbers may be 1e-17, by which no score must be divided
    return {
        "pairs": len(pairs.margin),
        "rankings": len(judged),
        "accuracy": accuracy,
        "accuracy_standard_error": error,
        "accuracy_by_length": by_length(pairs),
        "expected_calibration_error": calibration_error(bins),
        "calibration": bins,
        "mean": float(scores.mean()),
        "spread": 0.0 if is_constant else float(scores.std()),
    }


def loss_and_accuracy(judged: Sequence[Judged]) -> dict[str, float]:
    """What an evaluation logs: the loss of training, over the rows of all rankings, and the share of right pairs.

    As in a batch of training, rows are counted, and those of a ranking that was cut weigh 1 together."""
    pairs = Pairs.of(judged)
    losses = np.logaddexp(0, -pairs.margin)  # -log sigmoid(margin), which never overflows
    by_ranking = [one.weight * losses[pairs.ranking == number].mean() for number, one in enumerate(judged)]
    accuracy, margin = float(pairs.right.mean()), float(pairs.margin.mean())
    return {"loss": float(np.mean(by_ranking)), "accuracy": accuracy, "margin": margin}


def _longer(first: int, second: int) -> float:
    return (first - second) / max(first, second, 1)


def mean_and_error(values: Array, ranking: Array) -> tuple[float, float]:
    """The mean over pairs and its standard error, from the sums of the rankings (Liang and Zeger 1986).

    Values 1, 1, 0, 0 of four rankings: 0.5, sqrt(4 * 0.25) / 4 = 0.25; of two rankings (1, 1), (0, 0): 0.354."""
    mean = values.mean()
    sums = [float((values[ranking == number] - mean).sum()) for number in np.unique(ranking)]
    return float(mean), float(np.sqrt(np.square(sums).sum()) / len(values))


def bucket(longer: Array) -> Array:
    """The number of the bucket in BUCKETS: bucket([-0.5, 0.05, 0.2]) == [0, 1, 2]"""
    return np.where(np.abs(longer) <= ABOUT_EQUAL, 1, np.where(longer < 0, 0, 2))


def by_length(pairs: Pairs) -> dict[str, dict[str, float | int | None]]:
    """Pairs and accuracy where the better answer is shorter, about equal and longer."""
    found: dict[str, dict[str, float | int | None]] = {}
    for number, name in enumerate(BUCKETS):
        inside = bucket(pairs.longer) == number
        mean, error = mean_and_error(pairs.right[inside], pairs.ranking[inside]) if inside.any() else (None, None)
        found[name] = {"pairs": int(inside.sum()), "accuracy": mean, "standard_error": error}
    return found


def calibration(pairs: Pairs) -> list[dict[str, float | int]]:
    """Bins of equal width over how sure the model is of its own order, sigmoid(|margin|): surest last; empty ones not.

    `confidence` is the mean of that, `accuracy` the share that was right: equal in a calibrated model."""
    confidence = 1 / (1 + np.exp(-np.abs(pairs.margin)))  # 0.5 to 1
    numbers = np.minimum((2 * BINS * (confidence - 0.5)).astype(int), BINS - 1)
    return [
        {
            "pairs": int((numbers == number).sum()),
            "confidence": float(confidence[numbers == number].mean()),
            "accuracy": float(pairs.right[numbers == number].mean()),
        }
        for number in np.unique(numbers)
    ]


def calibration_error(bins: list[dict[str, float | int]]) -> float:
    """The mean distance of confidence and accuracy, over pairs (Guo et al., arXiv 1706.04599, equation 3)."""
    total = sum(one["pairs"] for one in bins)
    return float(sum(one["pairs"] * abs(one["confidence"] - one["accuracy"]) for one in bins) / total)
