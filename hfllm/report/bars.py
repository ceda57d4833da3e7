"""Where do bars, stacks and intervals lie? Numbers in, percent of the chart's width out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from hfllm.report.table import Table


@dataclass(frozen=True)
class Part:
    """A piece of a bar, in percent; `look` is a class of the page, such as c0 or right."""

    look: str
    x: float
    width: float
    title: str


@dataclass(frozen=True)
class Bar:
    """A line of a chart; `low` and `high` are the ends of an interval and `dot` its middle, in percent."""

    name: str
    text: str
    parts: Sequence[Part] = ()
    low: float | None = None
    high: float | None = None
    dot: float | None = None


@dataclass(frozen=True)
class Group:
    """Bars under one name; an empty one where there is nothing to tell apart."""

    name: str
    bars: Sequence[Bar]


@dataclass(frozen=True)
class Bars:
    kind: ClassVar[str] = "bars"
    caption: str
    note: str
    groups: Sequence[Group]
    legend: Sequence[tuple[str, str]] = ()  # look and what it stands for
    numbers: Table | None = None

    @property
    def wide(self) -> bool:
        """Groups stand side by side where there is room."""
        return len(self.groups) > 1


def bar(name: str, value: float, text: str, *, whole: float = 1.0, look: str = "c0") -> Bar:
    """A plain one: 3 of a whole of 4 is 75 percent wide."""
    return Bar(name, text, [Part(look, 0.0, percent(value, whole), text)])


def measured(name: str, value: float, low: float | None, high: float | None, text: str, look: str = "c0") -> Bar:
    """A share with its interval."""
    ends = [None if end is None else percent(end, 1.0) for end in (low, high)]
    return Bar(name, text, [Part(look, 0.0, percent(value, 1.0), text)], *ends)


def stack(name: str, text: str, parts: Sequence[tuple[str, str, float]], whole: float) -> Bar:
    """Parts (look, title, size) side by side: sizes 1 and 3 of a whole of 4 lie at 0 and at 25."""
    laid, x = [], 0.0
    for look, title, size in parts:
        if size > 0:
            laid.append(Part(look, x, percent(size, whole), title))
            x += laid[-1].width
    return Bar(name, text, laid)


def percent(value: float, whole: float) -> float:
    """Between 0 and 100, whatever comes: a bar ends where its chart does."""
    return min(max(100 * value / whole, 0.0), 100.0) if whole else 0.0
