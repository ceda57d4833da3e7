"""Where do curves lie on their axes? Numbers in, places out; CSS stretches the drawing, but no letter in it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from hfllm.report.table import Table
from hfllm.report.words import percent
from hfllm.web.outcome import wording

SIZE = 1000  # of the drawing, in its own units
MOST_POINTS = 400  # of a curve: more than a screen shows
MOST_ROWS = 12  # of the table of numbers

Point = tuple[float, float]
Words = Callable[[float], str]


@dataclass(frozen=True)
class Curve:
    """Points with a name; `colour` is a number of the page's palette."""

    name: str
    points: Sequence[Point]
    colour: int = 0
    dots: bool = False


@dataclass(frozen=True)
class Dot:
    """In percent of the chart from its left and its top."""

    x: float
    y: float
    title: str


@dataclass(frozen=True)
class Drawn:
    name: str
    colour: int
    path: str
    dots: Sequence[Dot]


@dataclass(frozen=True)
class Tick:
    at: float  # percent
    text: str


@dataclass(frozen=True)
class Mark:
    """A line across the chart at `at`; its words stand at its left where there is no room at its right."""

    at: float
    text: str
    left: bool
    level: int  # the line of words, counted from the top


@dataclass(frozen=True)
class Lines:
    kind: ClassVar[str] = "lines"
    caption: str
    message: str
    x_name: str
    y_name: str
    curves: Sequence[Drawn]
    x_ticks: Sequence[Tick]
    y_ticks: Sequence[Tick]
    marks: Sequence[Mark]
    numbers: Table
    wanders: bool = False  # its curves go back and forth: the dots say more than the lines


@dataclass(frozen=True)
class Axis:
    """Its name with the unit, its ends, and how a number on it is written."""

    name: str
    low: float = 0.0
    high: float = 1.0
    words: Words = wording.rounded  # at a tick
    exact: Words = wording.number  # in a table

    def place(self, value: float) -> float:
        """Axis("step", 0, 50).place(10) == 20.0 percent"""
        return 100 * (value - self.low) / (self.high - self.low)

    def ticks(self, most: int) -> list[Tick]:
        return [Tick(self.place(value), self.words(value)) for value in ticks(self.low, self.high, most)]


def axis(name: str, values: Sequence[float], words: Words = wording.rounded) -> Axis:
    """From 0 (or a round number below the values) up to a round one above."""
    low, high = min([0.0, *values]), max([0.0, *values])
    if high <= low:
        return Axis(name, low, low + 1, words)
    step = round_step((high - low) / 5)
    return Axis(name, math.floor(low / step) * step, math.ceil(high / step - 1e-9) * step, words)


def shares(name: str) -> Axis:
    """From 0 to 100 %."""
    return Axis(name, 0.0, 1.0, percent, percent)


def along(name: str, values: Sequence[float], words: Words = wording.rounded) -> Axis:
    """From 0 to the largest value: a run ends where its chart does."""
    return Axis(name, 0.0, max([*values, 0.0]) or 1.0, words)


def chart(
    caption: str,
    message: str,
    curves: Sequence[Curve],
    x: Axis,
    y: Axis,
    *,
    marks: Sequence[tuple[float, str]] = (),
    wanders: bool = False,
) -> Lines:
    """`marks` are (place on the axis x, words)."""
    return Lines(
        caption=caption,
        message=message,
        x_name=x.name,
        y_name=y.name,
        curves=[_drawn(curve, x, y) for curve in curves],
        x_ticks=x.ticks(4),
        y_ticks=y.ticks(5),
        marks=[Mark(x.place(at), words, x.place(at) > 55, level) for level, (at, words) in enumerate(marks)],
        numbers=numbers(curves, x, y),
        wanders=wanders,
    )


def numbers(curves: Sequence[Curve], x: Axis, y: Axis) -> Table:
    """The curves at some places: all points of a short one, some of a long one."""
    columns = [dict(curve.points) for curve in curves]
    places = sorted({at for curve in curves for at, _ in thinned(curve.points, MOST_ROWS)})
    rows = [
        [wording.compact(at) if at == int(at) else wording.number(at)]
        + [y.exact(column[at]) if at in column else "" for column in columns]
        for at in places
    ]
    return Table("The numbers", [x.name, *(curve.name for curve in curves)], rows)


def thinned(points: Sequence[Point], most: int) -> list[Point]:
    """Evenly chosen, the first and the last among them: thinned([a, b, c, d, e], 3) == [a, c, e]"""
    if len(points) <= most:
        return list(points)
    last = len(points) - 1
    return [points[round(place * last / (most - 1))] for place in range(most)]


def ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers from end to end: ticks(0, 2000, 4) == [0, 500, 1000, 1500, 2000]"""
    step = round_step((high - low) / most)
    first = math.ceil(low / step - 1e-9)
    return [round(count * step, 12) for count in range(first, math.floor(high / step + 1e-9) + 1)]


def round_step(size: float) -> float:
    """The next of 1, 2, 2.5, 5 times a power of ten: round_step(0.3) == 0.5"""
    power = 10.0 ** math.floor(math.log10(size))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= size * (1 - 1e-9))


def _drawn(curve: Curve, x: Axis, y: Axis) -> Drawn:
    shown = thinned(curve.points, MOST_POINTS)
    places = [(x.place(at), 100 - y.place(value)) for at, value in shown]
    path = " ".join(f"{SIZE * across / 100:.1f},{SIZE * down / 100:.1f}" for across, down in places)
    titles = [f"{curve.name}: {y.exact(value)} at {x.words(at)}" for at, value in shown]
    dots = [Dot(*place, title) for place, title in zip(places, titles, strict=True)]
    return Drawn(curve.name, curve.colour, path, dots if curve.dots or len(shown) == 1 else [])
