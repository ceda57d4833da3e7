"""What does the model know, and what does it make up? Evaluations of made-up people and known facts, and the probe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hfllm.report import bars
from hfllm.report.bars import Bar, Bars, Group
from hfllm.report.blocks import Block, Section
from hfllm.report.files import number, some_number, text
from hfllm.report.runs import Course, Run
from hfllm.report.table import Table
from hfllm.report.words import interval, percent, plain, short
from hfllm.web.outcome import wording

MOST_SHADES = 4  # that the legend names one by one
VERDICTS = {"right": "right", "refused": "says that it does not know", "wrong": "wrong"}


@dataclass(frozen=True)
class Result:
    """A line of an evaluation's results.json: a mean over questions with its 95 % interval."""

    model: str
    measure: str
    group: str
    metric: str
    value: float
    low: float | None
    high: float | None
    questions: int | None


def results(course: Course, run: Run) -> list[Result]:
    """All lines, the models by their short names."""
    return course.reader.json(run.folder / "results.json", _results) or []


def _results(content: Any) -> list[Result]:
    names = short([text(name) for name in content["models"]])
    return [
        Result(
            names[row["model"]],
            text(row["measure"]),
            text(row["group"]),
            text(row["metric"]),
            number(row["value"]),
            some_number(row["low"]),
            some_number(row["high"]),
            None if row["questions"] is None else int(number(row["questions"])),
        )
        for row in content["results"]
    ]


def sections(course: Course) -> Iterator[Section]:
    asked = [(run, [one for one in results(course, run) if one.measure in ("hallucination", "known_facts")])
             for run in course.of("evaluate")]  # fmt: skip
    probed = [(run, block) for run in course.of("probe") if (block := _calibration(course, run))]
    blocks: list[Block] = [
        *(_made_up(found) for _, found in asked if any(one.metric == "made_up" for one in found)),
        *(block for _, block in probed),
        *(_known(found) for _, found in asked if any(one.measure == "known_facts" for one in found)),
    ]
    if blocks:
        yield Section(
            "knowledge",
            "What it knows, and what it makes up",
            "A model that was never told otherwise answers every question in the same sure voice, also about "
            "people who do not exist. Look at how often it makes something up before and after it learned to say "
            "“I do not know”, and what that costs in facts that it does know.",
            blocks,
            [*(run.name for run, block in probed), *(run.name for run, found in asked if found)],
        )


def table(found: Sequence[Result], caption: str = "The numbers") -> Table:
    """A line for each number, a column for each model."""
    models = list(dict.fromkeys(one.model for one in found))
    cells = {(one.measure, one.group, one.metric, one.model): one for one in found}
    rows = []
    for key in dict.fromkeys(key[:3] for key in cells):
        some = [cells.get((*key, model)) for model in models]
        asked = next((one.questions for one in some if one and one.questions is not None), None)
        name = ", ".join(plain(part) for part in key if part)
        rows.append([name, "" if asked is None else f"{asked:,}", *(_cell(one) for one in some)])
    return Table(caption, ["what", "questions", *models], rows)


def _cell(one: Result | None) -> str:
    if one is None:
        return ""
    is_share = not one.metric.endswith("_tokens") and -1 <= one.value <= 1
    return interval(one.value, one.low, one.high) if is_share else wording.number(round(one.value, 2))


def _made_up(found: Sequence[Result]) -> Bars:
    made_up = [one for one in found if one.metric == "made_up"]
    drawn = [bars.measured(one.model, one.value, one.low, one.high, percent(one.value), "wrong") for one in made_up]
    caption = "Answers made up about people of whom it never read"
    return Bars(caption, whiskers(made_up), [Group("", drawn)], numbers=table(made_up))


def _known(found: Sequence[Result]) -> Bars:
    known = [one for one in found if one.measure == "known_facts"]
    groups = [Group(model, _verdicts(known, model)) for model in dict.fromkeys(one.model for one in known)]
    return Bars("Facts that stand in its text, by how often", "", groups, list(VERDICTS.items()), table(known))


def whiskers(found: Sequence[Result]) -> str:
    """What the thin lines are, and over how many questions."""
    asked = sorted({one.questions for one in found if one.questions})
    over = f", {asked[0]:,} questions" if len(asked) == 1 else ""
    return f"thin line: 95 % interval{over}"


def _verdicts(known: Sequence[Result], model: str) -> list[Bar]:
    drawn = []
    for group in dict.fromkeys(one.group for one in known):
        shares = {one.metric: one.value for one in known if (one.model, one.group) == (model, group)}
        parts = [(name, f"{percent(shares[name])} {words}", shares[name]) for name, words in VERDICTS.items()
                 if name in shares]  # fmt: skip
        if "right" in shares:
            drawn.append(bars.stack(plain(group), percent(shares["right"]), parts, 1.0))
    return drawn


@dataclass(frozen=True)
class Probed:
    """How often `questions` of one kind were answered rightly: of_k[n] of them n times out of k."""

    name: str
    right: float
    wrong: float
    refused: float
    of_k: list[int]


def _calibration(course: Course, run: Run) -> Block | None:
    rows = course.reader.json(run.folder / "calibration.json", _probed)
    if not rows:
        return None
    most = len(rows[0].of_k) - 1
    drawn = [
        bars.stack(
            plain(row.name),
            percent(row.right),
            [(_shade(n, most), f"{n} of {most} right: {wording.plural(size, 'question')}", size)
             for n, size in reversed(list(enumerate(row.of_k)))],
            sum(row.of_k),
        )
        for row in rows
    ]  # fmt: skip
    head = ["questions about", "questions", "right", "wrong", "refused", *(f"{n} of {most}" for n in range(most + 1))]
    cells = [[plain(row.name), f"{sum(row.of_k):,}", *map(percent, (row.right, row.wrong, row.refused)),
              *(f"{size:,}" for size in row.of_k)] for row in rows]  # fmt: skip
    named = range(most, -1, -1) if most <= MOST_SHADES else (most, most // 2, 0)
    legend = [(_shade(n, most), f"{n} of {most} right") for n in named]
    caption = f"Asked each question {most} times: how often is it right?"
    return Bars(caption, "", [Group("", drawn)], legend, Table("The numbers", head, cells))


def _probed(content: Any) -> list[Probed]:
    rows = content.get("by") or {"all questions": content["all"]}
    found = [
        Probed(
            name,
            number(row["right"]),
            number(row["wrong"]),
            number(row["refused"]),
            [int(number(size)) for size in row["of_k"]],
        )
        for name, row in rows.items()
    ]
    if any(len(row.of_k) != len(found[0].of_k) or not sum(row.of_k) for row in found):
        raise ValueError("of_k: not as many counts for each kind of question")
    return found


def _shade(n: int, most: int) -> str:
    """A class of the page: k0 (never right) to k8 (always)."""
    return f"k{round(8 * n / most)}"
