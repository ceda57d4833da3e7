"""What do the files of a run folder hold? Made into what a section needs, or named as broken; nothing else raises."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from hfllm import json_lines
from hfllm.errors import UserMistake

Made = TypeVar("Made")
Row = dict[str, Any]
Point = tuple[float, float]

# What reading a file that somebody cut or edited may raise, in our code and in that of others.
BROKEN = (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, UserMistake)


@dataclass
class Reader:
    """Reads files; `notes` says what could not be read."""

    notes: list[str] = field(default_factory=list)

    def read(self, file: Path, make: Callable[[Path], Made]) -> Made | None:
        """What `make` makes of a file; None where there is none, or it is broken."""
        if not file.is_file():
            return None
        try:
            return make(file)
        except BROKEN as error:
            where = "/".join(file.parts[-2:])
            why = f"no {error}" if isinstance(error, KeyError) else f"{type(error).__name__}: {error}"
            self.notes.append(f"{where} is not as the stage wrote it, so what it would show is left out ({why})")
            return None

    def json(self, file: Path, make: Callable[[Any], Made]) -> Made | None:
        return self.read(file, lambda path: make(json.loads(path.read_text(encoding="utf-8"))))

    def lines(self, file: Path, make: Callable[[list[Row]], Made]) -> Made | None:
        """Of a JSON Lines file; a last line that a killed run left without its end does not count."""
        return self.read(file, lambda path: make(_rows(path)))


def _rows(file: Path) -> list[Row]:
    rows = json_lines.read(file)
    if not all(isinstance(row, dict) for row in rows):
        raise ValueError("a line holds something else than {...}")
    return rows


def number(value: Any) -> float:
    """A finite number. Raises ValueError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r:.60} where a number should be")
    return value


def some_number(value: Any) -> float | None:
    """The same, or None for null."""
    return None if value is None else number(value)


def text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r:.60} where a text should be")
    return value


def has(row: Mapping[str, Any], *keys: str) -> bool:
    """Whether finite numbers stand there: a run that diverged logs NaN."""
    return all(
        isinstance(row.get(key), int | float) and not isinstance(row[key], bool) and math.isfinite(row[key])
        for key in keys
    )


def points(rows: Iterable[Row], x: str, y: str, scale: float = 1) -> list[Point]:
    """points([{"step": 2, "loss": 0.5}, {"step": 4}], "step", "loss") == [(2, 0.5)]"""
    return [(row[x], row[y] * scale) for row in rows if has(row, x, y)]
