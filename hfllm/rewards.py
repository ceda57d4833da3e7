"""What is a completion worth? One public function a reward; a recipe names it, with its options and its weight:

    rewards: {accuracy: {}, format: {weight: 0.2}, length: {target_tokens: 200, only_correct: true}, mine.py:shout: {}}

The signature is TRL's: `(completions, *, option=..., **columns) -> list of one number a completion`, or None where it
cannot judge. Columns of the data set come as lists of one value a completion, beside `prompts` and `completion_ids`.
A keyword without a default is a column that must be there; one annotated int, float or bool is an option that must.

`hfllm rewards audit RECIPE` tells before any training whether they pay for nonsense."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from hfllm import answers, programs, sandbox, tasks
from hfllm.completion import Completion, normalised, text_of, tool_calls

Rewards = list[float | None]

CHARACTERS_A_TOKEN = 4  # of English in the vocabularies of today's models; chosen by us


def accuracy(completions: list[Completion], *, answer: list[Any], **columns: Any) -> Rewards:
    """1 for a right answer, 0 for a wrong one: what the row's `task` says, else whether it says the `answer`."""
    rows = _rows(len(completions), {"answer": answer, **columns})
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # a program, or hard mathematics, waits for a process of its own
        return list(pool.map(_accuracy, map(text_of, completions), rows))


def number(completions: list[Completion], *, answer: list[Any], **columns: Any) -> Rewards:
    """1 where the last number behind the thoughts is that of `answer`: 1,234 and $1234.00 are the same."""
    return [
        _same_number(text_of(completion), str(gold)) if gold is not None else None
        for completion, gold in zip(completions, answer, strict=True)
    ]


def format(
    completions: list[Completion], *, opening: str | None = "<think>", closing: str = "</think>", **columns: Any
) -> Rewards:
    """1 for one thought between the tags and an answer behind them, neither of them empty.

    `opening: null` where the chat template writes the first tag itself."""
    return [float(_thinks_then_answers(text_of(completion), opening, closing)) for completion in completions]


def matches(completions: list[Completion], *, pattern: str, **columns: Any) -> Rewards:
    """1 where the regular expression occurs, 0 elsewhere: with weight 0 a measure, of shown steps or of "wait"."""
    return [float(re.search(pattern, text_of(completion)) is not None) for completion in completions]


def tags(
    completions: list[Completion],
    *,
    wanted: Sequence[str] = ("<think>", "</think>", "<answer>", "</answer>"),
    **columns: Any,
) -> Rewards:
    """The share of the wanted tags that stand in the text once, each behind the one before."""
    return [_share_of_tags(text_of(completion), wanted) for completion in completions]


def length(
    completions: list[Completion],
    *,
    completion_ids: list[list[int]],
    target_tokens: int,
    only_correct: bool = False,
    **columns: Any,
) -> Rewards:
    """Tokens (results of tools too) up to `target_tokens`: 0 for none, 1 for all of them and more.

    Alone it teaches to talk on; `only_correct` pays right answers only, and reads what `accuracy` reads."""
    shares = [min(1.0, len(ids) / target_tokens) for ids in completion_ids]
    if not only_correct:
        return list(shares)
    right = accuracy(completions, **columns)
    return [None if judged is None else share * judged for share, judged in zip(shares, right, strict=True)]


def cosine(
    completions: list[Completion],
    *,
    answer: list[Any],
    completion_ids: list[list[int]],
    max_tokens: int,
    correct_short: float = 1.0,
    correct_long: float = 0.5,
    wrong_short: float = -1.0,
    wrong_long: float = -0.5,
    **columns: Any,
) -> Rewards:
    """Right: the shorter the better. Wrong: the longer the better, for it may yet find the way.

    Half a cosine from `*_short` at 0 tokens to `*_long` at `max_tokens` and beyond (arXiv 2502.03373, appendix C.1; the
    values are TRL's)."""
    right = accuracy(completions, answer=answer, completion_ids=completion_ids, **columns)
    shares = [min(1.0, len(ids) / max_tokens) for ids in completion_ids]
    ends = {True: (correct_short, correct_long), False: (wrong_short, wrong_long)}
    return [
        None if judged is None else _half_cosine(share, *ends[judged == 1])
        for judged, share in zip(right, shares, strict=True)
    ]


def repetition(
    completions: list[Completion],
    *,
    completion_ids: list[list[int]] | None = None,
    ngram_size: int = 3,
    **columns: Any,
) -> Rewards:
    """0 for a text that repeats nothing, towards -1 for a loop: less the share of n-grams that stood there before.

    Of tokens, so that it works for scripts without spaces; where no ids are given, of as many characters as so many
    tokens have on average (arXiv 2502.03373, appendix C.2, over the whole text)."""
    if completion_ids is None:
        size = ngram_size * CHARACTERS_A_TOKEN
        return [0.0 - _repeated(text_of(completion), size) for completion in completions]
    return [0.0 - _repeated(tuple(ids), ngram_size) for ids in completion_ids]


