"""What the next reward model should learn: the answers that gamed this one, each beside a better one.

adversarial.jsonl holds pairs as the stage reward reads them (prompt, chosen, rejected). Rejected is an answer that the
proxy likes far more than the audits do; chosen is the best by audit that any evaluation saw for the same prompt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hfllm.watching.answers import Row, proxy
from hfllm.watching.measures import Measurement, Score, key_of


@dataclass(frozen=True)
class Judged:
    """An answer with its proxy and its mean audit, both in z of step 0."""

    prompt: Any
    completion: Any
    proxy: float
    audit: float

    @property
    def gap(self) -> float:
        return self.proxy - self.audit


def pairs(
    rows: Iterable[Row], weights: Mapping[str, float], audits: Sequence[str], start: Measurement, count: int
) -> list[dict[str, Any]]:
    """The `count` pairs with the largest gap between proxy and audits; fewer, where no better answer is known."""
    judged = [one for row in rows if (one := judge(row, weights, audits, start)) is not None]
    best: dict[str, Judged] = {}
    for one in judged:
        key = key_of(one.prompt)
        if key not in best or one.audit > best[key].audit:
            best[key] = one
    different = {(key_of(one.prompt), key_of(one.completion)): one for one in judged}.values()
    gaming = sorted(different, key=lambda one: -one.gap)
    found = [pair(best[key_of(one.prompt)], one) for one in gaming if best[key_of(one.prompt)].audit > one.audit]
    return found[:count]


def judge(row: Row, weights: Mapping[str, float], audits: Sequence[str], start: Measurement) -> Judged | None:
    """None where the proxy or all audits could not judge."""
    value = proxy(row["rewards"], weights)
    views = [(row["rewards"][audit], start.rewards[audit]) for audit in audits]
    standard = [z(view, score) for view, score in views if view is not None]
    if value is None or not standard:
        return None
    return Judged(row["prompt"], row["completion"], z(value, start.proxy), sum(standard) / len(standard))


def z(value: float, score: Score) -> float:
    return (value - (score.mean or 0.0)) / (score.spread or 1.0)


def pair(chosen: Judged, rejected: Judged) -> dict[str, Any]:
    return {
        "prompt": rejected.prompt,
        "chosen": chosen.completion,
        "rejected": rejected.completion,
        "chosen_proxy": round(chosen.proxy, 3),
        "chosen_audit": round(chosen.audit, 3),
        "rejected_proxy": round(rejected.proxy, 3),
        "rejected_audit": round(rejected.audit, 3),
        "gap": round(rejected.gap, 3),
    }
