"""Spell a word; right when the completion's last row of single letters is the word, whatever stands between them.

    "Spell the word egg."  ->  "e g g", "E-G-G", "It is spelled e, g, g."

Made from a list of words, the small world's or one of your own; one word in eight is held out for the test."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hfllm import task_rows
from hfllm.answers import after_thinking, last_match
from hfllm.task_rows import Row

if TYPE_CHECKING:
    from datasets import Dataset

LETTER = r"[^\W\d_](?![^\W_])"  # one that no other letter follows
LETTERS = re.compile(rf"(?<![^\W_]){LETTER}(?P<gap>, ?| ?[-\u2013] ?|[ .\n]){LETTER}(?:(?P=gap){LETTER})*")


def load(split: str, path: str | None = None) -> Dataset:
    """Columns `prompt`, `answer` ("e g g"), `solution`. `path`: any data set with a column `word` or `text`."""
    words = task_rows.words("spelling", path)
    return task_rows.held_out_or_not("spelling", split, ((word,) for word in words), _problem)


def score(completion: str, row: Row) -> float | None:
    last = last_match(LETTERS, after_thinking(completion))
    spelled = last.group().lower().split(last["gap"]) if last else []
    return float(spelled == row["answer"].split(" "))


def gold(row: Row) -> str:
    return row["solution"]


def _problem(word: str) -> Row:
    spelled = " ".join(word)
    return {"prompt": task_rows.question(f"Spell the word {word}."), "answer": spelled, "solution": spelled}
