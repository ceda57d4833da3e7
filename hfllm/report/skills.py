"""What else was measured of the models? Tasks and probes side by side, each number with its interval."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hfllm.report import bars, knowledge
from hfllm.report.bars import Bars, Group
from hfllm.report.blocks import Section
from hfllm.report.knowledge import Result
from hfllm.report.runs import Course
from hfllm.report.words import percent, plain

OF_OTHER_SECTIONS = {"hallucination", "known_facts", "identity"}
# The one metric of a measure that is drawn; the others stand in its table.
MAIN = ("right", "acc_norm", "acc", "longest_run", "exact", "exact_match", "pass@1")
CAPTIONS = {
    "open_book": "Open book: with the passage in front of it, and from memory",
    "steps": "Steps first: it thinks only while it writes",
    "recitation": "Recites: how much of a text it goes on with, word for word",
    "few_shot": "Learns from examples in the prompt",
    "arithmetic": "Sums, in figures and in words",
    "letters": "Counts letters",
    "spelling": "Spells words",
    "tool_problems": "Problems that need a tool",
}


def sections(course: Course) -> Iterator[Section]:
    for run in course.of("evaluate"):
        found = [one for one in knowledge.results(course, run) if one.measure not in OF_OTHER_SECTIONS]
        measures = dict.fromkeys(one.measure for one in found)
        charts = [_bars([one for one in found if one.measure == measure]) for measure in measures]
        if charts:
            yield Section(
                f"skills-{run.name}",
                "What it can do",
                "The same questions to every model. Look at what changes from one to the next, and at the thin "
                "lines: where two of them overlap, the difference may be chance.",
                charts,
                [run.name],
            )


def _bars(found: Sequence[Result]) -> Bars:
    drawn = [one for one in found if one.metric == _main(found) and " - " not in one.group]  # no differences
    names = list(dict.fromkeys(one.group for one in drawn))
    models = dict.fromkeys(one.model for one in drawn)
    if len(names) == 1:
        groups = [Group("", [_bar(one.model, one, 0) for one in drawn])]
    else:
        groups = [
            Group(model, [_bar(plain(one.group), one, names.index(one.group)) for one in drawn if one.model == model])
            for model in models
        ]
    measure = found[0].measure
    caption = CAPTIONS.get(measure, plain(measure))
    return Bars(caption, knowledge.whiskers(drawn), groups, numbers=knowledge.table(found))


def _bar(name: str, one: Result, place: int) -> bars.Bar:
    return bars.measured(name, one.value, one.low, one.high, percent(one.value), f"c{place % 6}")


def _main(found: Sequence[Result]) -> str:
    metrics = list(dict.fromkeys(one.metric for one in found))
    shares = [metric for metric in metrics if all(0 <= one.value <= 1 for one in found
              if one.metric == metric and " - " not in one.group)]  # fmt: skip
    return next((metric for metric in MAIN if metric in shares), (shares or metrics)[0])
