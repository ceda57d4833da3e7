"""JSON Lines that a killed run leaves whole: replaced at once, or appended to and read up to the last whole line.

A line ends at a newline and nowhere else: U+2028 and its like stand inside texts."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def line(row: Row) -> str:
    """line({"a": "é"}) == '{"a": "é"}\\n'"""
    return json.dumps(row, ensure_ascii=False) + "\n"


def write(file: Path, rows: Iterable[Row]) -> None:
    """Whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(file.name + ".part")
    part.write_text("".join(map(line, rows)), encoding="utf-8")
    part.replace(file)


def append(file: Path, rows: Iterable[Row]) -> None:
    with file.open("a", encoding="utf-8") as out:
        out.writelines(map(line, rows))


def read(file: Path) -> list[Row]:
    """The rows of a file that may have been cut off in its last line; none of a file that is not there."""
    lines = file.read_text(encoding="utf-8").split("\n")[:-1] if file.exists() else []
    return [json.loads(text) for text in lines]


def whole_steps(file: Path, step: int) -> list[Row]:
    """The rows of `read` without a last step that is not whole, where every step of so many has a seed of its own."""
    rows = read(file)
    return rows[: len(rows) // step * step]
