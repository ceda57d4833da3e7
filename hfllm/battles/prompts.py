"""What are the models asked? Rows with the messages of a prompt, from data sets and from tasks.

    load([DatasetConfig("data/mine.jsonl")], [])  ->  [{"prompt": [user], ...the other columns}, ...]

A data set has `prompt` (text or messages), or `messages`: then the conversation up to its last turn of a user."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from hfllm import data, tasks
from hfllm.conversations import read_message
from hfllm.data import DatasetConfig
from hfllm.errors import UserMistake
from hfllm.tasks import TaskConfig

Row = dict[str, Any]


def load(datasets: Sequence[DatasetConfig], problems: Sequence[TaskConfig]) -> list[Row]:
    """The prompts of all data sets, then those of all tasks. Raises `UserMistake` for rows that cannot be read."""
    rows = [row for config in datasets for row in _rows(config)]
    return rows + [dict(row) for config in problems for row in tasks.load(config)]


def distinct(rows: Sequence[Row]) -> list[Row]:
    """Without rows whose prompt and answer stood there before: asked greedily they would only count twice."""
    keys = [json.dumps([row["prompt"], row.get("answer")], sort_keys=True, default=str) for row in rows]
    return [row for number, (key, row) in enumerate(zip(keys, rows, strict=True)) if keys.index(key) == number]


def check_columns(columns: list[str], place: str) -> None:
    """Raises `UserMistake` when there is neither `prompt` nor `messages`."""
    if not {"prompt", "messages"} & set(columns):
        old = next((name for name in ("question", "instruction", "query", "text") if name in columns), columns[0])
        raise UserMistake(
            f"{place} has the columns {', '.join(columns)}; the stage arena reads  prompt  or  messages\n"
            f"  to mend it, rename a column in the recipe:   columns: {{{old}: prompt}}"
        )


def _rows(config: DatasetConfig) -> list[Row]:
    dataset = data.load(config)
    check_columns(dataset.column_names, config.place)
    rows = []
    for number, row in enumerate(dataset):
        try:
            rows.append({name: value for name, value in row.items() if name != "messages"} | {"prompt": _prompt(row)})
        except ValueError as reason:
            raise UserMistake(f"{config.place}: row {number} (counted from 0) cannot be read: {reason}") from reason
    return rows


def _prompt(row: Row) -> list[dict[str, Any]]:
    """The messages in front of the answer. Raises ValueError with the reason why there are none."""
    value = row["prompt"] if "prompt" in row else row["messages"]
    if isinstance(value, str):
        return [{"role": "user", "content": value}]
    if not isinstance(value, list) or not value:
        raise ValueError(f"{value!r:.60} is neither text nor messages")
    messages = [read_message(message) for message in value]
    last = next((place for place, one in reversed([*enumerate(messages)]) if one["role"] == "user"), None)
    if last is None:
        raise ValueError("no turn of a user")
    return messages[: last + 1]
