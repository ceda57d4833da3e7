"""ARC: grade-school science questions with three to five choices; judged by the letter, or by log-likelihood.

Source: Clark et al., "Think you have Solved Question Answering?", arXiv 1803.05457.
Hub: allenai/ai2_arc (CC BY-SA 4.0), name ARC-Challenge (what retrieval and word co-occurrence get wrong) or ARC-Easy;
splits train, validation, test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hfllm import multiple_choice
from hfllm.data import DatasetConfig
from hfllm.multiple_choice import gold, score

if TYPE_CHECKING:
    from datasets import Dataset

__all__ = ["gold", "load", "score"]


def load(split: str, path: str | None = None, name: str = "ARC-Challenge") -> Dataset:
    """Columns prompt, answer (letter), choices, context, continuations. `name` is for the Hub, without a `path`."""
    config = DatasetConfig(path, split=split) if path else DatasetConfig("allenai/ai2_arc", name=name, split=split)
    return multiple_choice.load("arc", config, ["question", "choices", "answerKey"], _row)


def _row(source: dict[str, Any]) -> dict[str, Any]:
    choices = source["choices"]["text"]
    right = source["choices"]["label"].index(source["answerKey"])  # labels are letters or, in a few rows, digits
    context = f"Question: {source['question']}\nAnswer:"
    return multiple_choice.row(source["question"], choices, right, context, [f" {choice}" for choice in choices])
