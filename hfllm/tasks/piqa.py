"""PIQA: which of two ways reaches an everyday goal? Judged by the letter, or by log-likelihood.

Source: Bisk et al., "PIQA: Reasoning about Physical Commonsense in Natural Language", arXiv 1911.11641 (AFL-3.0).
Hub: baber/piqa, a copy in Parquet, because ybisk/piqa is a script that `datasets` no longer runs; splits train,
validation; the test split has no answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hfllm import multiple_choice
from hfllm.data import DatasetConfig
from hfllm.multiple_choice import gold, score

if TYPE_CHECKING:
    from datasets import Dataset

__all__ = ["gold", "load", "score"]


def load(split: str, path: str | None = None) -> Dataset:
    """Columns prompt, answer (letter), choices, context, continuations."""
    config = DatasetConfig(path or "baber/piqa", split=split)
    return multiple_choice.load("piqa", config, ["goal", "sol1", "sol2", "label"], _row)


def _row(source: dict[str, Any]) -> dict[str, Any]:
    choices = [source["sol1"], source["sol2"]]
    right = None if source["label"] == -1 else source["label"]  # -1 in the blind test split
    context = f"Question: {source['goal']}\nAnswer:"
    return multiple_choice.row(source["goal"], choices, right, context, [f" {choice}" for choice in choices])
