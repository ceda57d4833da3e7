"""MBPP: write a short Python function from one sentence and its tests; judged by running the tests in the sandbox.

Source: Austin et al., "Program Synthesis with Large Language Models", arXiv 2108.07732 (CC BY 4.0); the question is
worded as in their section 3. Hub: google-research-datasets/mbpp, splits train, test, validation, prompt."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hfllm import programs, sandbox, task_rows
from hfllm.data import DatasetConfig
from hfllm.task_rows import Row

if TYPE_CHECKING:
    from datasets import Dataset

HUB = "google-research-datasets/mbpp"
DEFINED = re.compile(r"^(?:def|class)\s+(\w+)", re.MULTILINE)
LIMITS = sandbox.Limits(timeout_seconds=15)  # the slowest reference takes 6 on a busy core


def load(split: str, path: str | None = None) -> Dataset:
    """Columns prompt, answer and solution (the reference program), names (what the tests call), tests."""
    config = DatasetConfig(path or HUB, split=split)
    dataset = task_rows.read("mbpp", config, ["text", "code", "test_setup_code", "test_list"])
    return task_rows.problems(dataset, _problem)


def _problem(source: Row) -> Row:
    code = source["code"].replace("\r\n", "\n").rstrip()
    tests = "\n".join([source["test_setup_code"].replace("\r\n", "\n"), *source["test_list"]]).strip()
    question = f"{source['text']}\nYour code should pass these tests:\n\n```python\n{tests}\n```"
    return {
        "prompt": task_rows.question(question),
        "answer": code,
        "solution": f"```python\n{code}\n```",
        "names": [name for name in dict.fromkeys(DEFINED.findall(code)) if re.search(rf"\b{name}\b", tests)],
        "tests": tests,
    }


def score(completion: str, row: Row) -> float | None:
    """1.0 when the program defines what the tests call, and all of them pass; None when they call nothing of it."""
    if not row["names"]:
        return None
    code = programs.program(completion, row["names"][0])
    return float(sandbox.passes(code, f"from solution import {', '.join(row['names'])}\n{row['tests']}\n", LIMITS))


def gold(row: Row) -> str:
    """The reference program in a code block."""
    return row["solution"]
