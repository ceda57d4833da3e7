"""Competition mathematics whose answer is a formula; right when the completion's last answer means the same.

Tests on Hub id HuggingFaceH4/MATH-500 (500 problems), trains on DigitalLearningGmbH/MATH-lighteval (7,500), MIT
licence. Hendrycks et al., "Measuring Mathematical Problem Solving With the MATH Dataset", arXiv 2103.03874. Any data
set does (AIME, AMC, Minerva) that has `problem`, and `answer` or a `solution` with \\boxed{...}.

Equal texts and equal numbers are judged here, the rest by math-verify in a process of its own: see hfllm/verify.py."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hfllm import task_rows, verify
from hfllm.answers import after_thinking, behind_answer_is, boxed, last_number, number
from hfllm.data import DatasetConfig
from hfllm.task_rows import Row

if TYPE_CHECKING:
    from datasets import Dataset

HUB = {"train": "DigitalLearningGmbH/MATH-lighteval", "test": "HuggingFaceH4/MATH-500"}
INSTRUCTION = "Put the final answer in \\boxed{}."
TAIL = 2000  # characters at the end of a completion without a box that are searched for an answer
FORMULA = re.compile(r"\$+((?:[^$\\]|\\.){1,600})\$+|\\\((.{1,600}?)\\\)", re.DOTALL)
WORDS = re.compile(r"\\(?:text|textbf|textit|mathrm|mathbf|mbox)\s?\{([^{}]*)\}")
SAME_LOOKS = {r"\left": "", r"\right": "", r"\!": "", r"\,": "", r"\;": "", r"\ ": "", "dfrac": "frac", "tfrac": "frac"}
UNITS = re.compile(r"\^\{?\\circ\}?|\\?%|\\\$|\$")


def load(split: str, path: str | None = None, name: str | None = None) -> Dataset:
    """Columns `prompt`, `answer` (LaTeX), `solution` (worked, ends in the boxed answer; "" where the data has none).

    `name`: configuration of a data set on the Hub."""
    config = DatasetConfig(path=path or HUB.get(split.partition("[")[0], HUB["test"]), name=name, split=split)
    dataset = task_rows.read("math", config, ["problem"])
    if "answer" not in dataset.column_names:
        dataset = task_rows.read("math", config, ["problem", "solution"])
    return task_rows.problems(dataset, _problem)


def score(completion: str, row: Row) -> float | None:
    """None when the row's own answer is none, or takes math-verify longer than the time limit."""
    if not row["answer"]:
        return None
    answer = stated(after_thinking(completion))
    if not answer or len(answer) > verify.MAX_CHARACTERS:
        return 0.0
    verdict = looks_the_same(row["answer"], answer)
    if verdict is None:
        verdict = verify.same(_readable(row["answer"]), _readable(answer))
    return None if verdict is None else float(verdict)


def gold(row: Row) -> str:
    return row["solution"] or _boxed_answer(row["answer"])


def stated(text: str) -> str:
    """The answer a text gives: its last box, else what follows "the answer is", else the last formula or number."""
    content = boxed(text)
    if content is not None:
        return content.strip()
    tail = text[-TAIL:]
    sentence = behind_answer_is(tail) or ""
    found = [*_formulas(sentence)[:1], sentence, *_formulas(tail)[-1:], str(last_number(tail) or "")]
    return next((answer for each in found if (answer := each.strip("$* \t"))), "")


def looks_the_same(gold_answer: str, answer: str) -> bool | None:
    """True or False where the looks of two answers decide; None where mathematics must."""
    if plain(gold_answer) == plain(answer):
        return True
    expected, given = number(gold_answer), number(answer)
    if expected is None or given is None or "%" in gold_answer + answer:
        return None
    return expected == given


def plain(latex: str) -> str:
    """plain(r"\\left(3, \\dfrac{1}{2}\\right)") == r"(3,\\frac{1}{2})" : without what changes nothing but the looks."""
    for look, simple in SAME_LOOKS.items():
        latex = latex.replace(look, simple)
    latex = re.sub(r"\s+", "", UNITS.sub("", WORDS.sub(r"\1", latex))).removesuffix(".")
    return latex[1:-1] if re.fullmatch(r"\([A-Za-z]\)", latex) else latex  # (C) and C choose the same


def _problem(row: Row) -> Row:
    solution = row.get("solution") or ""
    in_solution = boxed(solution)
    answer = str(row["answer"]) if row.get("answer") is not None else (in_solution or "")
    if solution and answer and (in_solution is None or plain(in_solution) != plain(answer)):
        solution += f"\n{_boxed_answer(answer)}"
    content = f"{row['problem'].strip()}\n\n{INSTRUCTION}"
    return {"prompt": task_rows.question(content), "answer": answer, "solution": solution}


def _readable(latex: str) -> str:
    """Without a full stop and without spaces inside numbers, which math-verify does not read."""
    return latex.replace(r"\!", "").replace("{,}", ",").rstrip(". ")


def _formulas(text: str) -> list[str]:
    """What stands between dollars or \\( and \\), in order."""
    return [match[1] or match[2] for match in FORMULA.finditer(text)]


def _boxed_answer(answer: str) -> str:
    return f"The answer is $\\boxed{{{answer}}}$."
