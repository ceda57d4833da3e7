"""Where do the bars of the funnel report lie? Numbers in, places and sizes out; the template draws them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any


@dataclass(frozen=True)
class Segment:
    """A part of a horizontal bar, in percent of the widest bar of its chart."""

    kind: str
    title: str
    x: float
    width: float


@dataclass(frozen=True)
class Entry:
    """A line of a ranking; `width` is its bar, in percent of the longest one."""

    name: str
    count: int
    width: float
    is_rest: bool = False


@dataclass(frozen=True)
class Bar:
    """A bar of a histogram, or the part of it on one side of a threshold; the chart is 1 wide and 1 high."""

    x: float
    width: float
    height: float
    kept: bool


@dataclass(frozen=True)
class Mark:
    """A number at its place on the axis of a histogram."""

    name: str
    value: float
    x: float
    beyond: bool = False  # it lies farther out than the axis goes


def segments(parts: Iterable[tuple[str, str, float]], whole: float) -> list[Segment]:
    """Parts (kind, title, size) side by side: sizes 3 and 1 of a whole of 8 are 37.5 wide at 0, and 12.5 at 37.5."""
    laid: list[Segment] = []
    x = 0.0
    for kind, title, size in parts:
        width = 100 * size / whole if whole else 0.0
        if width > 0:
            laid.append(Segment(kind, title, x, width))
            x += width
    return laid


def ranking(counts: Mapping[str, int] | Sequence[Sequence[Any]], top: int = 12) -> list[Entry]:
    """The `top` largest, then all others as one; ranking({"a": 1, "b": 4}) has b at 100 percent, a at 25."""
    pairs = counts.items() if isinstance(counts, Mapping) else counts
    ordered = sorted(((str(name), count) for name, count in pairs), key=lambda pair: (-pair[1], pair[0]))
    shown = ordered if len(ordered) <= top + 1 else ordered[:top]
    rest = ordered[len(shown) :]
    longest = max([count for _, count in shown], default=0) or 1
    entries = [Entry(name, count, 100 * count / longest) for name, count in shown]
    if rest:
        total = sum(count for _, count in rest)
        # the rest may be larger than the first: its bar ends where the chart does
        entries.append(Entry(f"{len(rest):,} others", total, min(100 * total / longest, 100.0), is_rest=True))
    return entries


def place(value: float, edges: Sequence[float]) -> float:
    """Where a value lies on an axis of equally wide bins, 0 to 1: place(50, [0, 100, 1000]) is 0.25.

    So bins on a logarithmic scale are drawn as well as others. Values beyond the edges lie at the ends."""
    bins = len(edges) - 1
    i = min(max(bisect_right(edges, value) - 1, 0), bins - 1)
    span = edges[i + 1] - edges[i]
    within = (value - edges[i]) / span if span else 0.0
    return (i + min(max(within, 0.0), 1.0)) / bins


def histogram_bars(histogram: Mapping[str, Any]) -> list[Bar]:
    """The bars, cut at the thresholds; what lies beyond a threshold is not kept."""
    edges, counts = histogram["edges"], histogram["counts"]
    if not counts:
        return []
    low, high = _kept_range(histogram)
    tallest = max(counts, default=0) or 1
    return [
        Bar(left, right - left, count / tallest, kept=low <= (left + right) / 2 <= high)
        for i, count in enumerate(counts)
        if count
        for left, right in _cut(i / (len(edges) - 1), (i + 1) / (len(edges) - 1), (low, high))
    ]


def thresholds(histogram: Mapping[str, Any]) -> list[Mark]:
    """The limits, at the ends of the axis where they lie beyond it."""
    edges = histogram["edges"]
    limits = {"minimum": histogram.get("minimum"), "maximum": histogram.get("maximum")}
    return [
        Mark(name, limit, place(limit, edges), beyond=not edges[0] <= limit <= edges[-1])
        for name, limit in limits.items()
        if limit is not None and histogram["counts"]
    ]


def merged(histograms: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One chart a score: a score with two thresholds may come as two histograms of the same pages."""
    by_score: dict[str, dict[str, Any]] = {}
    for histogram in histograms:
        known = {name: value for name, value in histogram.items() if value is not None}
        by_score[histogram["score"]] = by_score.get(histogram["score"], {}) | known
    return list(by_score.values())


def ticks(edges: Sequence[float], most: int = 4) -> list[Mark]:
    """The edges to name under a histogram: the first, the last, and some between them."""
    bins = len(edges) - 1
    if bins < 1:
        return []
    places = sorted({round(i * bins / most) for i in range(most + 1)})
    return [Mark("", edges[i], i / bins) for i in places]


def _kept_range(histogram: Mapping[str, Any]) -> tuple[float, float]:
    """From where to where on the axis pages are kept; beyond the ends of the axis where there is no limit."""
    edges, low, high = histogram["edges"], histogram.get("minimum"), histogram.get("maximum")
    return (-1.0 if low is None else place(low, edges)), (2.0 if high is None else place(high, edges))


def _cut(left: float, right: float, at: Iterable[float]) -> Iterator[tuple[float, float]]:
    """The pieces of an interval between the cuts that lie inside it."""
    return pairwise([left, *sorted(cut for cut in at if left < cut < right), right])
