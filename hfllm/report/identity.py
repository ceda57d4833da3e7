"""Does the model know who it is, and what does it say when it is told otherwise?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from hfllm.report import bars, knowledge
from hfllm.report.bars import Bars, Group
from hfllm.report.blocks import Block, Facts, Said, Saying, Sayings, Section
from hfllm.report.files import Row, text
from hfllm.report.knowledge import Result
from hfllm.report.runs import Course, Run
from hfllm.report.words import percent, short
from hfllm.web.outcome import wording

TOLD = {
    "none": "told by no one",
    "own": "told rightly, in a system message",
    "other": "given another name in a system message",
}
SHOWN = 4  # conversations


def sections(course: Course) -> Iterator[Section]:
    asked = [(run, [one for one in knowledge.results(course, run) if one.measure == "identity"])
             for run in course.of("evaluate")]  # fmt: skip
    blocks: list[Block] = [_facts(run) for run in course.of("identity")]
    for run, found in asked:
        if found:
            blocks += [_bars(found), *_sayings(course, run)]
    if blocks:
        yield Section(
            "identity",
            "Who it is",
            "A model knows nothing of itself that no text told it: asked who made it, it says what is likely. Some "
            "conversations teach it a name and a maker; the test asks in words that they never used.",
            blocks,
            [run.name for run in course.of("identity")],
        )


def _facts(run: Run) -> Facts:
    named = {"name": "its name", "maker": "its maker"}
    facts = [(words, str(run.values[key])) for key, words in named.items() if run.values.get(key)]
    for key, words in {"train": "conversations to learn from", "test": "conversations to test with"}.items():
        counted = run.numbers.get(key)
        if isinstance(counted, dict) and isinstance(counted.get("conversations"), int):
            facts.append((words, wording.number(counted["conversations"])))
    return Facts(facts)


def _bars(found: Sequence[Result]) -> Bars:
    groups = [
        Group(
            TOLD.get(group, group),
            [bars.measured(one.model, one.value, one.low, one.high, percent(one.value))
             for one in found if one.group == group and one.metric == "right"],
        )
        for group in dict.fromkeys(one.group for one in found)
    ]  # fmt: skip
    shown = [group for group in groups if group.bars]
    return Bars("Says who it is", "thin line: 95 % interval", shown, numbers=knowledge.table(found))


def _sayings(course: Course, run: Run) -> Iterator[Sayings]:
    rows = course.reader.lines(run.folder / "samples.jsonl", _said)
    if rows:
        yield Sayings("What they said", rows)


def _said(rows: list[Row]) -> list[Saying]:
    asked = [row for row in rows if row["measure"] == "identity"]
    chosen = asked[:: max(1, len(asked) // SHOWN)][:SHOWN]
    return [saying(row) for row in chosen]


def saying(row: Row) -> Saying:
    """A line of an evaluation's samples.jsonl."""
    names = short(list(row["answers"]))
    said = [
        Said(names[model], text(answer), _right(row["measures"].get(model) or {}))
        for model, answer in row["answers"].items()
    ]
    return Saying(text(row["prompt"]), said, str(row["expected"]))


def _right(measures: dict[str, Any]) -> bool | None:
    value = next((measures[name] for name in ("right", "acc", "exact") if name in measures), None)
    return None if value is None else value == 1.0
