"""What is told of a trained reward model: reward_model.json and reward.png in its folder, and a few lines to read.

    outcome.write(Path("runs/tiny/reward"), judged)

The mean and spread in reward_model.json turn its scores into z-scores (`RewardModel(..., normalised=True)`)."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hfllm.reward_model import length, picture
from hfllm.reward_model.report import Judged, report
from hfllm.reward_model.scorer import FILE, together, z_scores

MOST_IN_RECEIPT = ("accuracy", "accuracy_standard_error", "expected_calibration_error", "mean", "spread")


def write(folder: Path, judged: Sequence[Judged], **more: Any) -> dict[str, Any]:
    """Write what held-out rankings tell of a model, and `more`; returns all of it."""
    found = {**report(judged), "length": length.numbers(judged), **more}
    found["findings"] = length.findings(found["length"])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE).write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    picture.draw(found, folder)
    return found


def summary(found: dict[str, Any]) -> str:
    """Lines for a terminal; a warning for what length does."""
    lines = [
        f"{found['accuracy']:.1%} of {found['pairs']:,} held-out pairs in their order "
        f"(standard error {found['accuracy_standard_error']:.1%})"
    ]
    for name, bucket in found["accuracy_by_length"].items():
        if bucket["pairs"]:
            lines.append(f"    {name.replace('_', ' '):<15}{bucket['accuracy']:>7.1%} of {bucket['pairs']:,}")
    lines.append(
        f"calibration error {found['expected_calibration_error']:.3f}; "
        f"scores have the mean {found['mean']:.2f} and the spread {found['spread']:.2f}"
    )
    return "\n".join([*lines, *(f"warning: {finding}" for finding in found["findings"])])


def numbers(found: dict[str, Any]) -> dict[str, Any]:
    """What the receipt keeps: without the bins of calibration."""
    by_length = {f"accuracy_{name}": bucket["accuracy"] for name, bucket in found["accuracy_by_length"].items()}
    kept = {name: found[name] for name in MOST_IN_RECEIPT} | by_length
    return {**kept, "length": found["length"], "findings": "; ".join(found["findings"]) or "none"}


def ensemble(members: Sequence[Sequence[Judged]]) -> tuple[list[Judged], float]:
    """The rankings as the members judge them together, in z-scores; and how far they disagree.

    The disagreement is the mean standard deviation of their z-scores of one answer. Raises UserMistake for a member
    that gives every answer the same score."""
    standard = [_standard(judged, f"member-{number}") for number, judged in enumerate(members)]
    views = [list(zip(*(one.scores for one in same), strict=True)) for same in zip(*standard, strict=True)]
    shared = [
        replace(one, scores=[together(list(each), "mean") for each in answers])
        for one, answers in zip(members[0], views, strict=True)
    ]
    disagreement = statistics.fmean(statistics.pstdev(each) for answers in views for each in answers)
    return shared, disagreement


def _standard(judged: Sequence[Judged], name: str) -> list[Judged]:
    scores = [score for one in judged for score in one.scores]
    mean, spread = statistics.fmean(scores), statistics.pstdev(scores)
    return [replace(one, scores=z_scores(one.scores, mean, spread, name)) for one in judged]
