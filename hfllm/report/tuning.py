"""How did the model learn from examples? The loss of each fine-tuning, and what those on tools count."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hfllm.report import lines
from hfllm.report.blocks import Block, Section
from hfllm.report.files import Row, has, points
from hfllm.report.lines import Curve
from hfllm.report.runs import Course, Run
from hfllm.report.table import Table
from hfllm.report.words import percent
from hfllm.web.outcome import wording

Log = tuple[list[tuple[float, float]], list[tuple[float, float]]]  # step and loss: of training, of unseen rows


def sections(course: Course) -> Iterator[Section]:
    runs = course.of("sft")
    talking = [run for run in runs if not _has_tools(run)]
    if blocks := _blocks(course, talking):
        yield Section(
            "fine-tuning",
            "Fine-tuning",
            "A model that can only go on with text learns to answer, from example conversations; later rounds add "
            "what it should say when it does not know, or who it is. The loss is how surprised it is by the right "
            "answer: it should fall, and end near the loss on conversations that it has not seen.",
            blocks,
            [run.name for run in talking],
        )
    tools = [run for run in runs if _has_tools(run)]
    if blocks := _blocks(course, tools):
        yield Section(
            "tools",
            "Tools",
            "A model need not know everything: here it learns to write a call, such as calculator(47*36), to wait, and "
            "to answer with what comes back. It learns from conversations that show it; what the tool says is not "
            "trained on.",
            blocks,
            [run.name for run in tools],
        )


def _has_tools(run: Run) -> bool:
    """By the names: a receipt does not say what stands in the conversations."""
    return any("tool" in name for name in [run.name, *run.data_paths])


def _blocks(course: Course, runs: Sequence[Run]) -> list[Block]:
    logs = {run.name: course.reader.lines(run.folder / "log.jsonl", _log) for run in runs}
    charts: list[Block] = [_chart(name, log) for name, log in logs.items() if log and log[0]]
    return [*charts, _table(runs)] if runs else []


def _log(rows: list[Row]) -> Log:
    return points(rows, "step", "loss"), points(rows, "step", "eval_loss")


def _chart(name: str, log: Log) -> Block:
    train, unseen = log
    curves = [Curve("examples", train, 1), *([Curve("unseen examples", unseen, 0, dots=True)] if unseen else [])]
    x = lines.along("step", [at for curve in curves for at, _ in curve.points])
    y = lines.axis("loss (nats a token)", [value for curve in curves for _, value in curve.points])
    ends = f"from {wording.number(train[0][1])} to {wording.number(train[-1][1])}"
    return lines.chart(name, f"Loss of {name} over steps, {ends}", curves, x, y)


def _table(runs: Sequence[Run]) -> Table:
    head = [
        "run",
        "conversations",
        "tokens",
        "of them trained on",
        "steps",
        "training loss",
        "unseen loss",
        "right tokens",
    ]
    return Table("All of them in numbers", head, [_row(run) for run in runs])


def _row(run: Run) -> list[str]:
    data = run.numbers.get("data")
    parts = [part for part in data.values() if isinstance(part, dict)] if isinstance(data, dict) else []
    sums = [_sum(parts, key) for key in ("rows", "tokens", "trained_tokens")]
    keys = ("steps", "train_loss", "eval_loss")
    rest = [wording.number(run.numbers[key]) if has(run.numbers, key) else "" for key in keys]
    right = "eval_mean_token_accuracy"
    return [run.name, *sums, *rest, percent(run.numbers[right]) if has(run.numbers, right) else ""]


def _sum(parts: Sequence[Row], key: str) -> str:
    some = [part[key] for part in parts if has(part, key)]
    return wording.number(sum(some)) if some else ""
