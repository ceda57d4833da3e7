"""Does a model answer better with the text in front of it than from memory? Each question closed, and with its passage.

The passage is a column of the questions (`passage` or `context`), or the first document about the question's `subject`
that holds the answer. Questions without a passage are left out."""

from __future__ import annotations

from typing import Any

from hfllm.evaluating import questions
from hfllm.evaluating.answering import Said
from hfllm.knowledge import is_right

Row = dict[str, Any]
DIFFERENCE = ("right", "open", "closed")
LAYOUT = "Read: {passage}\nQuestion: {question}"


def load(
    path: str,
    split: str = "test",
    name: str | None = None,
    where: questions.Where | None = None,
    rows: int | None = None,
    documents_path: str | None = None,
    documents_split: str = "train",
) -> list[Row]:
    """`documents_path` is a data set with the columns `text` and `subject`."""
    about = _by_subject(documents_path, documents_split) if documents_path else {}
    pairs = [_both(row, passage, path)
             for row in questions.read(path, split, name, where)
             if (passage := _passage(row, about, path))]  # fmt: skip
    return [row for pair in questions.sample(pairs, rows) for row in pair]


def judge(said: Said, row: Row) -> dict[str, float]:
    return {"right": float(is_right(said.text, row["answers"]))}


def _both(row: Row, passage: str, path: str) -> list[Row]:
    question, answers = questions.asked(row, path), questions.answers(row, path)
    common = {"question": question, "answers": answers, "expected": answers[0]}
    with_text = LAYOUT.format(passage=passage, question=question)
    return [
        {**common, "group": "closed", "prompt": questions.messages(question)},
        {**common, "group": "open", "prompt": questions.messages(with_text), "text": f"{with_text}\nAnswer:"},
    ]


def _by_subject(path: str, split: str) -> dict[str, list[str]]:
    about: dict[str, list[str]] = {}
    for row in questions.read(path, split, columns=["text", "subject"]):
        about.setdefault(row["subject"], []).append(row["text"])
    return about


def _passage(row: Row, about: dict[str, list[str]], path: str) -> str | None:
    answers = questions.answers(row, path)
    own = [row[column] for column in ("passage", "context") if row.get(column)]
    return next((text for text in [*own, *about.get(row.get("subject", ""), [])] if is_right(text, answers)), None)
