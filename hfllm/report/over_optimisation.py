"""When did the reward stop meaning anything? Proxy and audits over the distance from the first policy (watch.json)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from hfllm.report import lines
from hfllm.report.blocks import Block, Note, Section
from hfllm.report.files import number, some_number, text
from hfllm.report.lines import Axis, Curve
from hfllm.report.runs import Course, Run
from hfllm.report.table import Table
from hfllm.report.words import plain
from hfllm.web.outcome import wording

By = Literal["step", "distance"]
DISTANCE = "distance from the start: root of the KL (nats an answer)"
GAIN = "gain, in spreads at the start"
DONE = {"stop": "stopped", "observe": "would have stopped", "raise_kl": "KL made dearer"}


@dataclass(frozen=True)
class Seen:
    """One evaluation: the root of the KL, and what the proxy and the other rewards have gained."""

    step: int
    distance: float
    proxy: float | None
    others: dict[str, float | None]

    def at(self, by: By) -> float:
        return self.step if by == "step" else self.distance


@dataclass(frozen=True)
class Watched:
    """What watch.json says; `events` are (step, what was done)."""

    seen: list[Seen]
    audits: list[str]
    events: list[tuple[int, str]]
    best_step: int
    final_step: int
    reason: str | None
    warnings: list[str]


def sections(course: Course) -> Iterator[Section]:
    found = [(run, watched) for run in course.of("ppo", "grpo")
             if (watched := course.reader.json(run.folder / "watch.json", _watched))]  # fmt: skip
    if found:
        far = lines.along(DISTANCE, [one.distance for _, watched in found for one in watched.seen])
        gains = [value for _, watched in found for curve in _curves(watched, "step") for _, value in curve.points]
        scale = lines.axis(GAIN, gains)
        yield Section(
            "over-optimisation",
            "When the reward stops meaning anything",
            "A reward model is only a proxy for what people like. Pushed far enough, a model finds what fools it: "
            "the reward still rises, while judges that it was not trained on say that the answers get worse. The "
            "watch asks such judges (audits), stops, and puts the best weights back. A gain of 1 is as much as "
            "answers differed at the start.",
            [block for run, watched in found for block in _blocks(run, watched, far, scale)] + [_table(found)],
            [run.name for run, _ in found],
        )


def _watched(content: Any) -> Watched:
    seen = [
        Seen(
            int(number(one["step"])),
            math.sqrt(max(0.0, number(one["kl"]))),
            some_number(one["proxy"]["z"]),
            {name: some_number(score["z"]) for name, score in one["rewards"].items()},
        )
        for one in content["evaluations"]
    ]
    if not seen:
        raise ValueError("no evaluations")
    return Watched(
        seen,
        [text(name) for name in content["audits"]],
        [(int(number(one["step"])), text(one["action"])) for one in content["events"]],
        int(number(content["best_step"])),
        int(number(content["final_step"])),
        content["reason"] and text(content["reason"]),
        [text(warning) for warning in content["warnings"]],
    )


def _blocks(run: Run, watched: Watched, far: Axis, scale: Axis) -> Iterator[Block]:
    """The same evaluations in the order of the steps, and by how far the model is from where it began."""
    message = f"{run.name}: {happened(watched)}"
    steps = lines.along("step", [one.step for one in watched.seen])
    yield _chart(message, message, watched, "step", steps, scale)
    yield _chart(f"{run.name}: how far it went for that", message, watched, "distance", far, scale)
    for warning in watched.warnings:
        yield Note(f"{run.name}: {warning}", alarm=True)


def _chart(caption: str, message: str, watched: Watched, by: By, x: Axis, y: Axis) -> Block:
    return lines.chart(
        caption,
        f"What the reward and its audits gained over {x.name}. {message}",
        _curves(watched, by),
        x,
        y,
        marks=[(one.at(by), words) for one, words in _marked(watched)],
        wanders=by == "distance",
    )


def _marked(watched: Watched) -> list[tuple[Seen, str]]:
    """Of which evaluation the weights are that are best by audit, and at which the watch acted first."""
    by_step = {one.step: one for one in watched.seen}
    marks = [(watched.best_step, "best by audit"), *((step, DONE.get(done, done)) for step, done in watched.events[:1])]
    return [(by_step[step], f"{words}: step {step:,}") for step, words in marks if step in by_step]


def _curves(watched: Watched, by: By) -> list[Curve]:
    proxy = [(one.at(by), one.proxy) for one in watched.seen if one.proxy is not None]
    curves = [Curve("reward (trained on)", proxy, 1, dots=True)]
    others = dict.fromkeys(name for one in watched.seen for name in one.others)
    for colour, name in enumerate(sorted(others, key=lambda name: name not in watched.audits)):
        points = [(one.at(by), value) for one in watched.seen if (value := one.others.get(name)) is not None]
        what = "audit" if name in watched.audits else "only measured"
        curves.append(Curve(f"{plain(name)} ({what})", points, 0 if not colour else 1 + colour, dots=True))
    return [curve for curve in curves if curve.points]


def happened(watched: Watched) -> str:
    """stopped at step 124, weights of step 64 kept"""
    if not watched.events:
        return "the watch found nothing"
    step, done = watched.events[0]
    kept = f", weights of step {watched.final_step:,} kept" if done == "stop" else ""
    return f"{DONE.get(done, done)} at step {step:,}{kept}"


def _table(found: Sequence[tuple[Run, Watched]]) -> Table:
    rows = []
    for run, watched in found:
        last, by_step = watched.seen[-1], {one.step: one for one in watched.seen}
        for what, one in (("best by audit", by_step.get(watched.best_step)), ("last evaluation", last)):
            if one is not None:
                others = ", ".join(f"{plain(name)} {_gain(value)}" for name, value in one.others.items())
                why = watched.reason or "" if one is last else ""
                rows.append([f"{run.name}, {what}", f"{one.step:,}", wording.number(round(one.distance**2, 3)),
                             _gain(one.proxy), others, why])  # fmt: skip
    head = ["run", "step", "KL (nats an answer)", "reward gained", "others gained", "why it acted"]
    return Table("What the watch saw, in numbers", head, rows)


def _gain(value: float | None) -> str:
    return "" if value is None else f"{value:+.2f}"
