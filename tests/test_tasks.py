"""Every task: its rows, its judgement by hand, its golds over whole test splits, and answers from an adversary."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from hfllm import tasks
from hfllm.errors import UserMistake
from hfllm.tasks import TaskConfig, closed_book, countdown, letters, math, spelling, tool_problems
from hfllm.world.problems import is_held_out

REPOSITORY = Path(__file__).parents[1]
REAL = Path(os.environ.get("HFLLM_TEST_DATA", REPOSITORY.parent / "shared" / "data"))


def problems(name: str, folder: Path, *rows: dict[str, Any], **options: Any) -> list[dict[str, Any]]:
    file = folder / "test.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return list(tasks.load(TaskConfig(name, str(file), "test", options=options)))


def question(row: dict[str, Any]) -> str:
    return str(row["prompt"][0]["content"])


def golds_hold(rows: list[dict[str, Any]]) -> bool:
    module = tasks.find(rows[0]["task"])
    wrong = [row for row in rows if tasks.score(module.gold(row), row) != 1.0 or tasks.score("", row) != 0.0]
    return not wrong


CLIPS = "She sold 48/2 = <<48/2=24>>24 in May.\nThat makes 1000+24 = <<1000+24=1024>>1,024.\n#### 1,024"


def test_gsm8k_loses_its_calculator_and_ends_in_a_sentence(tmp_path: Path) -> None:
    (row,) = problems("gsm8k", tmp_path, {"question": "How many?", "answer": CLIPS})
    assert question(row) == "How many?"
    assert row["answer"] == "1024"
    assert row["solution"] == "She sold 48/2 = 24 in May.\nThat makes 1000+24 = 1,024.\nThe answer is 1024."
    assert golds_hold([row])
    assert tasks.score("#### 1,024", row) == 1.0
    assert tasks.score("<think>1024</think> So 1023.", row) == 0.0


def test_svamp_works_out_its_equation(tmp_path: Path) -> None:
    body = {"Body": "A pack costs 7 coins. If 2 are taken off", "Question": "How much is it?"}
    (row,) = problems("svamp", tmp_path, {**body, "Equation": "( 7.0 - 2.0 )", "Answer": 5.0})
    assert question(row) == "A pack costs 7 coins. If 2 are taken off, How much is it?"
    assert row["solution"] == "7 - 2 = 5. The answer is 5."
    assert golds_hold([row])


def test_a_missing_column_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserMistake, match="has the columns x; the task gsm8k reads question, answer"):
        problems("gsm8k", tmp_path, {"x": 1})
    with pytest.raises(UserMistake, match="the task closed_book reads question or problem"):
        problems("closed_book", tmp_path, {"question": "?"})
    with pytest.raises(UserMistake, match="the task math reads problem, solution"):
        problems("math", tmp_path, {"problem": "?"})


def test_math_reads_the_answer_or_the_box(tmp_path: Path) -> None:
    framed = {"problem": "How many?", "solution": "It is \\framebox{204} \\boxed{5}", "answer": "204"}
    (row,) = problems("math", tmp_path, framed)
    assert question(row) == "How many?\n\nPut the final answer in \\boxed{}."
    assert row["solution"].endswith("The answer is $\\boxed{204}$.")
    (boxed,) = problems("math", tmp_path, {"problem": "?", "solution": "so $\\boxed{\\frac{1}{2}}$"})
    assert boxed["answer"] == "\\frac{1}{2}"
    (bare,) = problems("math", tmp_path, {"problem": "?", "answer": 33})
    assert bare["solution"] == ""
    assert golds_hold([row, boxed, bare])


@pytest.mark.parametrize(
    ("gold", "completion", "value"),
    [
        ("\\frac{1}{2}", "\\boxed{0.5}", 1.0),
        ("\\frac{1}{2}", "The answer is $\\dfrac12$.", 1.0),
        ("\\frac{1}{2}", "<think>\\boxed{1/2}", 0.0),
        ("(3,\\frac{\\pi}{2})", "\\boxed{\\left( 3, \\pi/2 \\right)}", 1.0),
        ("x^2+2x+1", "so it is \\((x+1)^2\\).", 1.0),
        ("x^2+2x+1", "so it is $(x-1)^2$.", 0.0),
        ("\\text{Evelyn}", "\\boxed{Evelyn}", 1.0),
        ("\\text{(C)}", "\\boxed{C}", 1.0),
        ("90^\\circ", "\\boxed{90}", 1.0),
        ("\\$72", "It costs 72.", 1.0),
        ("1,-2", "\\boxed{-2, 1}", 1.0),
        ("2", "\\boxed{1, 2, 3}", 0.0),
        ("\\frac{7}{5} + \\frac{1}{5} i.", "\\boxed{\\frac{1}{5}}", 0.0),  # math-verify alone takes the first it reads
        ("\\frac{7}{5} + \\frac{1}{5} i.", "\\boxed{\\frac{7+i}{5}}", 1.0),
        ("5", "\\boxed{}", 0.0),
        ("", "\\boxed{5}", None),
    ],
)
def test_answers_that_mean_the_same(gold: str, completion: str, value: float | None) -> None:
    assert math.score(completion, {"answer": gold}) == value


@pytest.mark.parametrize(
    ("completion", "value"),
    [
        ("The answer is 44+19+35.", 1.0),
        ("44 + 19 = 63. The answer is (44 + 19) + 35 = 98.", 1.0),
        ("<answer> 35+44+19 </answer>", 1.0),
        ("\\boxed{35 + 44 + 19 = 98}", 1.0),
        ("98 = 35\u2212(-44)+19", 1.0),
        ("The answer is 44+19+35+0.", 0.0),  # a number that was not given
        ("The answer is 44+44+19-9.", 0.0),
        ("The answer is 49+49.", 0.0),
        ("The answer is 98.", 0.0),
        ("The answer is 44+19+35 = 98 = 44+19+36", 1.0),
        ("<think>44+19+35", 0.0),
        ("The answer is 35/(44-44)+19", 0.0),
        ("9**9**9**9", 0.0),
        ("The answer is __import__('os').getcwd()", 0.0),
        ("(" * 190 + "1+2", 0.0),
        ("-" * 190 + "1", 0.0),
    ],
)
def test_countdown_reads_the_expression(completion: str, value: float) -> None:
    assert countdown.score(completion, {"target": 98, "nums": [44, 19, 35]}) == value


def test_countdown_solves_in_fractions(tmp_path: Path) -> None:
    assert countdown.solve([8, 3, 8, 3], 24) == "8/(3-(8/3))"  # the only way goes through 1/3
    assert countdown.solve([1, 1], 7) is None
    rows = problems("countdown", tmp_path, {"target": 24, "nums": [8, 3, 8, 3]}, {"target": 98, "nums": [44, 19, 35]})
    assert rows[0]["answer"] == "24"
    assert golds_hold(rows)


def test_arithmetic_takes_the_kinds_it_is_told(tmp_path: Path) -> None:
    sums = {
        "prompt": [{"role": "user", "content": "1+2=?"}],
        "answer": "3",
        "solution": "The answer is 3.",
        "kind": "sum",
    }
    rows = problems("arithmetic", tmp_path, sums, {**sums, "kind": "shop"}, kinds=["shop"])
    assert [row["kind"] for row in rows] == ["shop"]
    assert golds_hold(rows)
    with pytest.raises(UserMistake, match="no such kind: plums"):
        problems("arithmetic", tmp_path, sums, kinds=["plums"])


@pytest.mark.parametrize(
    ("completion", "value"),
    [
        ("e g g", 1.0),
        ("E-G-G", 1.0),
        ("Egg is spelled e, g, g.", 1.0),
        ("e - g - g", 1.0),
        ("The word is: e g g. A bird lays it.", 1.0),
        ("e\ng\ng", 1.0),
        ("x y z, no: e g g", 1.0),
        ("egg", 0.0),
        ("e g g s", 0.0),
        ("e g g, then e g", 0.0),
        ("e", 0.0),
    ],
)
def test_spelling_finds_the_row_of_letters(completion: str, value: float) -> None:
    assert spelling.score(completion, {"answer": "e g g"}) == value


def test_words_are_spelled_and_counted_and_some_held_out(tmp_path: Path) -> None:
    file = tmp_path / "list.txt"
    file.write_text("Strawberry\negg\negg\nit\nx-ray\n" + "\n".join(f"word{chr(97 + i)}" for i in range(26)))
    for module, name in ((spelling, "spelling"), (letters, "letters")):
        train, test = (list(tasks.load(TaskConfig(name, str(file), split))) for split in ("train", "test"))
        asked = [question(row) for row in train], [question(row) for row in test]
        assert not set(asked[0]) & set(asked[1])
        assert golds_hold(train)
        assert golds_hold(test)
        assert not any("x-ray" in each or " it" in each for each in asked[0] + asked[1])
        with pytest.raises(UserMistake, match="its splits are train and test"):
            module.load("validation")
    (row,) = [row for row in train + test if question(row) == "How many letters r are in the word strawberry?"]
    assert row["solution"] == "strawberry: s0 t0 r1 a1 w1 b1 e1 r2 r3 y3. The answer is 3."
    assert (row in test) == is_held_out("r in strawberry")


def test_closed_book_knows_the_layouts(tmp_path: Path) -> None:
    trivia = {"question": "?", "answer": {"value": "Sunset Blvd.", "aliases": ["Sunset Boulevard", "Sunset Blvd."]}}
    (row,) = problems("closed_book", tmp_path, trivia)
    assert (row["answer"], row["answers"]) == ("Sunset Blvd.", ["Sunset Blvd.", "Sunset Boulevard"])
    (row,) = problems("closed_book", tmp_path, {"question": "?", "possible_answers": '["poet", "writer"]'})
    assert row["answers"] == ["poet", "writer"]
    (row,) = problems("closed_book", tmp_path, {"problem": "?", "answer": "Michio Sugeno"})
    assert row["answers"] == ["Michio Sugeno"]
    (row,) = problems("closed_book", tmp_path, {"question": "?", "answer": ["cane corso", ""]})
    assert row["answers"] == ["cane corso"]


@pytest.mark.parametrize(
    ("answers", "completion", "value"),
    [
        (["The Sunset Blvd."], "it is sunset BLVD!", 1.0),
        (["one", "two"], "It is two.", 1.0),
        (["art"], "the start of a party", 0.0),
        (["A"], "Grade A.", 1.0),  # nothing but an article
        (["!!!"], "the band !!! of course", 1.0),  # nothing but punctuation
        (["!!!"], "no band", 0.0),
        (["Jos\u00e9"], "jos\u00e9", 1.0),
        (["pilot"], "<think>pilot", 0.0),
        (["pilot"], "", 0.0),
        ([""], "anything", None),
    ],
)
def test_a_known_answer_occurs_as_whole_words(answers: list[str], completion: str, value: float | None) -> None:
    assert closed_book.score(completion, {"answers": answers}) == value


@pytest.mark.parametrize(
    ("kind", "answer", "completion", "value"),
    [
        ("lookup", "Gus", "It is gus.", 1.0),
        ("lookup", "Gus", "Gus's", 1.0),
        ("lookup", "Gus", "In August.", 0.0),
        ("lookup", "Gus", "<think>Gus?</think>Hana has it.", 0.0),
        ("lookup", "Gus", "<think>Hana?</think>Gus has it.", 1.0),
        ("product", "1342", "The answer is 1,342.", 1.0),
        ("product", "1342", "<think>The answer is 1342.</think>The answer is 1341.", 0.0),
        ("product", "1342", "<think>The answer is 1342.", 0.0),
        ("product", "unknown", "1342", None),
    ],
)
def test_problems_for_tools_are_judged_behind_the_thinking(
    kind: str, answer: str, completion: str, value: float | None
) -> None:
    assert tool_problems.score(completion, {"kind": kind, "answer": answer}) == value


SPLITS = [
    *[("gsm8k", "gsm8k/hf/main", "test"), ("svamp", "svamp_full/hf", "test"), ("countdown", "countdown/hf", "test")],
    *[
        ("math", "math/hf/math500", "test"),
        ("math", "math/hf/math_test_5000", "test"),
        ("math", "math/hf/aime24", "test"),
    ],
    *[("math", "math/hf/minerva_math", "test"), ("closed_book", "trivia_qa/hf", "validation")],
    *[("closed_book", "popqa/hf/full_schema", "test"), ("closed_book", "popqa/hf/s_pop_2000", "validation")],
    *[("closed_book", "simpleqa/hf", "test"), ("letters", None, "test"), ("spelling", None, "test")],
]


@pytest.mark.parametrize(("name", "path", "split"), SPLITS)
def test_golds_are_right_and_nothing_is_wrong_over_a_whole_split(name: str, path: str | None, split: str) -> None:
    if path and not (REAL / path).is_dir():
        pytest.skip(f"no data in {REAL / path}; set HFLLM_TEST_DATA")
    rows = list(tasks.load(TaskConfig(name, path and str(REAL / path), split)))
    assert golds_hold(rows)


@pytest.mark.slow
def test_math_verify_can_judge_every_gold_of_math() -> None:
    if not (REAL / "math/hf/math_test_5000").is_dir():
        pytest.skip(f"no data in {REAL}; set HFLLM_TEST_DATA")
    rows = tasks.load(TaskConfig("math", str(REAL / "math/hf/math_test_5000"), "test"))
    answers = sorted(set(rows["answer"]))
    assert [answer for answer in answers if math.score("\\boxed{\\frac{17}{4321}}", {"answer": answer}) != 0.0] == []


MINE = """
def load(split):
    return [{"prompt": f"What is {n}+1?", "answer": n + 1} for n in range(4)]

