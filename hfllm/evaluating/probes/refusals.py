"""Does a model decline what it cannot answer, and answer what it can? Refusals by the column that says which is which.

    refusals: {path: my/selfaware, by: answerable}                          # SelfAware, arXiv 2305.18153
    refusals: {path: allenai/coconot, name: original, column: prompt, by: category}     # CoCoNot, arXiv 2407.12043

A model that refuses everything refuses rightly, too: read the shares of all groups."""

from __future__ import annotations

from typing import Any

from hfllm.evaluating import questions
from hfllm.evaluating.answering import Said
from hfllm.knowledge import refuses

Row = dict[str, Any]


def load(
    path: str,
    by: str,
    split: str = "test",
    name: str | None = None,
    where: questions.Where | None = None,
    rows: int | None = None,
    column: str = "question",
) -> list[Row]:
    """`column` holds what is asked, `by` what is counted apart, such as whether anybody can answer it."""
    found = questions.read(path, split, name, where, rows, [column, by])
    return [{"prompt": questions.messages(row[column]), "group": f"{by}: {row[by]}"} for row in found]


def judge(said: Said, row: Row) -> dict[str, float]:
    return {"refused": float(refuses(said.text))}
