"""Does a model need tokens to think? The same problems answered at once, and with the steps first.

The problems are those of any task, such as arithmetic or gsm8k; the two wordings are the recipe's."""

from __future__ import annotations

from typing import Any

from hfllm import tasks
from hfllm.evaluating import questions
from hfllm.evaluating.answering import Said
from hfllm.tasks import TaskConfig

Row = dict[str, Any]
DIFFERENCE = ("right", "steps first", "answer first")


def load(
    task: str,
    split: str = "test",
    path: str | None = None,
    rows: int | None = None,
    options: dict[str, Any] | None = None,
    steps_first: str = "{question}\nThink step by step, then give the answer.",
    answer_first: str = "{question}\nGive only the answer, without any steps.",
    base_steps_first: str = "Question: {question}\nSteps:",
    base_answer_first: str = "Question: {question}\nAnswer:",
) -> list[Row]:
    """`options` are the task's own; the base_ wordings are what a base model continues."""
    problems = tasks.load(TaskConfig(task, path=path, split=split, rows=rows, options=options or {}))
    wordings = {"answer first": (answer_first, base_answer_first), "steps first": (steps_first, base_steps_first)}
    return [
        {
            **{key: value for key, value in problem.items() if key != "prompt"},
            "question": problem["prompt"][-1]["content"],
            "expected": problem["answer"],
            "group": group,
            "prompt": questions.messages(_worded(chat, problem)),
            "text": _worded(base, problem),
        }
        for problem in problems
        for group, (chat, base) in wordings.items()
    ]


def judge(said: Said, row: Row) -> dict[str, float]:
    score = tasks.score(said.text, row)
    return {} if score is None else {"right": score}


def _worded(wording: str, problem: Row) -> str:
    return wording.replace("{question}", problem["prompt"][-1]["content"])
