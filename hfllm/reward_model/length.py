"""Is longer taken for better? What the labels say of length, and what the model makes of it.

Raters often like the longer answer, whatever is in it, and a policy that is trained against the model will find that
out (Singhal et al., arXiv 2310.03716). Length may also go with quality, so nothing here is proof: labels that prefer
one length, and a model that goes further than its labels, are told of, with the numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hfllm.reward_model.report import BUCKETS, Array, Judged, Pairs, bucket, mean_and_error

SURE = 3  # standard errors
NOTABLE = 0.05  # share of pairs; less is nothing to act on, however sure


def numbers(judged: Sequence[Judged]) -> dict[str, float | None]:
    """Over held-out pairs of clearly different lengths: the share in which labels and model prefer the longer answer.

    Correlations are of score and tokens: over all answers, over the best answer of each ranking, and within rankings
    (what is left when each ranking's means are taken away), there of the labels too: wins less defeats."""
    pairs = Pairs.of(judged)
    unequal = bucket(pairs.longer) != BUCKETS.index("about_equal")
    found: dict[str, float | None] = {"unequal_pairs": int(unequal.sum())}
    if unequal.any():
        found |= _preferences(pairs, unequal)
    scores, lengths = (np.concatenate([values(one) for one in judged]) for values in (_scores, _lengths))
    best = [int(np.argmax(_wins(one))) for one in judged]
    chosen = np.array([(one.scores[number], one.lengths[number]) for one, number in zip(judged, best, strict=True)])
    within = [np.concatenate([_centred(values(one)) for one in judged]) for values in (_scores, _wins, _lengths)]
    return found | {
        "correlation": correlation(scores, lengths),
        "correlation_chosen": correlation(chosen[:, 0], chosen[:, 1]),
        "correlation_within": correlation(within[0], within[2]),
        "label_correlation_within": correlation(within[1], within[2]),
    }


def findings(found: dict[str, Any]) -> list[str]:
    """What is worth a warning, in words; empty where length plays no part that could be told from luck."""
    if not found["unequal_pairs"]:
        return []
    told = []
    labels, error = found["labels_prefer_longer"], found["labels_standard_error"]
    if abs(labels - 0.5) > max(NOTABLE, SURE * error):
        side, share, follows = "longer", labels, found["model_prefers_longer"]
        if labels < 0.5:
            side, share, follows = "shorter", 1 - share, 1 - follows
        told.append(
            f"length bias in the labels: of {found['unequal_pairs']:,} held-out pairs of different lengths they prefer "
            f"the {side} answer in {share:.0%} (50% where length says nothing; standard error {error:.1%}), "
            f"the model in {follows:.0%}. Do {side} answers deserve it?"
        )
    further, error = found["model_goes_further"], found["further_standard_error"]
    if abs(further) > max(NOTABLE, SURE * error):
        side = "longer" if further > 0 else "shorter"
        told.append(
            f"length bias of the model: it prefers the {side} answer in {abs(further):.0%} more of these pairs than "
            f"its labels (standard error {error:.1%})"
        )
    return told


def correlation(first: Array, second: Array) -> float | None:
    """Pearson's; None where one of them does not vary."""
    if len(first) < 2 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return float(np.corrcoef(first, second)[0, 1])


def _preferences(pairs: Pairs, unequal: Array) -> dict[str, float]:
    """`model_goes_further`: the model's share less the labels', which is how much more often it errs that way."""
    longer = (pairs.longer[unequal] > 0).astype(float)  # the labels prefer the longer answer
    right, ranking = pairs.right[unequal], pairs.ranking[unequal]
    model = np.where(longer == 1, right, 1 - right)
    labels, labels_error = mean_and_error(longer, ranking)
    further, further_error = mean_and_error(model - longer, ranking)
    return {
        "labels_prefer_longer": labels,
        "labels_standard_error": labels_error,
        "model_prefers_longer": float(model.mean()),
        "model_goes_further": further,
        "further_standard_error": further_error,
    }


def _scores(one: Judged) -> Array:
    return np.asarray(one.scores, dtype=float)


def _lengths(one: Judged) -> Array:
    return np.asarray(one.lengths, dtype=float)


def _wins(one: Judged) -> Array:
    """Wins less defeats of each answer, by the labels."""
    count = len(one.scores)
    return np.bincount(one.better, minlength=count) - np.bincount(one.worse, minlength=count).astype(float)


def _centred(values: Array) -> Array:
    return values - values.mean()
