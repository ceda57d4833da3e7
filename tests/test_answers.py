"""Numbers, boxes and thinking in answers: by hand, and on a megabyte of anything."""

from __future__ import annotations

import time
from fractions import Fraction

import pytest

from hfllm.answers import after_thinking, behind_answer_is, boxed, judge_number, last_number, number


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("72", 72),
        ("1,234", 1234),
        ("1,234,567.5", Fraction("1234567.5")),
        ("$72.00", 72),
        ("-$5", -5),
        ("72%", 72),
        ("-5", -5),
        ("\u22125", -5),
        ("3/4", Fraction(3, 4)),
        ("3 / 4", Fraction(3, 4)),
        ("2 1/2", Fraction(5, 2)),
        (".5", Fraction(1, 2)),
        ("1e3", 1000),
        ("2.5e-1", Fraction(1, 4)),
        (r"\frac{3}{4}", Fraction(3, 4)),
        (r"\dfrac12", Fraction(1, 2)),
        (r"-\frac{3}{4}", Fraction(-3, 4)),
        (r"1\frac{1}{2}", Fraction(3, 2)),
        (r"\$1{,}234", 1234),
        (r"10\,000", 10000),
        (r"$72\%$", 72),
    ],
)
def test_one_number_and_nothing_else(text: str, value: Fraction) -> None:
    assert number(text) == value
    assert last_number(text) == value
    assert last_number(f"First 11, then 12. The answer is {text}.") == value
    assert last_number(f"11 and 12, so \\boxed{{{text}}}, not 13.") == value


@pytest.mark.parametrize(
    "text", ["", "x", "5 apples", "1,2,3", "3-5", "1/0", "9" * 401, "1e9999", "x2", "\ud800", "\0", "5\n\n6"]
)
def test_not_one_number(text: str) -> None:
    assert number(text) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("48/2 = 24 clips in May.\n48+24 = 72 clips.\n#### 72", 72),
        ("#### 72\nThat took 3 steps.", 72),
        ("#### 3. Add them up\n5 + 4 = 9", 9),  # a heading, not an answer
        ("The answer is 72. I used 3 steps.", 72),
        ("**Answer:** 72 apples in 3 boxes", 72),
        ("The final answer to question A is: \n$72$", 72),
        ("The answer is 5 + 3 = 8. Check: 2", 8),
        ("The answer is not 5. It is 6.", 6),
        ("The answer is 5. No: the answer is 6, of 7.", 6),
        (r"\boxed{5} or rather \boxed{6}. The answer is 7.", 6),  # a box goes first
        (r"\boxed{72\text{ cm}^2}", 72),
        (r"\boxed{x = 5}", 5),
        (r"\boxed{\text{none}} of 5", None),  # an answer that is no number
        (r"\boxed{5", 5),  # cut off: no box
        ("she has 10-5", 5),
        ("from 3-5 to x = -5", -5),
        ("H2O and x2", None),
        ("72 km, see Fig12", 72),
        ("12 apples in box B12.", 12),
        ("x12 and x_12 and \\hat{x}_12", None),
        ("72 as in Table3.14 of v2.15.3", 72),
        ("It was USD1,234", None),
        ("The answer is B12, that is 5.", 5),
        (r"x\frac{13}{24}", Fraction(13, 24)),
        (r"so x \approx72", 72),
        ("5kg", 5),
        ("3x", 3),
        ("10x10", 10),
        ("72cm2", 72),
        ("Rs.72", 72),
        ("_72_ or __72__", 72),
        ("1,2,3", 3),
        ("20 3/4/2020", 2020),
        ("答えは72です", 72),
        ("seventy-two", None),
        ("", None),
    ],
)
def test_the_number_a_text_ends_in(text: str, value: Fraction | None) -> None:
    assert last_number(text) == value


@pytest.mark.parametrize(
    ("text", "content"),
    [
        (r"\boxed{72}", "72"),
        (r"\boxed {72}", "72"),
        (r"\fbox{7}", "7"),
        (r"a \boxed{\frac{1}{2}} b", r"\frac{1}{2}"),
        (r"\boxed{\boxed{3}}", "3"),
        (r"\boxed{1} \boxed{2} \boxed{3", "2"),
        (r"\boxed{ oops \boxed{5}", "5"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        (r"}}} {{ \boxed{4}", "4"),
        (r"\boxed{}", ""),
        (r"\boxed{", None),
        (r"\\boxed", None),
        ("72", None),
    ],
)
def test_the_last_complete_box(text: str, content: str | None) -> None:
    assert boxed(text) == content


def test_what_stands_behind_the_thinking() -> None:
    assert after_thinking("5") == "5"
    assert after_thinking("<think>4?</think>5") == "5"
    assert after_thinking("4?</think>5") == "5"  # the template opened it in the prompt
    assert after_thinking("<think>the answer is 5") == ""
    assert after_thinking("<think>4</think>5<think>6") == ""
    assert after_thinking("<think></think> 3 </think>5") == "5"


def test_the_sentence_of_the_answer() -> None:
    assert behind_answer_is("So the answer is: $x^2$. Good.") == "$x^2$"
    assert behind_answer_is("Answer: 1.5 km\nor so") == "1.5 km"
    assert behind_answer_is("It is 5.") is None


def test_a_number_is_judged_behind_the_thinking() -> None:
    assert judge_number("<think>73</think>The answer is 1,072.0.", "1072") == 1.0
    assert judge_number("<think>1072", "1072") == 0.0
    assert judge_number("", "1072") == 0.0
    assert judge_number("1072", "unknown") is None
    assert judge_number("She has 12 apples in box B12.", "2") == 0.0


LONG = [
    *[
        "9",
        "1,",
        ",234",
        "-",
        "{",
        "}",
        r"\boxed{",
        r"\boxed{1}",
        "answer ",
        "answer is ",
        "#### 1\n",
        "#",
        "$",
        "1 ",
        "1/",
        "1e",
    ],
    *[".1", "\\", "\\frac{1}{", "\ud800", "\0", "<think>", "</think>", "的", "haha ", "\n", " ", r"\boxed" + " " * 50],
    *["a", "a1", "a1.1", "a1,234", "_", "a_", "1_", "\\a", "}_1", "a "],
]


@pytest.mark.parametrize("piece", LONG, ids=ascii)
def test_a_megabyte_takes_linear_time(piece: str) -> None:
    text = "The answer" + piece * (10**6 // len(piece)) + "x"
    start = time.process_time()
    for function in (last_number, number, boxed, after_thinking, behind_answer_is):
        function(text)
    assert time.process_time() - start < 20  # 0.1 to 1 as a rule; what looks at every pair takes hours
