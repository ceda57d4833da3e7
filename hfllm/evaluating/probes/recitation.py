"""Which documents does a model know by heart? It is given the beginning of each, and goes on greedily.

`exact`: all that follows, token for token. `longest_run_tokens`: the longest run of tokens that also stands in the true
rest, `longest_run` its share of the rest. What stands often in the training text is recited, what stands once is not
(Carlini et al., arXiv 2202.07646). A chat model continues the bare text, too, unless it has forgotten how."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import Any

from hfllm.evaluating import questions
from hfllm.evaluating.answering import Said

Row = dict[str, Any]


def load(
    path: str,
    split: str = "train",
    name: str | None = None,
    where: questions.Where | None = None,
    rows: int | None = None,
    by: str | None = None,
    prompt_words: int = 8,
    most_words: int = 100,
) -> list[Row]:
    """Each different `text` once: its first `prompt_words` words are given, the next `most_words` at most are asked.

    `by` is the column to count apart."""
    found = {
        row["text"]: row for row in questions.read(path, split, name, where, columns=["text", *([by] if by else [])])
    }
    beginnings = [(row, _parts(row["text"], prompt_words, most_words)) for row in found.values()]
    chosen = [
        {"prompt": given, "rest": rest, "expected": rest, "group": str(row[by]) if by else ""}
        for row, (given, rest) in beginnings
        if rest.strip()
    ]
    return questions.sample(chosen, rows)


def judge(said: Said, row: Row) -> dict[str, float]:
    true, spoken = said.tokens(row["rest"]), said.tokens(said.text)
    run = longest_run(true, spoken)
    return {
        "exact": float(spoken[: len(true)] == true),
        "longest_run": run / len(true),
        "longest_run_tokens": float(run),
    }


def longest_run(one: list[int], other: list[int]) -> int:
    """longest_run([1, 2, 3, 4], [9, 2, 3, 9]) == 2"""
    return SequenceMatcher(None, one, other, autojunk=False).find_longest_match().size


def _parts(text: str, prompt_words: int, most_words: int) -> tuple[str, str]:
    """_parts("a b c d", 2, 1) == ("a b", " c") : the blank belongs to the word behind it, as in tokens"""
    ends = [place for place in range(1, len(text) + 1) if _ends_word(text, place)]
    if len(ends) <= prompt_words:
        return text, ""
    begun, last = ends[prompt_words - 1], ends[min(prompt_words + most_words, len(ends)) - 1]
    return text[:begun], text[begun:last]


def _ends_word(text: str, place: int) -> bool:
    return not text[place - 1].isspace() and (place == len(text) or text[place].isspace())
