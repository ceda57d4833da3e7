"""A thousand answers that nobody would give on purpose, to every task that reads text: no crash, and no waiting."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import Any

import pytest

from hfllm import tasks, verify
from hfllm.tasks import math


@pytest.fixture
def half_a_second(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(verify, "TIME_LIMIT_SECONDS", 0.5)
    yield
    verify.stop()


ROWS: list[dict[str, Any]] = [
    {"task": "gsm8k", "answer": "72"},
    {"task": "svamp", "answer": "72"},
    {"task": "arithmetic", "answer": "72"},
    {"task": "letters", "answer": "3"},
    {"task": "spelling", "answer": "e g g"},
    {"task": "countdown", "answer": "98", "target": 98, "nums": [44, 19, 35]},
    {"task": "closed_book", "answer": "pilot", "answers": ["pilot", "The The", "!!!"]},
    {"task": "tool_problems", "answer": "72", "kind": "product"},
    {"task": "tool_problems", "answer": "Gus", "kind": "lookup"},
    {
        "task": "ifeval",
        "instruction_id_list": ["language:response_language", "length_constraints:number_sentences"],
        "kwargs": [{"language": "de"}, {"relation": "at least", "num_sentences": 3}],
    },
    {"task": "arc", "answer": "B", "choices": ["72", "inf", "x"]},
    {"task": "math", "answer": "\\frac{1}{2}"},
]
PIECES = [
    *[
        "haha ",
        "\u54c8\u54c8",
        "\u0438 \u0442\u0430\u043a ",
        "\u0647\u0647\u0647 ",
        "\u0928\u092e ",
        "the answer is ",
        "Answer: ",
        "\n",
        "  ",
        "\t",
    ],
    *[
        "\ud800",
        "\udfff\ud800",
        "\0",
        "\x1b[31m",
        "\u202e",
        "\ufeff",
        "e\u0301\u0301\u0301",
        "\U0001f600",
        "\u0663",
        "\uff17",
    ],
    *[
        "\\boxed{",
        "}",
        "{",
        "\\frac{",
        "\\sqrt{",
        "$",
        "$$",
        "\\(",
        "\\)",
        "\\left(",
        "\\begin{matrix}",
        "&",
        "\\\\",
        "^",
        "_",
        "%",
    ],
    *[
        "1",
        "72",
        "1,",
        "1/",
        "-",
        "+",
        "*",
        "(",
        ")",
        "e",
        "e g ",
        "1e",
        ".",
        "####",
        "#### 7",
        "<think>",
        "</think>",
        "<answer>",
        "</answer>",
    ],
    *[
        "9^{9^{9}}",
        "__import__('os')",
        "\\text{",
        "\\int",
        "\\infty",
        "x",
        "=",
        "<",
        "\\cup",
        "[1,2)",
        "!",
        "0/0",
        "nan",
        "inf",
    ],
]


def adversarial(rng: random.Random) -> str:
    """One piece for ever, or a few together, or many at random; one in two hundred is a megabyte."""
    pieces = rng.choices(PIECES, k=rng.choice([1, 2, 3, 30]))
    size = rng.choice([1, 10, 100, 1000, 5000]) if rng.random() < 0.995 else 10**6
    text = "".join(pieces)
    return text * (size // len(text) + 1)


@pytest.mark.usefixtures("half_a_second")
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["task"])
def test_a_thousand_adversarial_answers(row: dict[str, Any]) -> None:
    rng = random.Random(0)
    start = time.process_time()
    values = [tasks.score(adversarial(rng), row) for _ in range(1000)]
    assert set(values) <= {0.0, 1.0}
    assert values.count(1.0) < 100  # a few say 72
    assert time.process_time() - start < 60


@pytest.mark.usefixtures("half_a_second")
def test_a_thousand_adversarial_boxes() -> None:
    rng = random.Random(1)
    values = [math.score(f"\\boxed{{{adversarial(rng)[:300]}}}", ROWS[-1]) for _ in range(1000)]
    assert set(values) <= {0.0, 1.0}
