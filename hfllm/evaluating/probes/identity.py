"""Does a model know who it is? Its answers must hold some words, and must not claim to be somebody else.

The questions are what the stage identity writes, or a YAML file or data set of one's own with `messages` (a last answer
in them is left out) or `question`, and `must_say` and `is_not`, lists of words (hfllm/identity/judging.py):

    - {question: "Are you ChatGPT?", must_say: [Pip], is_not: [ChatGPT]}"""

from __future__ import annotations

from pathlib import Path
from textwrap import shorten
from typing import Any

import yaml

from hfllm.errors import UserMistake
from hfllm.evaluating import questions
from hfllm.evaluating.answering import Said
from hfllm.identity.judging import is_itself

Row = dict[str, Any]
SHOWN = 200  # characters of a row in a message


def load(
    path: str,
    split: str | None = None,
    where: questions.Where | None = None,
    rows: int | None = None,
    by: str | None = None,
) -> list[Row]:
    """`by` is the column to count apart, such as language or kind. `split` is test where it is not given.

    Raises `UserMistake` for a question that cannot be asked or judged."""
    if not path.endswith((".yaml", ".yml")):
        found = questions.read(path, split or "test", None, where, rows, [by] if by else [])
        return [_row(row, f"{path}: {shorten(str(row), SHOWN)}", by) for row in found]
    if split is not None or where is not None:
        raise UserMistake("probe identity: split and where choose rows of a data set; a YAML file is asked as a whole")
    all_of_them = [_row(row, f"{path}: question {number}", by) for number, row in enumerate(_written(path), start=1)]
    return questions.sample(all_of_them, rows)


def judge(said: Said, row: Row) -> dict[str, float]:
    return {"right": float(is_itself(said.text, row["must_say"], row["is_not"]))}


def _written(path: str) -> list[Row]:
    """The rows of a YAML file."""
    try:
        rows = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserMistake(f"probe identity: path: there is no file {path}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserMistake(f"{path}: not YAML: {error}") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UserMistake(f'{path}: write a list of questions:   - {{question: "Who are you?", must_say: [Pip]}}')
    return rows


def _row(row: Row, place: str, by: str | None) -> Row:
    if by and by not in row:
        raise UserMistake(f"{place} has no {by}, which  by:  counts apart; write  {by}: ...")
    must_say, is_not = _words(row, "must_say", place), _words(row, "is_not", place)
    if not must_say and not is_not:
        raise UserMistake(f"{place} has neither must_say nor is_not; write what an answer must hold:  must_say: [Pip]")
    return {
        "prompt": _prompt(row, place),
        "must_say": must_say,
        "is_not": is_not,
        "expected": ", ".join(must_say),
        "group": str(row[by]) if by else "",
    }


def _words(row: Row, key: str, place: str) -> list[str]:
    """The list of a row; numbers and dates are texts only in quotes, because nobody knows how they were written."""
    words = row.get(key)
    if words is None:
        return []
    if not isinstance(words, list) or not all(isinstance(word, str) and word.strip() for word in words):
        example = ", ".join(f'"{word}"' for word in (words if isinstance(words, list) else [words]))
        raise UserMistake(f"{place}: {key} is no list of words: {words!r}; write  {key}: [{example}]")
    return words


def _prompt(row: Row, place: str) -> list[Row]:
    """The messages up to the last answer, or the question as one."""
    messages = row.get("messages")
    if not messages:
        question = questions.asked(row, place)
        if not isinstance(question, str):
            raise UserMistake(f"{place}: question is no text: {question!r}; write it in quotes")
        return questions.messages(question)
    if not isinstance(messages, list) or not all(_is_message(message) for message in messages):
        example = '[{role: user, content: "Who are you?"}]'
        raise UserMistake(f"{place}: messages is no list of messages; write  messages: {example}")
    asked = messages[:-1] if messages[-1]["role"] == "assistant" else messages
    if not asked:
        raise UserMistake(f"{place}: messages asks nothing; write a message of the role user first")
    return asked


def _is_message(message: object) -> bool:
    return isinstance(message, dict) and all(isinstance(message.get(key), str) for key in ("role", "content"))
