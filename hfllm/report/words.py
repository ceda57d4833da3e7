"""How does the page write shares, sizes and names of models?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hfllm.web.outcome import wording
from hfllm.web.outcome.wording import SPACE


def percent(value: float) -> str:
    """percent(0.385) == "38.5 %" """
    return f"-{wording.share(-value, 1)}" if value < 0 else wording.share(value, 1)


def interval(value: float, low: float | None, high: float | None) -> str:
    """94 % (88 to 98): the ends are those of the 95 % interval."""
    if low is None or high is None:
        return percent(value)
    return f"{percent(value)} ({100 * low:.0f} to {100 * high:.0f})"


def gigabytes(size: float | None) -> str:
    return "" if size is None else f"{size / 1e9:,.2f}{SPACE}GB"


def short(names: Sequence[str]) -> dict[str, str]:
    """The last part of each name, where they all differ: {"runs/tiny/sft": "sft"}."""
    tails = [name.rstrip("/").rpartition("/")[2] for name in names]
    return dict(zip(names, tails if len(set(tails)) == len(tails) else names, strict=True))


def plain(name: str) -> str:
    """plain("well_known") == "well known" """
    return name.replace("_", " ")


def shown(value: Any) -> str:
    """A number of a receipt, or whatever stands there."""
    return wording.shorten(wording.number(value), 200)
