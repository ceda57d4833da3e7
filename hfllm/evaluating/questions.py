"""Questions with their known answers, read for a probe: those of a data set that its options choose."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, TypeVar

from hfllm import data
from hfllm.data import DatasetConfig
from hfllm.errors import UserMistake
from hfllm.tasks import closed_book

Row = dict[str, Any]
T = TypeVar("T")
Where = dict[str, Any]  # {"popularity": ["rare", "once"]} or {"popularity": "rare"}


def read(
    path: str,
    split: str,
    name: str | None = None,
    where: Where | None = None,
    rows: int | None = None,
    columns: Sequence[str] = (),
) -> list[Row]:
    """The rows whose columns have the values of `where`, at most `rows` of them, drawn at random.

    `columns` are those that the probe reads.

    Raises `UserMistake` when there is no such data set, column or row."""
    config = DatasetConfig(path, name=name, split=split)
    dataset = data.load(config)
    for reader, named in (("`where` names", list(where or {})), ("this probe reads", columns)):
        if missing := [column for column in named if column not in dataset.column_names]:
            have = ", ".join(dataset.column_names)
            raise UserMistake(f"{config.place} has the columns {have}; {reader} {', '.join(missing)}")
    wanted = {column: values if isinstance(values, list) else [values] for column, values in (where or {}).items()}
    chosen = [row for row in dataset if all(row[column] in values for column, values in wanted.items())]
    if not chosen:
        raise UserMistake(f"{config.place}: no row has {where}")
    return sample(chosen, rows)


def sample(rows: list[T], count: int | None) -> list[T]:
    """At most `count` rows, the same every time, in their order. Raises `UserMistake` for a count below 1."""
    if count is not None and (not isinstance(count, int) or count < 1):
        raise UserMistake(f"rows: {count!r} is no number of rows; write 1 or more, or null for all")
    if count is None or count >= len(rows):
        return rows
    return [rows[place] for place in sorted(random.Random(data.SAMPLE_SEED).sample(range(len(rows)), count))]


def asked(row: Row, place: str) -> str:
    """The question of a row of any layout that the task closed_book knows."""
    for column in ("question", "problem"):
        if row.get(column):
            return row[column]
    raise UserMistake(f"{place} has the columns {', '.join(row)}; this probe reads question or problem")


def answers(row: Row, place: str) -> list[str]:
    """All accepted answers of such a row; none where there is none."""
    if "answer" not in row and "possible_answers" not in row:
        raise UserMistake(f"{place} has the columns {', '.join(row)}; this probe reads answer or possible_answers")
    return [answer for answer in closed_book.accepted(row) if answer.strip()]


def messages(content: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": content}]
