"""Which stages were there, from what, how long, and what came of it in a few numbers?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hfllm.receipt import is_below
from hfllm.report import knowledge, story
from hfllm.report.blocks import Section
from hfllm.report.files import has
from hfllm.report.runs import Course, Run
from hfllm.report.words import gigabytes, percent
from hfllm.web.outcome import wording


def lead(course: Course) -> str:
    """21 stages in 14 min 03 s on Linux x86_64, 2 CPU cores."""
    machines = dict.fromkeys(run.machine for run in course.runs)
    seconds = sum(run.seconds for run in course.runs)
    where = f" on {next(iter(machines))}" if len(machines) == 1 else f" on {len(machines)} machines"
    return f"{wording.plural(len(course.runs), 'stage')} in {wording.duration(seconds)}{where}."


def headline(course: Course) -> list[tuple[str, str]]:
    """The main numbers, each with what it is."""
    return [*_size(course), *_learned(course), *_practised(course)]


def _size(course: Course) -> Iterator[tuple[str, str]]:
    for run in course.of("pretrain")[-1:]:
        if has(run.numbers, "parameters"):
            yield "parameters of the model", wording.compact(run.numbers["parameters"])
        if has(run.numbers, "tokens"):
            yield "tokens read", wording.compact(run.numbers["tokens"])
        if has(run.numbers, "eval_bits_per_byte"):
            yield "bits a byte, on unseen text", wording.number(run.numbers["eval_bits_per_byte"])


def _learned(course: Course) -> Iterator[tuple[str, str]]:
    for run in course.of("evaluate")[-1:]:
        made_up = [row.value for row in knowledge.results(course, run) if row.metric == "made_up"]
        if made_up:
            yield "answers made up about strangers", arrow(max(made_up), min(made_up))


def _practised(course: Course) -> Iterator[tuple[str, str]]:
    for run in course.of("grpo")[-1:]:
        if has(run.numbers, "before_pass@1", "eval_pass@1"):
            yield "problems solved, by practice", arrow(run.numbers["before_pass@1"], run.numbers["eval_pass@1"])


def arrow(before: float, after: float) -> str:
    return percent(before) if before == after else f"{percent(before)} → {percent(after)}"


def does(run: Run, course: Course) -> str:
    """In plain words; fine-tunings are told apart by whose examples they learn from."""
    if run.stage != "sft":
        return story.DOES.get(run.stage, "")
    makers = [one.name for one in course.runs if any(is_below(path, Path(one.output)) for path in run.data_paths)]
    return f"learns to answer, from examples of {' and '.join(makers)}" if makers else story.DOES["sft"]


def rows(course: Course, sections: list[Section]) -> list[dict[str, str | float | bool]]:
    """The table of the course; `anchor` is where the page says most of a run, its recipe where no section does."""
    longest = max(run.seconds for run in course.runs) or 1
    return [
        {
            "name": run.name,
            "stage": run.stage,
            "does": does(run, course),
            "after": ", ".join(run.after),
            "time": wording.duration(run.seconds),
            "width": 100 * run.seconds / longest,
            "memory": gigabytes(run.memory_bytes),
            "anchor": next((one.anchor for one in sections if run.name in one.runs), f"recipe-{place}"),
        }
        for place, run in enumerate(course.runs)
    ]
