"""How often is a model right out of k, wrong, or admits not to know? For all questions, and by a column of theirs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

Row = dict[str, Any]
MOST_GROUPS = 12  # of numbers; more different ones are cut into ranges
RANGES = 5  # with as many questions each as there can be


def calibration(answered: Sequence[Row], by: str | None) -> Row:
    """{"all": {questions, right, wrong, refused, of_k}, "by": {value of the column: the same}}"""
    table: Row = {"all": summary(answered)}
    return table | ({"by": {name: summary(rows) for name, rows in grouped(answered, by).items()}} if by else {})


def summary(answered: Sequence[Row]) -> Row:
    """Shares over all replies; of_k[n] is how many questions were answered rightly n times out of k."""
    verdicts = Counter(reply["verdict"] for row in answered for reply in row["replies"])
    replies = verdicts.total()
    times = Counter(row["right"] for row in answered)
    samples = len(answered[0]["replies"])
    return {
        "questions": len(answered),
        **{verdict: round(verdicts[verdict] / replies, 4) for verdict in ("right", "wrong", "refused")},
        "of_k": [times[count] for count in range(samples + 1)],
    }


def grouped(answered: Sequence[Row], by: str) -> dict[str, list[Row]]:
    """By the value of a column, in the order they come; many different numbers by range, from the smallest."""
    values = [row["row"][by] for row in answered]
    groups: dict[str, list[Row]] = defaultdict(list)
    if all(isinstance(value, (int, float)) for value in values) and len(set(values)) > MOST_GROUPS:
        order = sorted(answered, key=lambda row: row["row"][by])
        for part in range(RANGES):
            some = order[part * len(order) // RANGES : (part + 1) * len(order) // RANGES]
            groups[f"{some[0]['row'][by]:g} to {some[-1]['row'][by]:g}"] += some
    else:
        for value, row in zip(values, answered, strict=True):
            groups[str(value)].append(row)
    return dict(groups)


def lines(table: Row, samples: int) -> list[str]:
    """The table to be read by people."""
    head = f"{'questions':>10} {'right':>7} {'wrong':>7} {'refused':>8}   right 0, 1, ... {samples} times of {samples}"
    rows = {"all": table["all"]} | table.get("by", {})
    return [head] + [
        f"{row['questions']:>10,} {row['right']:>7.1%} {row['wrong']:>7.1%} {row['refused']:>8.1%}   "
        f"{' '.join(map(str, row['of_k']))}   {name}"
        for name, row in rows.items()
    ]
