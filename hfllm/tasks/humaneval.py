"""HumanEval: write a Python function from its signature and description; judged by running its tests in the sandbox.

A completion is a whole function, fenced or bare, or what follows the given beginning, as a base model continues it.
Source: Chen et al., "Evaluating Large Language Models Trained on Code", arXiv 2107.03374 (MIT). Hub:
openai/openai_humaneval, split test."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hfllm import programs, sandbox, task_rows
from hfllm.data import DatasetConfig
from hfllm.task_rows import Row

if TYPE_CHECKING:
    from datasets import Dataset

HUB = "openai/openai_humaneval"
INSTRUCTION = "Complete this Python function. Answer with the whole function in a code block."
STOPS = re.compile(
    r"\n(?:class|def|#|if|print|@|```)"
)  # where a continuation ends: the paper's section 2.1, and fences
LIMITS = sandbox.Limits()


def load(split: str, path: str | None = None) -> Dataset:
    """Columns prompt, answer and solution (the reference function), beginning, entry_point, test."""
    config = DatasetConfig(path or HUB, split=split)
    dataset = task_rows.read("humaneval", config, ["prompt", "canonical_solution", "entry_point", "test"])
    return task_rows.problems(dataset, _problem)


def _problem(source: Row) -> Row:
    beginning = source["prompt"]
    function = beginning + source["canonical_solution"]
    return {
        "prompt": task_rows.question(f"{INSTRUCTION}\n\n```python\n{beginning}```"),
        "answer": function,
        "solution": f"```python\n{function.rstrip()}\n```",
        "beginning": beginning,
        "entry_point": source["entry_point"],
        "test": source["test"],
    }


def score(completion: str, row: Row) -> float:
    """1.0 when the tests pass. They take only the function itself from the completion, never the helpers beside it."""
    code = programs.program(completion, row["entry_point"])
    if not code.strip():
        return 0.0
    name = row["entry_point"]
    tests = f"{row['beginning']}\n{row['test']}\nfrom solution import {name}\ncheck({name})\n"
    return float(sandbox.passes(_whole(code, row), tests, LIMITS))


def gold(row: Row) -> str:
    """The reference function in a code block."""
    return row["solution"]


def _whole(code: str, row: Row) -> str:
    """The beginning brings imports and helpers; a function of the same name below it takes its place."""
    if programs.defines(code, row["entry_point"]):
        return f"{row['beginning']}\n{code}"
    body = STOPS.split(code.strip("\n"), maxsplit=1)[0]
    indent = "" if body[:1].isspace() else "    "  # a stripped completion has lost its first indent
    return f"{row['beginning'].rstrip()}\n{indent}{body}\n"
