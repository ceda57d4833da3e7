"""multiple_choice.py and its tasks: which letter an answer names, and what the rows of the data sets become."""

import os
import random
from pathlib import Path

import pytest
from datasets import Dataset

from hfllm import multiple_choice, tasks
from hfllm.errors import UserMistake
from hfllm.multiple_choice import named
from hfllm.tasks import arc, hellaswag, mmlu, piqa

DATA = Path(os.environ.get("HFLLM_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
CAT_AND_DOG = {"choices": ["a cat", "a dog", "An eel"], "answer": "B"}

ARC_ROW = {
    "id": "1",
    "question": "Which is warm?",
    "choices": {"text": ["ice", "fire", "snow"], "label": ["1", "2", "3"]},
    "answerKey": "2",
}
PIQA_ROW = {"goal": "Dry a cup", "sol1": "Use a towel", "sol2": "Use a lake", "label": 0}
MMLU_ROW = {"question": " 1+1? ", "choices": ["1", "2", "3", "4"], "answer": 1, "subject": "high_school_mathematics"}
HELLASWAG_ROW = {
    "activity_label": "Washing",
    "ctx_a": "Wet it [title] Rinse [step] well.",
    "ctx_b": "then he",
    "endings": ["dries it.", "[substeps] eats it."],
    "label": "1",
}


@pytest.mark.parametrize(
    "text",
    [
        *("B", "b", "(B)", "B.", "**B**", "$B$", "B) a dog", "B. a dog", "Answer: B.", "answer:B", "The answer is B"),
        *("The answer is: (B)", "The correct answer is option **B** because A cat meows.", "ANSWER: B"),
        *(r"\boxed{B}", r"So it is $\boxed{\text{B}}$, not A.", r"The answer is \boxed{B}", "Answer:\n\nB"),
        *(
            "The answer is A. No: the answer is B.",
            "A is wrong, so I choose B.",
            "B is correct.",
            "A) no\nB is the best.",
        ),
        *("B\n\nA dog barks.", "The answer must be B, not C.", "B\nB\nB"),
    ],
)
def test_the_letter_is_found(text):
    assert named(text, 4) == "B"
    assert multiple_choice.score(text, CAT_AND_DOG) == 1
    assert multiple_choice.score(f"<think>The answer is A.</think>{text}", CAT_AND_DOG) == 1


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "A", "A or B", "A) B)", "(A) (B) (C)", "The answer is A or B.", "The answer is B and C", "A, B"),
        *("The answer is not B", "The answer is either A or B.", "Option B is wrong.", "A dog and a cat", "BB", "a"),
        *("<think>The answer is B.", "The answer is B. So the answer is A.", r"\boxed{A} B", "a dog or a cat", "dog"),
        *("A is correct. B is correct. C is correct.", "The answer is B/C."),
    ],
)
def test_no_letter_or_several_or_the_wrong_one_is_wrong(text):
    assert multiple_choice.score(text, CAT_AND_DOG) == 0


@pytest.mark.parametrize("text", ["a dog", "A dog.", "The answer is a dog.", "Answer: a  dog", r"\boxed{a dog}"])
def test_without_a_letter_the_text_of_the_right_choice_is_right(text):
    assert multiple_choice.score(text, CAT_AND_DOG) == 1
    assert multiple_choice.score(text.replace("dog", "cat"), CAT_AND_DOG) == 0


def test_a_letter_beyond_the_choices_is_none():
    assert named("D", 3) is None
    assert named("D", 4) == "D"


def test_arc_asks_and_is_measured_in_the_usual_wording():
    row = arc._row(ARC_ROW)
    assert row["prompt"][0]["content"] == (
        "Which is warm?\n\nA. ice\nB. fire\nC. snow\n\nAnswer with the letter of the right choice."
    )
    assert row["answer"] == "B"
    assert (row["context"], row["continuations"][1]) == ("Question: Which is warm?\nAnswer:", " fire")


