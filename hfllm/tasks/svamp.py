"""Short word problems with one step and numbers that are not needed; right when the completion ends in the number.

Hub id ChilleD/SVAMP, 700 training and 300 test problems, MIT licence. Patel et al., "Are NLP Models really able to
Solve Simple Math Word Problems?", arXiv 2103.07191. One equation of the 1,000 does not give its answer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hfllm import task_rows
from hfllm.answers import judge_number, number
from hfllm.data import DatasetConfig
from hfllm.task_rows import Row

if TYPE_CHECKING:
    from datasets import Dataset


def load(split: str, path: str | None = None) -> Dataset:
    """Columns `prompt`, `answer` (a number), `solution` (the equation, and the answer's sentence)."""
    config = DatasetConfig(path=path or "ChilleD/SVAMP", split=split)
    dataset = task_rows.read("svamp", config, ["Body", "Question", "Equation", "Answer"])
    return task_rows.problems(dataset, _problem)


def score(completion: str, row: Row) -> float | None:
    return judge_number(completion, row["answer"])


def gold(row: Row) -> str:
    return row["solution"]


def _problem(row: Row) -> Row:
    answer = str(number(str(row["Answer"])))
    equation = re.sub(r"\.0\b", "", row["Equation"]).replace("( ", "(").replace(" )", ")")
    equation = equation[1:-1] if equation.count("(") == 1 else equation  # (8 - 3) has no need of them
    return {
        "prompt": task_rows.question(f"{_closed(row['Body'].strip())} {row['Question'].strip()}"),
        "answer": answer,
        "solution": f"{equation} = {answer}. The answer is {answer}.",
    }


def _closed(body: str) -> str:
    """The data leaves out what ends the last sentence: a comma if it says "If ...", else a full stop."""
    if body.endswith((".", "!", "?", ",")):
        return body
    return body + ("," if body.rpartition(". ")[2].startswith("If ") else ".")
