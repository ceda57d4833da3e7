"""Problems of the small world that need a tool: products too large for the head, owners whom only its register knows.

Written by the stage `world`. A product is judged by the last number behind the thinking, an owner by whether the name
is said there as a word of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hfllm import answers, data
from hfllm.data import DatasetConfig
from hfllm.tasks import closed_book

if TYPE_CHECKING:
    from datasets import Dataset


def load(split: str, path: str = "runs/tiny/world/tool_problems") -> Dataset:
    """Columns `prompt`, `question`, `answer`, `kind` (product or lookup)."""
    return data.load(DatasetConfig(path=path, split=split))


def score(completion: str, row: dict[str, Any]) -> float | None:
    """1 for the right number, or for a text that names the right owner; None for a product that is no number."""
    if row["kind"] == "product":
        return answers.judge_number(completion, row["answer"])
    return closed_book.score(completion, {"answers": [row["answer"]]})


def gold(row: dict[str, Any]) -> str:
    return f"The answer is {row['answer']}."
