"""What came out, for people: results.md, one table with a column a model; samples.md, what each of them said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hfllm.markdown import plain, table_row

Row = dict[str, Any]
SAMPLES = 4  # questions of a group that are shown
LONGEST = 400  # characters of a text that are shown


def results(found: Sequence[Row], models: Sequence[str]) -> str:
    """All numbers as Markdown, in the order in which they were measured."""
    cells = {(row["measure"], row["group"], row["metric"], row["model"]): row for row in found}
    keys = list(dict.fromkeys(key[:3] for key in cells))
    head = ["measure", "group", "what", "questions", *models]
    lines = [table_row([_text(one) for one in head]), table_row(["---"] * len(head))]
    for key in keys:
        some = [cells.get((*key, model)) for model in models]
        questions = next(row["questions"] for row in some if row)
        lines.append(table_row([*map(_text, key), f"{questions:,}" if questions else "", *map(cell, some)]))
    note = "In brackets the 95 % interval of the bootstrap over questions; greedy answers, but for pass@k."
    return "\n".join(["# Results", "", note, "", *lines]) + "\n"


def cell(row: Row | None) -> str:
    """cell({"metric": "right", "value": 0.5, "low": 0.4, "high": 0.6}) == "50.0 % [40.0, 60.0]" """
    if row is None:
        return ""
    scale, unit = (1, "") if row["metric"].endswith("_tokens") or not -1 <= row["value"] <= 1 else (100, " %")
    shown = f"{scale * row['value']:.1f}{unit}"
    return shown if row["low"] is None else f"{shown} [{scale * row['low']:.1f}, {scale * row['high']:.1f}]"


def chosen_samples(lines: Mapping[str, Sequence[Row]]) -> list[Row]:
    """A few questions of a measure, spread over each group, with what every model said; `lines` by model."""
    *_, last = lines.values()  # a base model, which is asked in other words, comes first in a course
    by_group: dict[str, list[int]] = {}
    for place, line in enumerate(last):
        by_group.setdefault(line["group"], []).append(place)
    places = [place for some in by_group.values() for place in some[:: max(1, len(some) // SAMPLES)][:SAMPLES]]
    return [
        {
            **{key: last[place][key] for key in ("group", "question", "prompt", "expected")},
            "answers": {model: some[place]["answers"][0] for model, some in lines.items()},
            "measures": {model: some[place]["measures"] for model, some in lines.items()},
        }
        for place in places
    ]


def samples(shown: Sequence[Row], models: Sequence[str]) -> str:
    """The chosen questions of all measures as Markdown."""
    lines = ["# What the models said", "", "The first answer of each, which is greedy. ✓ is right, ✗ is not."]
    measure = None
    for row in shown:
        if row["measure"] != measure:
            measure = row["measure"]
            head = ["prompt", "expected", *models]
            lines += ["", f"## {_text(measure)}", "", table_row([_text(one) for one in head])]
            lines.append(table_row(["---"] * len(head)))
        answers = [f"{_mark(row['measures'].get(name, {}))}{_text(row['answers'].get(name, ''))}" for name in models]
        lines.append(table_row([_text(row["prompt"]), _text(str(row["expected"])), *answers]))
    return "\n".join(lines) + "\n"


def _mark(measures: Mapping[str, float]) -> str:
    value = next((measures[name] for name in ("right", "acc", "exact", "exact_match") if name in measures), None)
    return "" if value is None else "✓ " if value == 1.0 else "✗ "


def _text(text: str) -> str:
    """Where its lines end stays to be seen."""
    return plain(" ⏎ ".join(text.strip().splitlines()), LONGEST)
