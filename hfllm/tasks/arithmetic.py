"""The small world's problems: sums, sums in words, letters to count; right when the completion ends in the number.

The stage `world` writes them (hfllm/world/problems.py says what they are). No test problem has the numbers of a
training problem."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hfllm import task_rows
from hfllm.answers import judge_number
from hfllm.data import DatasetConfig
from hfllm.errors import UserMistake
from hfllm.task_rows import Row
from hfllm.world.problems import KINDS

if TYPE_CHECKING:
    from datasets import Dataset


def load(split: str, path: str | None = None, kinds: list[str] | None = None) -> Dataset:
    """Columns `prompt`, `answer` (a number), `solution` (worked steps, and the answer's sentence), `kind`.

    `kinds`: only problems of these kinds, such as [sum, shop]; None is all."""
    unknown = sorted(set(kinds or ()) - set(KINDS))
    if unknown:
        raise UserMistake(f"task arithmetic: kinds: no such kind: {', '.join(unknown)}; there are {', '.join(KINDS)}")
    config = DatasetConfig(path=path or "runs/tiny/world/problems", split=split)
    dataset = task_rows.read("arithmetic", config, ["prompt", "answer", "solution", "kind"])
    dataset = dataset.select_columns(["prompt", "answer", "solution", "kind"])
    return dataset.filter(lambda kind: kind in kinds, input_columns="kind") if kinds else dataset


def score(completion: str, row: Row) -> float | None:
    return judge_number(completion, row["answer"])


def gold(row: Row) -> str:
    return row["solution"]
