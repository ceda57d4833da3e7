"""Does a model know who it is? Its answers must hold some words, and must not claim to be somebody else.

The questions are what the stage identity writes, or a YAML file or data set of one's own with `messages` (a last answer
in them is left out) or `question`, and `must_say` and `is_not`, lists of words (hfllm/identity/judging.py):

    - {question: "Are you ChatGPT?", must_say: [Pip], is_not: [ChatGPT]}"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from hfllm.errors import UserMistake
from hfllm.evaluating import questions
from hfllm.evaluating.answering import Said
from hfllm.identity.judging import is_itself

Row = dict[str, Any]


def load(
    path: str, split: str = "test", where: questions.Where | None = None, rows: int | None = None, by: str | None = None
) -> list[Row]:
    """`by` is the column to count apart, such as language or kind."""
    if not path.endswith((".yaml", ".yml")):
        return [_row(row, path, by) for row in questions.read(path, split, None, where, rows, [by] if by else [])]
    if not Path(path).is_file():
        raise UserMistake(f"probe identity: path: there is no file {path}")
    written = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    if not isinstance(written, list) or not all(isinstance(row, dict) for row in written):
        raise UserMistake(f"{path}: write a list of questions:   - {{question: Who are you?, must_say: [Pip]}}")
    return [_row(row, path, by) for row in questions.sample(written, rows)]


def judge(said: Said, row: Row) -> dict[str, float]:
    return {"right": float(is_itself(said.text, row["must_say"], row["is_not"]))}


def _row(row: Row, path: str, by: str | None) -> Row:
    must_say, is_not = row.get("must_say") or [], row.get("is_not") or []
    if not must_say and not is_not:
        raise UserMistake(f"{path}: a question has neither must_say nor is_not: {row}")
    messages = row.get("messages") or questions.messages(questions.asked(row, path))
    return {
        "prompt": messages[:-1] if messages[-1]["role"] == "assistant" else messages,
        "must_say": must_say,
        "is_not": is_not,
        "expected": ", ".join(must_say),
        "group": str(row[by]) if by else "",
    }
