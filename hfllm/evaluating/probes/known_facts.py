"""Does a model say what it knows? Right, wrong or refused, by whatever column says how well known a fact is.

A model that learned to say "I don't know" must not say it of what it knows: see the shares of `refused`."""

from __future__ import annotations

from typing import Any

from hfllm.evaluating import questions
from hfllm.evaluating.answering import Said
from hfllm.knowledge import verdict

Row = dict[str, Any]


def load(
    path: str,
    split: str = "test",
    name: str | None = None,
    where: questions.Where | None = None,
    rows: int | None = None,
    by: str | None = None,
    fuzzy: float | None = None,
) -> list[Row]:
    """Questions with answers in any layout of the task closed_book; `by` is the column to count apart.

    `fuzzy` from above 0 to 1 forgives slips of the pen (hfllm/knowledge.py)."""
    found = questions.read(path, split, name, where, rows, [by] if by else [])
    return [
        {
            "prompt": questions.messages(questions.asked(row, path)),
            "answers": answers,
            "expected": answers[0],
            "group": str(row[by]) if by else "",
            "fuzzy": fuzzy,
        }
        for row in found
        if (answers := questions.answers(row, path))
    ]


def judge(said: Said, row: Row) -> dict[str, float]:
    found = verdict(said.text, row["answers"], fuzzy=row["fuzzy"])
    return {name: float(found == name) for name in ("right", "wrong", "refused")}
