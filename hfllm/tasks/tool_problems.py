"""Problems of the small world that need a tool: products too large for the head, owners whom only its register knows.

Written by the stage `world`. A product is judged by the last number of the answer, an owner by whether it is said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hfllm import answers, data
from hfllm.data import DatasetConfig

if TYPE_CHECKING:
    from datasets import Dataset


def load(split: str, path: str = "runs/tiny/world/tool_problems") -> Dataset:
    """Columns `prompt`, `question`, `answer`, `kind` (product or lookup)."""
    return data.load(DatasetConfig(path=path, split=split))


def score(completion: str, row: dict[str, Any]) -> float:
    """1 for the right number, or for a text that names the right word."""
    if row["kind"] == "product":
        return float(answers.last_number(completion) == int(row["answer"]))
    return float(row["answer"].lower() in completion.lower())


def gold(row: dict[str, Any]) -> str:
    return f"The answer is {row['answer']}."