def score(completion, row):
    return float(row["answer"] in completion)
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """Write a task of the user; gives its file's name."""
    monkeypatch.chdir(tmp_path)

    def write(text):
        (tmp_path / "mine.py").write_text(text)
        return "mine.py"

    return write


def test_a_task_of_the_user_is_a_file(mine):
    dataset = tasks.load(tasks.TaskConfig(mine(MINE)))
    assert dataset[1] == {"prompt": [{"role": "user", "content": "What is 1+1?"}], "answer": "2", "task": "mine.py"}
    assert tasks.score("It is 2.", dataset[1]) == 1.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (MINE.replace("load(split)", "load()"), "write  def load"),
        (MINE.replace("score(completion, row)", "score(completion)"), "write  def load"),
        (MINE.replace("def score", "def scores"), "no function score"),
        (MINE.replace("return [", "return 1 + ["), r"load raised TypeError: .* \(mine.py line 3\)"),
        (MINE.replace("return [{", "return 5 or [{"), "must return a Dataset or a list of rows; it returned int"),
        (MINE.replace('"answer": n', '"anwser": n'), "load gave no column answer"),
    ],
)
def test_slips_in_a_task_of_the_user_are_told(mine, text, message):
    with pytest.raises(UserMistake, match=message):
        tasks.load(tasks.TaskConfig(mine(text)))


def test_what_a_score_raises_is_told_with_its_line(mine):
    row = tasks.load(tasks.TaskConfig(mine(MINE.replace('row["answer"]', 'row["anwser"]'))))[0]
    with pytest.raises(UserMistake, match=r"score raised KeyError: 'anwser' \(mine.py line 6\)"):
        tasks.score("2", row)
