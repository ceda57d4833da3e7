"""tasks/humaneval.py, tasks/mbpp.py, programs.py: golds pass, everything else does not, and nothing crashes."""

import os
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from datasets import Dataset

from hfllm import programs
from hfllm.errors import UserMistake
from hfllm.tasks import humaneval, mbpp

DATA = Path(os.environ.get("HFLLM_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))

HUMANEVAL_ROWS = [
    {
        "task_id": "own/0",
        "prompt": "import math\n\n\ndef twice(x):\n    return 2 * x\n\n\n"
        'def area(r: float) -> float:\n    """ area(1) is pi """\n',
        "entry_point": "area",
        "canonical_solution": "    return math.pi * r**2\n",
        "test": "\n\nMETADATA = {}\n\n\ndef check(candidate):\n    assert abs(candidate(1) - math.pi) < 1e-6\n"
        "    assert twice(candidate(0)) == 0\n",
    },
    {
        "task_id": "own/1",
        "prompt": 'from typing import List\n\ndef largest(l: List[int]) -> int:\n    """ of all """\n',
        "entry_point": "largest",
        "canonical_solution": "    m = l[0]\n    for e in l:\n        if e > m:\n            m = e\n    return m\n",
        "test": "def check(candidate):\n    assert candidate([1, 3, 2]) == 3\n    assert candidate([-5]) == -5\n",
    },
]
MBPP_ROWS = [
    {
        "text": "Write a function to add.",
        "code": "def sum(a, b): \r\n    return a + b ",
        "task_id": 1,
        "test_setup_code": "",
        "test_list": ["assert sum(1, 2) == 3", "assert sum(-1, 1) == 0"],
        "challenge_test_list": [],
    },
    {
        "text": "Write a function to find the height of a tree.",
        "code": "class Node:\r\n    def __init__(self, data):\r\n        self.data, self.left = data, None\r\n"
        "def height(node):\r\n    return 0 if node is None else 1 + height(node.left)",
        "task_id": 2,
        "test_setup_code": "root = Node(1)\r\nroot.left = Node(2)",
        "test_list": ["assert height(root) == 2", "assert height(None) == 0"],
        "challenge_test_list": [],
    },
]


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    folder = tmp_path_factory.mktemp("code")
    Dataset.from_list(HUMANEVAL_ROWS).to_json(folder / "humaneval.jsonl")
    Dataset.from_list(MBPP_ROWS).to_json(folder / "mbpp.jsonl")
    return {
        humaneval: list(humaneval.load("train", str(folder / "humaneval.jsonl"))),
        mbpp: list(mbpp.load("train", str(folder / "mbpp.jsonl"))),
    }


@pytest.fixture(scope="module")
def area(rows):
    return rows[humaneval][0]


@pytest.fixture(scope="module")
def addition(rows):
    return rows[mbpp][0]


@pytest.mark.parametrize("task", [humaneval, mbpp], ids=["humaneval", "mbpp"])
def test_gold_is_right_and_nothing_is_wrong(task, rows):
    for row in rows[task]:
        assert task.score(task.gold(row), row) == 1.0
        assert task.score(row["answer"], row) == 1.0  # without a fence
        assert task.score("", row) == 0.0


def test_the_question_shows_what_the_answer_needs(rows, area):
    assert "def area(r: float)" in area["prompt"][0]["content"]
    assert "math.pi * r" not in area["prompt"][0]["content"]
    tree = rows[mbpp][1]["prompt"][0]["content"]
    assert "root.left = Node(2)\nassert height(root) == 2" in tree
    assert rows[mbpp][1]["names"] == ["Node", "height"]


@pytest.mark.parametrize(
    "completion",
    [
        "    return math.pi * r**2",
        "    return math.pi * r**2\n\n\ndef area_of_a_square(x):\n    return broken(",
        "return math.pi * r**2\n\nprint(area(1",
        "```python\ndef area(r):\n    return 3.14159265358979 * r * r\n```",
        "First:\n```python\ndef area(r):\n    return 0\n```\nOr:\n```python\ndef area(r): return math.pi * r**2\n```",
        "```python\ndef area(r):\n    return math.pi * r * r\n```\nUse it so:\n```python\nprint(area(2))\n```",
        "<think>Is it ```python\ndef area(r): return 0\n```?</think>\n```\ndef area(r): return math.pi * r**2\n```",
        "```python\nfrom math import *\ndef area(r):\n    return pi * r * r\n",
        "```py\n    return math.pi * r**2\n```",
    ],
)
def test_ways_to_write_a_right_function(completion, area):
    assert humaneval.score(completion, area) == 1.0


@pytest.mark.parametrize(
    "completion",
    [
        "    return 3",
        "    pass",
        "```python\ndef area(r):\n    return 0\n```",
        "def area(r):\n    return 1 + \n",
        "import sys\nsys.exit(0)\ndef area(r): return 3",
        "def area(r):\n    raise SystemExit(0)",
        "def check(candidate): pass\ndef area(r): return 0",
        "abs = lambda x: 0\ndef area(r): return 0",
        "def twice(x): return 0\ndef area(r): return math.pi",  # the helper of the question is not the solution's
        "class Equal(float):\n    __sub__ = lambda s, o: s\n    __abs__ = lambda s: 0.0\ndef area(r): return Equal(0)",
        "def area(r):\n    import math\n    math.pi = 0\n    return 0",
        "<think>def area(r): return math.pi * r * r",
    ],
)
def test_ways_to_write_a_wrong_function(completion, area):
    assert humaneval.score(completion, area) == 0.0


def test_a_cheat_with_the_tests_of_mbpp(addition):
    for cheat in (
        "import os\nos._exit(0)",
        "class Equal:\n    __eq__ = lambda self, other: True\ndef sum(a, b): return Equal()",
        "import builtins\nbuiltins.sum = lambda a, b: a + b",
        "def sum(a, b): return b",
        "```python\nassert sum(1, 2) == 3\n```",
    ):
        assert mbpp.score(cheat, addition) == 0.0


def test_a_row_whose_tests_call_nothing_of_the_reference_cannot_be_judged(tmp_path):
    source = {**MBPP_ROWS[0], "code": "add = lambda a, b: a + b", "test_list": ["assert add(1, 2) == 3"]}
    Dataset.from_list([source]).to_json(tmp_path / "mine.jsonl")
    (row,) = mbpp.load("train", str(tmp_path / "mine.jsonl"))
    assert [mbpp.score(text, row) for text in (mbpp.gold(row), "")] == [None, None]


def test_what_a_fence_holds():
    assert programs.fenced("a\n```python\nb\n```\nc\n~~~\nd\n~~~") == ["b\n", "d\n"]
    assert programs.fenced("a\n```\nb") == ["b"]
    assert programs.fenced("x = '```'") == []
    assert programs.program("nothing here", "f") == "nothing here"


def test_a_data_set_without_the_columns_is_told_of(tmp_path):
    Dataset.from_list([{"question": "1 + 1", "answer": "2"}]).to_json(tmp_path / "mine.jsonl")
    with pytest.raises(UserMistake, match="question, answer"):
        mbpp.load("train", str(tmp_path / "mine.jsonl"))


def adversarial(count):
    """Looping, huge, broken, in other scripts, with what a parser, a terminal or a tokenizer trips over."""
    draw = random.Random(0)
    parts = [
        *(
            "```",
            "```python\n",
            "def area(r):\n",
            "def sum(a, b):\n",
            "    return ",
            "(" * 300,
            "\x00",
            "\ud800",
            "\u202e",
        ),
        *("<think>", "</think>", "\\boxed{9^{9^{9}}}", "9**9**9", "界" * 50, "\r\n", "\t", "lambda: ", "[" * 2000, "é"),
        *(
            "import os\n",
            "while True: pass\n",
            "raise SystemExit\n",
            "f'{",
            "'''",
            '"""',
            "#",
            "\\",
            "yield ",
            "1" * 5000,
        ),
    ]
    for _ in range(count):
        yield "".join(draw.choices(parts, k=draw.randint(1, 12)))
    yield "def area(r):\n" * 80_000  # one megabyte
    yield "```\n" * 250_000
    yield "<think>" * 100_000
    yield "x = " + "-" * 10**6 + "1"


@pytest.mark.parametrize("task", [humaneval, mbpp], ids=["humaneval", "mbpp"])
def test_adversarial_completions_score_nothing_and_do_not_crash(task, rows, monkeypatch):
    monkeypatch.setattr(task, "LIMITS", humaneval.LIMITS.__class__(timeout_seconds=1))
    with ThreadPoolExecutor(2) as pool:
        scores = list(pool.map(lambda completion: task.score(completion, rows[task][0]), adversarial(60)))
    assert scores == [0.0] * 64


def whole_split(task, folder):
    if not (DATA / folder).is_dir():
        pytest.skip(f"no folder {DATA / folder}: the data is not part of the repository (HFLLM_TEST_DATA)")
    split = list(task.load("test", str(DATA / folder)))
    with ThreadPoolExecutor(2) as pool:
        wrong = pool.map(lambda row: (task.score(task.gold(row), row), task.score("", row)) != (1.0, 0.0), split)
        return [row["answer"] for row, is_wrong in zip(split, wrong, strict=True) if is_wrong]


def test_every_gold_of_humaneval():
    assert whole_split(humaneval, "humaneval/hf") == []


@pytest.mark.slow
def test_every_gold_of_mbpp():
    assert whole_split(mbpp, "mbpp/hf") == []


@pytest.mark.slow
def test_a_thousand_adversarial_completions(rows, monkeypatch):
    monkeypatch.setattr(humaneval, "LIMITS", humaneval.LIMITS.__class__(timeout_seconds=1))
    with ThreadPoolExecutor(2) as pool:
        scores = list(pool.map(lambda completion: humaneval.score(completion, rows[humaneval][0]), adversarial(1000)))
    assert scores == [0.0] * 1004
