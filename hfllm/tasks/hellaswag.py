"""HellaSwag: what happens next? Four endings of a described scene; judged by the letter, or by log-likelihood.

Source: Zellers et al., "HellaSwag: Can a Machine Really Finish Your Sentence?", arXiv 1905.07830 (MIT).
Hub: Rowan/hellaswag; splits train, validation; the test split has no answers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from hfllm import multiple_choice
from hfllm.data import DatasetConfig
from hfllm.multiple_choice import gold, score

if TYPE_CHECKING:
    from datasets import Dataset

__all__ = ["gold", "load", "score"]


def load(split: str, path: str | None = None) -> Dataset:
    """Columns prompt, answer (letter), choices, context, continuations."""
    config = DatasetConfig(path or "Rowan/hellaswag", split=split)
    return multiple_choice.load("hellaswag", config, ["activity_label", "ctx_a", "ctx_b", "endings", "label"], _row)


def _row(source: dict[str, Any]) -> dict[str, Any]:
    scene = f"{source['ctx_a']} {source['ctx_b'].capitalize()}"
    context = cleaned(f"{source['activity_label']}: {scene}")
    endings = [cleaned(ending) for ending in source["endings"]]
    right = int(source["label"]) if source["label"] else None  # "" in the blind test split
    question = f"What happens next?\n\n{context} ..."
    shown = [ending.strip() for ending in endings]
    return multiple_choice.row(question, shown, right, context, [f" {ending}" for ending in endings])


def cleaned(text: str) -> str:
    """cleaned("Wash it [title] Dry [step] it.") == "Wash it. Dry it." : no marks left behind by WikiHow's pages.

    As lm-eval does it (lm_eval/tasks/hellaswag/utils.py), for the same numbers: the space behind a first mark stays."""
    text = text.strip().replace(" [title]", ". ")
    return re.sub(r"\[.*?\]", "", text).replace("  ", " ")