def test_piqa_and_mmlu_are_measured_in_the_usual_wording():
    row = piqa._row(PIQA_ROW)
    assert (row["context"], row["continuations"]) == ("Question: Dry a cup\nAnswer:", [" Use a towel", " Use a lake"])
    row = mmlu._row(MMLU_ROW)
    assert row["context"] == (
        "The following are multiple choice questions (with answers) about high school mathematics.\n\n"
        "1+1?\nA. 1\nB. 2\nC. 3\nD. 4\nAnswer:"
    )
    assert row["continuations"] == [" A", " B", " C", " D"]


def test_hellaswag_is_cleaned_as_lm_eval_cleans_it():
    """The space behind a first mark stays in what is scored, or likelihoods are others; a reader does not see it."""
    row = hellaswag._row(HELLASWAG_ROW)
    assert row["context"] == "Washing: Wet it. Rinse well. Then he"
    assert row["continuations"] == [" dries it.", "  eats it."]
    assert row["choices"] == ["dries it.", "eats it."]


@pytest.mark.parametrize(
    ("module", "source"), [(arc, ARC_ROW), (piqa, PIQA_ROW), (mmlu, MMLU_ROW), (hellaswag, HELLASWAG_ROW)]
)
def test_the_right_answer_is_right_and_nothing_is_wrong(module, source):
    row = module._row(source)
    assert module.score(module.gold(row), row) == 1
    assert module.score("", row) == 0


def test_a_file_of_ones_own_is_read(tmp_path):
    Dataset.from_list([PIQA_ROW, {**PIQA_ROW, "label": 1}]).to_json(tmp_path / "mine.jsonl")
    rows = tasks.load(tasks.TaskConfig("piqa", path=str(tmp_path / "mine.jsonl")))
    assert rows["answer"] == ["A", "B"]
    assert rows["task"] == ["piqa", "piqa"]


def test_a_split_without_answers_is_refused(tmp_path):
    Dataset.from_list([{**PIQA_ROW, "label": -1}]).to_json(tmp_path / "test.jsonl")
    with pytest.raises(UserMistake, match="blind test split"):
        piqa.load("test", path=str(tmp_path / "test.jsonl"))


def test_a_data_set_of_another_kind_is_refused(tmp_path):
    Dataset.from_list([{"text": "hello"}]).to_json(tmp_path / "mine.jsonl")
    with pytest.raises(UserMistake, match="has the columns text"):
        mmlu.load("train", path=str(tmp_path / "mine.jsonl"))


def odd_texts():
    """Pieces that confuse, drawn and put together at random, some of them a megabyte long."""
    pieces = ["A", "(B)", "answer", " is ", "The answer is ", "\\boxed{", "}", "[", "*", "\n", "\x00", "\ud800", "答案"]
    rng = random.Random(0)
    texts = ["".join(rng.choices(pieces, k=rng.randint(1, 60))) for _ in range(400)]
    return texts + [piece * (1_000_000 // len(piece)) for piece in [*pieces, " ", "A) ", "answer "]]


def test_odd_texts_are_judged_without_a_crash():
    for text in odd_texts():
        assert multiple_choice.score(text, CAT_AND_DOG) in (0, 1)


@pytest.mark.parametrize(
    ("task", "folder", "split"),
    [
        *(("arc", "arc_easy/hf", "validation"), ("arc", "arc_challenge/hf", "validation")),
        *(
            ("hellaswag", "hellaswag/hf", "validation"),
            ("piqa", "piqa/hf", "validation"),
            ("mmlu", "mmlu/hf/all", "test"),
        ),
    ],
)
def test_every_row_of_the_real_data(task, folder, split):
    if not (DATA / folder).is_dir():
        pytest.skip(f"no data in {DATA / folder}")
    module = tasks.find(task)
    for row in tasks.load(tasks.TaskConfig(task, path=str(DATA / folder), split=split)):
        assert module.score(module.gold(row), row) == 1
        assert module.score("", row) == 0
        assert len(row["continuations"]) == len(row["choices"]) >= 2
        assert all(text.startswith(" ") and text.strip() for text in row["continuations"])
