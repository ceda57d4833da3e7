"""What did it cost? Seconds, memory, and energy where a receipt has measured it."""

from __future__ import annotations

from collections.abc import Iterator

from hfllm.report import bars
from hfllm.report.bars import Bars, Group
from hfllm.report.blocks import Block, Facts, Section
from hfllm.report.files import has
from hfllm.report.runs import Course, Run
from hfllm.report.table import Table
from hfllm.report.words import gigabytes
from hfllm.web.outcome import wording


def sections(course: Course) -> Iterator[Section]:
    yield Section(
        "cost",
        "What it cost",
        "Time and memory of each stage, as its receipt says. Memory is that of the process at its largest, without "
        "a GPU's.",
        list(_blocks(course)),
    )


def _blocks(course: Course) -> Iterator[Block]:
    largest = max((run.memory_bytes or 0 for run in course.runs), default=0)
    machines = dict.fromkeys(run.machine for run in course.runs)
    yield Facts(
        [
            ("in all", wording.duration(sum(run.seconds for run in course.runs))),
            *([("at most", gigabytes(largest))] if largest else []),
            ("on" if len(machines) == 1 else "on these machines", "; ".join(machines)),
        ]
    )
    longest = max(run.seconds for run in course.runs)
    seconds = [bars.bar(run.name, run.seconds, wording.duration(run.seconds), whole=longest) for run in course.runs]
    yield Bars("Time", "", [Group("", seconds)], numbers=_table(course.runs))
    memory = [
        bars.bar(run.name, run.memory_bytes, gigabytes(run.memory_bytes), whole=largest, look="c1")
        for run in course.runs
        if run.memory_bytes is not None
    ]
    if memory:
        yield Bars("Memory, at most", "", [Group("", memory)])


def _table(runs: list[Run]) -> Table:
    keys = list(dict.fromkeys(key for run in runs for key in run.numbers if _is_energy(run, key)))
    head = ["run", "seconds", "memory", "processes", "finished", "machine", *keys]
    rows = [
        [
            run.name,
            wording.number(run.seconds),
            gigabytes(run.memory_bytes),
            wording.number(run.processes),
            run.finished,
            run.machine,
            *(wording.number(run.numbers[key]) if key in run.numbers else "" for key in keys),
        ]
        for run in runs
    ]
    return Table("The numbers", head, rows)


def _is_energy(run: Run, key: str) -> bool:
    """energy_joules and its like: the unit stands in the name."""
    return "energy" in key and has(run.numbers, key)
