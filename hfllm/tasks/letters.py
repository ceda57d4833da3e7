"""How often does a letter stand in a word? Right when the completion ends in the number.

Made from a list of words, the small world's or one of your own: each word with each of its letters. What a model that
reads tokens cannot see, it finds by spelling with a running count, as the worked solutions do. The test problems are
those that the small world holds out, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hfllm import task_rows
from hfllm.answers import judge_number
from hfllm.task_rows import Row
from hfllm.world.problems import counted

if TYPE_CHECKING:
    from datasets import Dataset


def load(split: str, path: str | None = None) -> Dataset:
    """Columns `prompt`, `answer` (a number), `solution`. `path`: any data set with a column `word` or `text`."""
    words = task_rows.words("letters", path)
    keys = ((letter, word) for word in words for letter in sorted(set(word)))
    return task_rows.held_out_or_not("letters", split, keys, _problem)


def score(completion: str, row: Row) -> float | None:
    return judge_number(completion, row["answer"])


def gold(row: Row) -> str:
    return row["solution"]


def _problem(letter: str, word: str) -> Row:
    count = word.count(letter)
    return {
        "prompt": task_rows.question(f"How many letters {letter} are in the word {word}?"),
        "answer": str(count),
        "solution": f"{word}: {counted(word, letter)}. The answer is {count}.",
    }
