"""Questions with a short known answer, asked without any text to look it up in; right when the answer occurs.

The accepted answers are looked for as whole words, after TriviaQA's normalisation (lower case; no articles, no
punctuation; github.com/mandarjoshi90/triviaqa). An answer that lists everything is right, too: reward its shortness.

The small world's questions by default. Known layouts: TriviaQA (path mandarjoshi/trivia_qa, name rc.nocontext;
arXiv 1705.03551), PopQA (akariasai/PopQA; 2212.10511), SimpleQA (basicv8vc/SimpleQA; 2411.04368), and any data set with
`question` and `answer`, one or several."""

from __future__ import annotations

import json
import re
import string
from collections.abc import Callable
from typing import TYPE_CHECKING

from hfllm import task_rows
from hfllm.answers import after_thinking
from hfllm.data import DatasetConfig
from hfllm.errors import UserMistake
from hfllm.task_rows import Row

if TYPE_CHECKING:
    from datasets import Dataset

Form = Callable[[str], str]
PUNCTUATION = str.maketrans(dict.fromkeys(string.punctuation + "\u2018\u2019\u00b4\u201c\u201d", " "))
ARTICLES = re.compile(r"\b(?:a|an|the)\b")


def load(split: str, path: str | None = None, name: str | None = None) -> Dataset:
    """Columns `prompt`, `answer`, `answers` (all that are accepted). `name`: configuration of a data set on the Hub."""
    config = DatasetConfig(path=path or "runs/tiny/world/questions", name=name, split=split)
    dataset = task_rows.read("closed_book", config, [])
    columns = set(dataset.column_names)
    if not columns & {"question", "problem"} or not columns & {"answer", "possible_answers"}:
        raise UserMistake(
            f"{config.place} has the columns {', '.join(dataset.column_names)}; "
            "the task closed_book reads question or problem, and answer or possible_answers."
        )
    return task_rows.problems(dataset, _problem)


def score(completion: str, row: Row) -> float | None:
    """None when no accepted answer has a character to look for."""
    text = after_thinking(completion)
    wanted = _by_form(row["answers"])
    return float(any(_occurs(answers, form(text)) for form, answers in wanted.items())) if wanted else None


def gold(row: Row) -> str:
    return f"The answer is {row['answer']}."


def without_punctuation(text: str) -> str:
    return " ".join(text.lower().translate(PUNCTUATION).split())


def normalised(text: str) -> str:
    """normalised("The Sunset Blvd.") == "sunset blvd" """
    return " ".join(ARTICLES.sub(" ", without_punctuation(text)).split())


FORMS: list[Form] = [normalised, without_punctuation, str.strip]  # "A" is only an article, "!!!" only punctuation


def _by_form(answers: list[str]) -> dict[Form, list[str]]:
    """Each answer in the simplest form that leaves something of it."""
    found: dict[Form, list[str]] = {}
    for answer in answers:
        form = next((form for form in FORMS if form(answer)), None)
        if form is not None:
            found.setdefault(form, []).append(form(answer))
    return found


def _occurs(answers: list[str], text: str) -> bool:
    padded = f" {text} "
    return any(f" {answer} " in padded for answer in answers)


def _problem(row: Row) -> Row:
    answers = [answer for answer in accepted(row) if answer.strip()]
    content = row["question"] if "question" in row else row["problem"]
    return {"prompt": task_rows.question(content), "answer": answers[0] if answers else "", "answers": answers}


def accepted(row: Row) -> list[str]:
    """All answers of a row of a known layout; none for an answer of None, which only a refusal is right for."""
    if "possible_answers" in row:  # PopQA: a JSON list in a string
        return [str(answer) for answer in json.loads(row["possible_answers"])]
    match row["answer"]:
        case {"value": first, "aliases": others}:  # TriviaQA
            return list(dict.fromkeys([first, *others]))
        case None:
            return []
        case list() as several:
            return several
        case one:
            return [str(one)]
