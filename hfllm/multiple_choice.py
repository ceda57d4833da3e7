"""Which choice does an answer name? Rows and judgement that all multiple-choice tasks share.

A row can be used in two ways. A chat model is asked for the letter (`prompt`) and its words are judged by `score`; a
base model is asked which of the `continuations` of `context` is likeliest (hfllm.likelihood.choose)."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hfllm import answers, task_rows
from hfllm.data import DatasetConfig
from hfllm.errors import UserMistake

if TYPE_CHECKING:
    from datasets import Dataset

Row = dict[str, Any]
LETTERS = "ABCDEFGHIJ"

# Blanks are counted ({0,3}), because \s* next to \s* takes quadratic time on a megabyte of blanks.
_CONCLUSION = re.compile(
    r"(?i:\b(?:answer(?:\s(?:is|must\sbe|should\sbe|would\sbe))?|(?:choice|option)\sis|choose|pick|select)\b)"
    r"\s{0,3}[:=]?\s{0,3}(?i:(?:the\s|either\s)?(?:choice|option|letter)?)"
    r"\s{0,3}(?:\\boxed\{|\\text\{|[*_(\[\"'`$]){0,4}([A-J])(?![\w'’])"
    r"|(?<![\w'’])([A-J])[)\]*]{0,3}\s(?i:is\s(?:the\s)?(?:correct|right|best)\b)"
)
_ONE_MORE = re.compile(r"[)\]}.*_\"'`$]{0,4}\s{0,3}(?:,|/|&|\bor\b|\band\b)\s{0,3}[*_(\[\"'`$]{0,3}[A-J](?![\w'’])")
_MARKED = re.compile(r"(?<![\w'’])(?:[(\[*]{1,3}([A-J])[)\]*]{1,3}|([A-J])[).:](?!\w)|^([A-J])\s{0,3}$)", re.MULTILINE)
_ALONE = re.compile(r"\W*(?:\\text\{)?\W*([A-Ja-j])\W*")
_LEAD = re.compile(r"(?i)(?:the\s)?(?:correct\s|right\s)?answer(?:\sis|:)\s")


def load(task: str, config: DatasetConfig, columns: list[str], to_row: Callable[[Row], Row]) -> Dataset:
    """The rows of a data set, made with `to_row` from the `columns` that the task reads.

    Raises `UserMistake` when it cannot be read, lacks a column, or keeps its answers secret (a blind test split)."""
    dataset = task_rows.read(task, config, columns)
    rows = dataset.map(to_row, remove_columns=dataset.column_names, desc=f"Reading {config.place}")
    if "" in rows.unique("answer"):
        raise UserMistake(f"{config.place} has no answers (a blind test split); take another split, such as validation")
    return rows


def row(question: str, choices: list[str], right: int | None, context: str, continuations: list[str]) -> Row:
    """One question in both forms; `right` counts from 0, None where the answer is not known."""
    return {
        "prompt": task_rows.question(asked(question, choices)),
        "answer": "" if right is None else LETTERS[right],
        "choices": choices,
        "context": context,
        "continuations": continuations,
    }


def asked(question: str, choices: list[str]) -> str:
    """The question, its choices with their letters, and what is wanted."""
    return f"{question}\n\n{listed(choices)}\n\nAnswer with the letter of the right choice."


def listed(choices: list[str]) -> str:
    """listed(["no", "yes"]) == "A. no\\nB. yes" """
    return "\n".join(f"{letter}. {choice}" for letter, choice in zip(LETTERS, choices, strict=False))


def score(completion: str, row: Row) -> float | None:
    """1 for the right letter or, failing a letter, for exactly the text of the right choice; else 0."""
    text = answers.after_thinking(completion)
    letter = named(text, len(row["choices"]))
    if letter is not None:
        return float(letter == row["answer"])
    stated = _plain(answers.boxed(text) or _LEAD.sub("", text, count=1))
    return float(bool(stated) and stated == _plain(row["choices"][LETTERS.index(row["answer"])]))


def gold(row: Row) -> str:
    return f"The answer is {row['answer']}."


def named(text: str, choices: int = len(LETTERS)) -> str | None:
    """The one letter that the text decides for; None when it names none, or several without a conclusion.

    named("(B)") == "B", named("A is wrong. The answer is B.") == "B", named("A) or B)") is None"""
    content = answers.boxed(text)
    if content is not None:
        letter = _alone(content)
    elif last := deque(_CONCLUSION.finditer(text), maxlen=1):  # a later conclusion corrects an earlier one
        letter = None if _ONE_MORE.match(text, last[0].end()) else last[0][1] or last[0][2]
    else:
        letter = _alone(text) or _marked(text)
    return letter if letter is not None and letter in LETTERS[:choices] else None


def _alone(text: str) -> str | None:
    match = _ALONE.fullmatch(text.strip()) if len(text) < 100 else None
    return match[1].upper() if match else None


def _marked(text: str) -> str | None:
    """`(B)`, `**B**`, `B.`, `B) some text`, a line of its own; not the article A. The only such letter."""
    found = {match[1] or match[2] or match[3] for match in _MARKED.finditer(text)}
    return found.pop() if len(found) == 1 else None


def _plain(text: str) -> str:
    """Without what a writer may choose freely: case, blanks, the full stop, quotation marks."""
    return " ".join(text.split()).strip(" .\"'").casefold()
