"""MMLU: school and professional exams in 57 subjects, four choices; judged by the letter, or by log-likelihood.

Source: Hendrycks et al., "Measuring Massive Multitask Language Understanding", arXiv 2009.03300: the choices are listed
and the letter is what the model is asked for. Zero-shot here; published numbers mostly have five solved examples.
Hub: cais/mmlu (MIT), name `all` or a subject; splits test, validation, dev, auxiliary_train."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hfllm import multiple_choice
from hfllm.data import DatasetConfig
from hfllm.multiple_choice import LETTERS, gold, score

if TYPE_CHECKING:
    from datasets import Dataset

__all__ = ["gold", "load", "score"]


def load(split: str, path: str | None = None, name: str = "all") -> Dataset:
    """Columns prompt, answer (letter), choices, context, continuations. `name` is for the Hub, without a `path`."""
    config = DatasetConfig(path, split=split) if path else DatasetConfig("cais/mmlu", name=name, split=split)
    return multiple_choice.load("mmlu", config, ["question", "choices", "answer", "subject"], _row)


def _row(source: dict[str, Any]) -> dict[str, Any]:
    question, choices = source["question"].strip(), source["choices"]
    subject = source["subject"].replace("_", " ")
    context = (
        f"The following are multiple choice questions (with answers) about {subject}.\n\n"
        f"{question}\n{multiple_choice.listed(choices)}\nAnswer:"
    )
    continuations = [f" {letter}" for letter in LETTERS[: len(choices)]]
    return multiple_choice.row(question, choices, source["answer"], context, continuations)