def overlong(
    completions: list[Completion],
    *,
    completion_ids: list[list[int]],
    max_tokens: int,
    buffer_tokens: int,
    **columns: Any,
) -> Rewards:
    """0 until `buffer_tokens` before `max_tokens`, falling to -1 there (DAPO, arXiv 2503.14476, equation 13)."""
    over = [len(ids) - (max_tokens - buffer_tokens) for ids in completion_ids]
    return [0.0 - min(1.0, max(0, tokens) / max(1, buffer_tokens)) for tokens in over]


def python_tests(
    completions: list[Completion], *, tests: list[Any], timeout_seconds: float = 5.0, **columns: Any
) -> Rewards:
    """1 where the program (the last ```python block) passes all of the row's `tests`, 0 otherwise.

    `tests` is a text or a list of asserts, or a list of {input, output}: what stdin gives, and what stdout must be, all
    of it. Runs model-written code: hfllm/sandbox.py says what it does and does not hold back."""
    limits = sandbox.Limits(timeout_seconds=timeout_seconds)
    codes = [_program(answers.after_thinking(text_of(completion))) for completion in completions]
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # each waits for a process of its own
        return list(pool.map(partial(_passes, limits=limits), codes, tests))


def tool_use(completions: list[Completion], *, max_calls: int | None = None, **columns: Any) -> Rewards:
    """The share of tool calls that gave no error; 0 without a call, and 0 for more than `max_calls`."""
    counts = [tool_calls(completion) for completion in completions]
    return [good / called if called and (max_calls is None or called <= max_calls) else 0.0 for called, good in counts]


def _rows(count: int, columns: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of the data set again: TRL gives their columns, the trainer's state and functions among them."""
    lists = {name: values for name, values in columns.items() if isinstance(values, list) and len(values) == count}
    lists["prompt"] = lists.pop("prompts", [None] * count)
    return [{name: values[index] for name, values in lists.items()} for index in range(count)]


def _accuracy(text: str, row: dict[str, Any]) -> float | None:
    if row.get("task") is not None:
        return tasks.score(text, row)
    if row["answer"] is None:
        return None
    gold = str(row["answer"])
    if "####" in gold or answers.number(gold) is not None:
        return _same_number(text, gold)
    return float(normalised(_final_words(text)) == normalised(answers.boxed(gold) or gold))


def _same_number(text: str, gold: str) -> float | None:
    """None where the right answer has no number."""
    right = answers.last_number(gold)
    return None if right is None else float(answers.last_number(answers.after_thinking(text)) == right)


def _final_words(text: str) -> str:
    """The answer a text gives: in <answer> tags, in a box, behind "the answer is", or all behind the thoughts."""
    said = answers.after_thinking(text)
    said = said.rpartition("<answer>")[2].partition("</answer>")[0]
    stated = (answers.boxed(said), answers.behind_answer_is(said))
    return next((words for words in stated if words), said)


def _thinks_then_answers(text: str, opening: str | None, closing: str) -> bool:
    before, _, rest = text.partition(opening) if opening else ("", "", text)
    thought, _, answer = rest.partition(closing)
    once = closing not in answer and not (opening and opening in rest)
    return once and not before.strip() and bool(thought.strip() and answer.strip())


def _share_of_tags(text: str, wanted: Sequence[str]) -> float:
    found, end = 0, 0
    for tag in wanted:
        if text.count(tag) == 1 and text.index(tag) >= end:
            found, end = found + 1, text.index(tag) + len(tag)
    return found / len(wanted)


def _half_cosine(share: float, start: float, end: float) -> float:
    """_half_cosine(0, 1, .5) == 1, _half_cosine(1, 1, .5) == .5"""
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2


def _repeated(units: Sequence[Any], size: int) -> float:
    """The share of n-grams that are not new: _repeated("aaaa", 2) == 2/3."""
    count = len(units) - size + 1
    return 1 - len({units[start : start + size] for start in range(count)}) / count if count > 0 else 0.0


def _program(text: str) -> str:
    """The last block between fences; without one, all of it."""
    return (programs.fenced(text) or [text])[-1]


def _passes(program: str, tests: Any, limits: sandbox.Limits) -> float | None:
    if not tests:
        return None
    if isinstance(tests, str):
        return float(sandbox.passes(program, tests, limits))
    if isinstance(tests[0], str):
        return float(sandbox.passes(program, "\n".join(tests), limits))
    return float(all(_prints(program, test["input"], test["output"], limits) for test in tests))


def _prints(program: str, stdin: str, wanted: str, limits: sandbox.Limits) -> bool:
    """Whole outputs are compared: with a comparison line by line, printing the first line would pass."""
    outcome = sandbox.run(program, stdin=stdin, limits=limits)
    return outcome.status == "ok" and _lines(outcome.stdout) == _lines(wanted)


def _lines(output: str) -> list[str]:
    """Without spaces at the ends of lines and empty lines at the end, which nobody sees."""
    return [line.rstrip() for line in output.rstrip().splitlines()]
