"""What is told of a reward model: arithmetic by hand, and a length bias that is planted and found."""

from __future__ import annotations

import json
import math
import random

import numpy as np
import pytest

from hfllm.errors import UserMistake
from hfllm.reward_model import length, outcome
from hfllm.reward_model.report import Judged, Pairs, calibration, calibration_error, loss_and_accuracy, report


def pair(margin, better=10, worse=10):
    """A ranking of two answers, with their lengths."""
    return Judged([margin, 0.0], [better, worse], [0], [1])


def test_accuracy_and_its_error_count_rankings():
    # two rankings of two pairs each, one all right and one all wrong: 0.5 +- sqrt(1^2 + 1^2) / 4 = 0.354
    right, wrong = ([3.0, 2.0, 1.0], [1.0, 2.0, 3.0])
    found = report([Judged(scores, [9, 9, 9], [0, 1], [1, 2]) for scores in (right, wrong)])
    assert (found["pairs"], found["rankings"], found["accuracy"]) == (4, 2, 0.5)
    assert found["accuracy_standard_error"] == pytest.approx(math.sqrt(2) / 4)
    assert (found["mean"], found["spread"]) == (2.0, pytest.approx(np.std([1, 2, 3])))


def test_equal_scores_are_half_right():
    assert loss_and_accuracy([pair(0.0)]) == {"loss": pytest.approx(math.log(2)), "accuracy": 0.5, "margin": 0.0}


def test_each_ranking_weighs_the_same_in_the_loss():
    # a ranking of three pairs with margins 0 and one of a single pair with a huge margin: (ln 2 + 0) / 2
    three = Judged([0.0, 0.0, 0.0], [1, 1, 1], [0, 0, 1], [1, 2, 2])
    assert loss_and_accuracy([three, pair(1000.0)])["loss"] == pytest.approx(math.log(2) / 2)


def test_the_parts_of_a_large_ranking_weigh_1_together_in_the_loss():
    # three rows: a quarter and three quarters of a ranking with margins 0, and a pair with the margin log 3
    parts = [Judged([0.0, 0.0], [9, 9], [0], [1], weight) for weight in (0.25, 0.75)]
    expected = (0.25 * math.log(2) + 0.75 * math.log(2) + math.log(4 / 3)) / 3
    assert loss_and_accuracy([*parts, pair(math.log(3))])["loss"] == pytest.approx(expected)


def test_accuracy_by_length_of_the_better_answer():
    # 20 against 10 tokens: longer; 10 against 20: shorter; 10 against 11 differ by 9 percent: about equal
    found = report([pair(1, 20, 10), pair(-1, 20, 10), pair(1, 10, 20), pair(1, 10, 11)])["accuracy_by_length"]
    assert {name: (one["pairs"], one["accuracy"]) for name, one in found.items()} == {
        "chosen_shorter": (1, 1.0),
        "about_equal": (1, 1.0),
        "chosen_longer": (2, 0.5),
    }


def test_calibration_by_hand():
    # margin log 3: sure by 0.75; of four such pairs three are in their order: no error. Wrong in all: 0.75
    sure = math.log(3)
    exact = [pair(sure), pair(sure), pair(sure), pair(-sure)]
    assert calibration(Pairs.of(exact)) == [{"pairs": 4, "confidence": pytest.approx(0.75), "accuracy": 0.75}]
    assert calibration_error(calibration(Pairs.of(exact))) == pytest.approx(0)
    assert calibration_error(calibration(Pairs.of([pair(-sure)]))) == pytest.approx(0.75)
    # two bins: 1 pair of 0.75 that is right, 1 of 0.5 that is half right: (0.25 + 0) / 2
    assert report([pair(sure), pair(0)])["expected_calibration_error"] == pytest.approx(0.125)


def world(label, model, count=400):
    """Rankings of four answers whose worth is worth + weight * length for the labels, and for the model."""
    rng = random.Random(0)
    made = []
    for _ in range(count):
        answers = [(rng.gauss(0, 1), rng.randint(10, 50)) for _ in range(4)]
        felt = [worth + label * tokens / 10 for worth, tokens in answers]
        scores = [worth + model * tokens / 10 + rng.gauss(0, 0.3) for worth, tokens in answers]
        pairs = [(i, j) for i in range(4) for j in range(4) if felt[i] > felt[j]]
        made.append(Judged(scores, [tokens for _, tokens in answers], *map(list, zip(*pairs, strict=True))))
    return made


def test_labels_that_prefer_length_are_found():
    numbers = length.numbers(world(label=0.5, model=0.5))
    assert numbers["labels_prefer_longer"] > 0.6
    assert numbers["correlation_within"] > 0.4 < numbers["label_correlation_within"]
    (finding,) = length.findings(numbers)
    assert finding.startswith("length bias in the labels: of ")
    assert "they prefer the longer answer" in finding


def test_a_model_that_goes_further_than_its_labels_is_found():
    (finding,) = length.findings(length.numbers(world(label=0, model=0.5)))
    assert finding.startswith("length bias of the model: it prefers the longer answer in ")
    labels, model = length.findings(length.numbers(world(label=-0.5, model=0)))
    assert "they prefer the shorter answer" in labels
    assert "it prefers the longer answer" in model


def test_where_length_says_nothing_nothing_is_told():
    numbers = length.numbers(world(label=0, model=0))
    assert length.findings(numbers) == []
    assert numbers["labels_prefer_longer"] == pytest.approx(0.5, abs=0.05)
    assert abs(numbers["correlation_within"]) < 0.05
    assert length.findings(length.numbers([pair(1), pair(2)])) == []  # all are equally long
    assert length.findings(length.numbers([pair(1, 20, 10)] * 3)) != []


def test_what_is_written_can_be_read(tmp_path):
    judged = world(label=0.5, model=0.5, count=50)
    found = outcome.write(tmp_path / "reward", judged, members=1)
    assert json.loads((tmp_path / "reward" / "reward_model.json").read_text()) == found
    assert (tmp_path / "reward" / "reward.png").stat().st_size > 10_000
    assert "warning: length bias in the labels" in outcome.summary(found)
    assert outcome.numbers(found)["findings"].startswith("length bias")


def test_an_ensemble_is_judged_in_z_scores():
    # the members' scales differ, their z-scores do not: 4 - 2 and 40 - 20 are both two spreads apart
    members = [[pair(2.0)], [pair(20.0)]]
    shared, disagreement = outcome.ensemble(members)
    assert shared[0].scores == [1.0, -1.0]
    assert disagreement == 0
    shared, disagreement = outcome.ensemble([[pair(2.0)], [pair(-2.0)]])
    assert shared[0].scores == [0.0, 0.0]
    assert disagreement == 1


def test_a_member_that_tells_no_answers_apart_is_named():
    members = [[pair(2.0)], [pair(0.0)]]
    with pytest.raises(UserMistake, match=r"reward model member-1: it gives every held-out answer the same score"):
        outcome.ensemble(members)
    # numpy's spread of three times 0.1 is 1e-17
    assert report([Judged([0.1, 0.1, 0.1], [9, 9, 9], [0], [1])])["spread"] == 0
