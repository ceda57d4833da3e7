"""Grade-school word problems with a number as the answer; right when the number the completion ends in is that one.

Hub id openai/gsm8k (configuration main), 7,473 training and 1,319 test problems, MIT licence. Cobbe et al., "Training
Verifiers to Solve Math Word Problems", arXiv 2110.14168. Any data set with the columns `question` and `answer` of that
form does: a worked solution with a last line `#### 72`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hfllm import task_rows
from hfllm.answers import judge_number
from hfllm.data import DatasetConfig
from hfllm.task_rows import Row

if TYPE_CHECKING:
    from datasets import Dataset

CALCULATOR = re.compile(r"<<[^<>]*>>")  # 48/2 = <<48/2=24>>24: made for a model with a calculator


def load(split: str, path: str | None = None) -> Dataset:
    """Columns `prompt`, `answer` (a number without commas), `solution` (worked, ends in "The answer is 72.")."""
    config = DatasetConfig(path=path or "openai/gsm8k", name=None if path else "main", split=split)
    dataset = task_rows.read("gsm8k", config, ["question", "answer"])
    return task_rows.problems(dataset, _problem)


def score(completion: str, row: Row) -> float | None:
    return judge_number(completion, row["answer"])


def gold(row: Row) -> str:
    return row["solution"]


def _problem(row: Row) -> Row:
    steps, _, answer = row["answer"].rpartition("####")
    answer = answer.strip().replace(",", "")
    solution = f"{CALCULATOR.sub('', steps).strip()}\nThe answer is {answer}."
    return {"prompt": task_rows.question(row["question"]), "answer": answer, "solution": solution}
