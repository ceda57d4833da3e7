"""Can a model tell which answer people like better? Reward models and DPO, by held-out pairs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hfllm.report import bars, lines
from hfllm.report.bars import Bar, Bars, Group
from hfllm.report.blocks import Block, Note, Section
from hfllm.report.files import has, number, points, text
from hfllm.report.lines import Curve
from hfllm.report.runs import Course, Run
from hfllm.report.table import Table
from hfllm.report.words import percent
from hfllm.web.outcome import wording

CHOSEN = {
    "chosen_shorter": "the better one is shorter",
    "about_equal": "both about as long",
    "chosen_longer": "the better one is longer",
}
STANDARD_ERRORS = 1.96  # to either side: a 95 % interval


@dataclass(frozen=True)
class Accuracy:
    """Share of held-out pairs in their order, of all of them or those of some lengths."""

    name: str
    share: float
    standard_error: float
    pairs: int


@dataclass(frozen=True)
class Judged:
    """What reward_model.json says: all pairs first."""

    accuracies: list[Accuracy]
    findings: list[str]


def sections(course: Course) -> Iterator[Section]:
    judged = [(run, found) for run in course.of("reward")
              if (found := course.reader.json(run.folder / "reward_model.json", _judged))]  # fmt: skip
    blocks: list[Block] = [_rewards(judged)] if judged else []
    blocks += [Note(f"{run.name}: {finding}", alarm=True) for run, found in judged for finding in found.findings]
    compared = [run for run in course.of("dpo") if has(run.numbers, "eval_rewards/accuracies")]
    charts = [chart for run in course.of("dpo") if (chart := _dpo(course, run))]
    blocks += charts
    if blocks:
        yield Section(
            "preferences",
            "What people like better",
            "For a joke there is no right answer, but people can say which of two they like better. A reward model "
            "learns to say the same of pairs that it has not seen; guessing would be right in 50 %. A second look "
            "at length shows whether it judges what is said, or only how much.",
            blocks,
            [*(run.name for run, _ in judged), *(run.name for run in compared)],
        )


def _judged(content: Any) -> Judged:
    rows = [("all pairs", content | {"standard_error": content["accuracy_standard_error"]})]
    rows += [(CHOSEN.get(name, name), row) for name, row in content["accuracy_by_length"].items()]
    return Judged(
        [
            Accuracy(name, number(row["accuracy"]), number(row["standard_error"]), int(number(row["pairs"])))
            for name, row in rows
            if row["pairs"] and row["accuracy"] is not None
        ],
        [text(finding) for finding in content["findings"]],
    )


def _rewards(judged: Sequence[tuple[Run, Judged]]) -> Bars:
    groups = [Group(run.name, [_bar(one) for one in found.accuracies]) for run, found in judged]
    rows = [
        [f"{run.name}, {one.name}", f"{one.pairs:,}", percent(one.share), percent(one.standard_error)]
        for run, found in judged
        for one in found.accuracies
    ]
    table = Table("The numbers", ["pairs", "how many", "in their order", "standard error"], rows)
    return Bars("Unseen pairs put in the right order", "thin line: 95 % interval", groups, numbers=table)


def _bar(one: Accuracy) -> Bar:
    reach = STANDARD_ERRORS * one.standard_error
    look = "c0" if one.name == "all pairs" else "c1"
    return bars.measured(one.name, one.share, one.share - reach, one.share + reach, percent(one.share), look)


def _dpo(course: Course, run: Run) -> Block | None:
    """How often it finds the preferred answer likelier than the first policy did, over steps."""
    read = course.reader.lines(
        run.folder / "log.jsonl",
        lambda rows: [points(rows, "step", f"{prefix}rewards/accuracies") for prefix in ("", "eval_")],
    )
    if not read or (not read[0] and not read[1]):
        return None
    curves = [Curve("pairs it learns from", read[0], 1), Curve("unseen pairs", read[1], 0, dots=True)]
    curves = [curve for curve in curves if curve.points]
    x = lines.along("step", [at for curve in curves for at, _ in curve.points])
    end = wording.share(curves[-1].points[-1][1], 1)
    caption = f"{run.name}: pairs in their order, without a reward model"
    return lines.chart(caption, f"{caption}: {end} at the end", curves, x, lines.shares("pairs"))
