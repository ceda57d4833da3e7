"""What did practice change? Accuracy and length of answers over the steps of GRPO, and what rejection sampling kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hfllm.report import bars, lines
from hfllm.report.bars import Bars, Group
from hfllm.report.blocks import Block, Facts, Said, Saying, Sayings, Section
from hfllm.report.files import Point, Row, has, number, points, text
from hfllm.report.lines import Curve
from hfllm.report.runs import Course, Run
from hfllm.report.words import percent
from hfllm.web.outcome import wording

ACCURACY, REWARD = "rewards/accuracy/mean", "reward"
LENGTH = "completions/mean_length"
SHOWN = 3  # problems
SOLVED = {
    "always_solved": ("k8", "always solved"),
    "sometimes_solved": ("k4", "sometimes"),
    "never_solved": ("k0", "never"),
}


@dataclass(frozen=True)
class Log:
    """Curves over steps, and some answers as (step, problem, answer, right)."""

    accuracy: list[Point]
    unseen_accuracy: list[Point]
    length: list[Point]
    unseen_length: list[Point]
    tool_calls: list[Point]
    answers: list[tuple[int, str, str, bool | None]]
    is_accuracy: bool


def sections(course: Course) -> Iterator[Section]:
    logs = [(run, log) for run in course.of("grpo") if (log := course.reader.lines(run.folder / "log.jsonl", _log))]
    tried = [(run, block) for run in course.of("rft") if (block := _kept(run))]
    blocks = [block for run, log in logs for block in _blocks(run, log)] + [block for _, block in tried]
    if blocks:
        yield Section(
            "practice",
            "Practice",
            "Nobody shows the model an answer here: it tries, and right answers are rewarded. Look at the share of "
            "right answers, and at how long they get: a model that finds out that writing its steps helps, writes "
            "more.",
            blocks,
            [*(run.name for run, _ in logs), *(run.name for run, _ in tried)],
        )


def _log(rows: list[Row]) -> Log:
    is_accuracy = any(ACCURACY in row for row in rows)
    name = ACCURACY if is_accuracy else REWARD
    return Log(
        accuracy=points(rows, "step", name),
        unseen_accuracy=points(rows, "step", f"eval_{name}"),
        length=points(rows, "step", LENGTH),
        unseen_length=points(rows, "step", f"eval_{LENGTH}"),
        tool_calls=points(rows, "step", "tools/call_frequency"),
        answers=[
            (int(number(row["step"])), text(one["prompt"]), text(one["completion"]), _right(one.get("rewards") or {}))
            for row in rows
            if "completions" in row
            for one in row["completions"]
        ],
        is_accuracy=is_accuracy,
    )


def _right(rewards: Row) -> bool | None:
    return rewards["accuracy"] == 1 if "accuracy" in rewards else None


def _blocks(run: Run, log: Log) -> Iterator[Block]:
    named = {
        **{"before_pass@1": "right before", "eval_pass@1": "right after"},
        **{"before_completions/mean_length": "tokens an answer before", f"eval_{LENGTH}": "tokens an answer after"},
    }
    facts = [
        (words, percent(run.numbers[key]) if "pass" in key else wording.number(run.numbers[key]))
        for key, words in named.items()
        if has(run.numbers, key)
    ]
    if facts:
        yield Facts([("run", run.name), *facts])
    shares = lines.shares("right answers") if log.is_accuracy else None
    what = "right answers" if log.is_accuracy else "reward"
    yield from _chart(f"{run.name}: {what}", what, log.accuracy, log.unseen_accuracy, shares)
    yield from _chart(f"{run.name}: length of answers", "tokens", log.length, log.unseen_length, None)
    yield from _chart(f"{run.name}: tool calls", "calls an answer", log.tool_calls, [], None)
    if log.answers:
        yield _sayings(run, log.answers)


def _chart(
    caption: str, unit: str, train: Sequence[Point], unseen: Sequence[Point], y: lines.Axis | None
) -> Iterator[Block]:
    curves = [Curve("practice", train, 1), Curve("unseen problems", unseen, 0, dots=True)]
    curves = [curve for curve in curves if curve.points]
    if curves:
        last = curves[-1].points
        x = lines.along("step", [at for curve in curves for at, _ in curve.points])
        y = y or lines.axis(unit, [value for curve in curves for _, value in curve.points])
        message = f"{caption} over steps, from {y.words(last[0][1])} to {y.words(last[-1][1])}"
        yield lines.chart(caption, message, curves, x, y)


def _sayings(run: Run, answers: Sequence[tuple[int, str, str, bool | None]]) -> Sayings:
    """The first answer that was drawn to some problems, before and after."""
    steps = [step for step, *_ in answers]
    ends = sorted({min(steps), max(steps)})
    first = {(step, problem): (said, right) for step, problem, said, right in reversed(answers)}
    rows = [
        Saying(problem, [Said(f"step {step:,}", *first[step, problem]) for step in ends if (step, problem) in first])
        for problem in list(dict.fromkeys(problem for _, problem, *_ in answers))[:SHOWN]
    ]
    return Sayings(f"What {run.name} answered, before and after", rows)


def _kept(run: Run) -> Bars | None:
    """Of rejection sampling: how many problems some answer solved."""
    if not has(run.numbers, "problems", *SOLVED):
        return None
    parts = [(look, f"{run.numbers[key]:,} {words}", run.numbers[key]) for key, (look, words) in SOLVED.items()]
    rates = {key: run.numbers[key] for key in run.numbers if key.startswith("pass@") and has(run.numbers, key)}
    drawn = [
        bars.stack("problems", wording.number(run.numbers["problems"]), parts, sum(size for *_, size in parts)),
        *(bars.bar(_of_tries(key), rate, percent(rate), look="c2") for key, rate in rates.items()),
    ]
    kept = f"{run.numbers['rows']:,} right answers kept to learn from" if has(run.numbers, "rows") else ""
    legend = [look for key, look in SOLVED.items() if run.numbers[key]]
    return Bars(f"{run.name}: problems tried several times", kept, [Group("", drawn)], legend)


def _of_tries(key: str) -> str:
    """_of_tries("pass@8") == "solved in 8 tries" """
    tries = key.removeprefix("pass@")
    return "solved in 1 try" if tries == "1" else f"solved in {tries} tries"
