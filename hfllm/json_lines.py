"""JSON Lines that a killed run leaves whole: replaced at once, or appended to and read up to the last whole line.

A line ends at a newline and nowhere else: U+2028 and its like stand inside texts."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hfllm import whole_file

Row = dict[str, Any]


def line(row: Row) -> str:
    """line({"a": "é"}) == '{"a": "é"}\\n'"""
    return json.dumps(row, ensure_ascii=False) + "\n"


def write(file: Path, rows: Iterable[Row]) -> None:
    """Whole or not at all."""
    whole_file.write(file, "".join(map(line, rows)))


def append(file: Path, rows: Iterable[Row]) -> None:
    with file.open("a", encoding="utf-8") as out:
        out.writelines(map(line, rows))


def read(file: Path) -> list[Row]:
    """The rows of a file that may have been cut off in its last line; none of a file that is not there."""
    if not file.exists():
        return []
    lines = file.read_bytes().split(b"\n")[:-1]  # bytes: the cut may go through a character
    return [json.loads(text.decode("utf-8")) for text in lines]


def whole_steps(rows: list[Row], step: int, count: int) -> list[Row]:
    """Of `count` rows that are made `step` at a time, those of steps that are whole: each has a seed of its own.

    The last step of all may be a short one."""
    return rows if len(rows) == count else rows[: len(rows) // step * step]
