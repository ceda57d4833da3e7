"""chosen_rewards.py: rewards by name, their options and columns, and what is said of every slip."""

from __future__ import annotations

import functools
import json

import pytest

from hfllm import chosen_rewards, course, rewards
from hfllm.errors import UserMistake

SHOUT = """
def shout(completions, *, loud=1, **columns):
    return [float(loud * str(completion).isupper()) for completion in completions]

def whisper(completions, *, hint, **columns):
    return [0.0 for _ in completions]

def short(completions):
    return [0.0 for _ in completions]

def renamed(completions, *, prompt, **columns):
    return [0.0 for _ in completions]
"""


def test_a_recipe_names_rewards_with_options_and_weights(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(SHOUT)
    found = chosen_rewards.find(
        {"accuracy": None, "mine.py:shout": {"loud": 2, "weight": 0.5}, "format": {"weight": 0}}
    )
    assert [(reward.name, reward.weight) for reward in found] == [
        ("accuracy", 1),
        ("mine.py:shout", 0.5),
        ("format", 0),
    ]
    assert found[0].function is rewards.accuracy
    assert isinstance(found[1].function, functools.partial)
    assert found[1].function.__name__ == "shout"
    assert found[1].function(completions=["A", "a"]) == [2.0, 0.0]


def test_a_reward_model_is_a_function_that_loads_nothing_yet(tmp_path):
    folder = tmp_path / "reward"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({}))
    (folder / "model.safetensors").write_bytes(b"")
    (reward,) = chosen_rewards.find({str(folder): {"weight": 2.0, "aggregate": "min"}})
    assert (reward.name, reward.weight, reward.is_model) == (str(folder), 2.0, True)
    assert (reward.function.__name__, reward.function.aggregate) == ("reward", "min")
    assert chosen_rewards.missing_columns(reward, ["prompt"]) == []
    for options, message in [
        ({"batch_size": 4}, "no such option: batch_size; a reward model has weight, aggregate, normalised"),
        ({"aggregate": "max"}, "aggregate: 'max' is none of mean, min, uwo"),
        ({"normalised": 1}, "normalised: 1 is not true or false"),
        ({"normalised": True}, "no reward_model.json with the mean and spread"),
    ]:
        with pytest.raises(UserMistake, match=message):
            chosen_rewards.find({str(folder): options})


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"acuracy": {}}, r"no such reward; there are accuracy, .*; did you mean accuracy\?"),
        ({"accuracy": {"weight": "high"}}, "weight: 'high' is not a number"),
        ({"accuracy": {"weight": 0}}, "nothing to learn from"),
        ({}, "nothing to learn from"),
        (
            {"length": {"target_token": 5}},
            r"target_token; it has target_tokens, only_correct; did you mean target_tokens\?",
        ),
        ({"length": None}, "needs the option target_tokens"),
        ({"accuracy": {"strict": True}}, "no such option: strict; it has none"),
        ({"mine.py:shuot": {}}, "mine.py has no function shuot; did you mean shout?"),
        ({"mine.py": {}}, "name a function of the file"),
        ({"mien.py:shout": {}}, "no such file; did you mean mine.py?"),
        ({"mine.py:short": {}}, r"write  def f\(completions, \*\*columns\)"),
        ({"mine.py:renamed": {}}, "it reads 'prompt', which comes as the list 'prompts'"),
        ({"mine.py:shout": {"lout": 1}}, r"no such option: lout; it has loud; did you mean loud\?"),
        ({"broken.py:f": {}}, "broken.py: line 2: "),
        ({"runs/tiny/rewrad": {}}, "no such folder"),
        ({"accuracy": {}, "mine2.py:accuracy": {}}, "two are logged as rewards/accuracy"),
    ],
)
def test_every_slip_is_told_at_once(wrong, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(SHOUT)
    (tmp_path / "mine2.py").write_text(SHOUT.replace("def shout", "def accuracy"))
    (tmp_path / "broken.py").write_text("x = 1\ndef f(:\n")
    with pytest.raises(UserMistake, match=message):
        chosen_rewards.find(wrong)


def test_the_columns_that_a_reward_reads(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(SHOUT)
    only_correct = {"length": {"target_tokens": 9, "only_correct": True}}
    for wanted, missing in [
        ({"accuracy": {}}, ["answer"]),
        ({"python_tests": {}}, ["tests"]),
        ({"length": {"target_tokens": 9}}, []),
        (only_correct, ["answer"]),
        ({"repetition": {}}, []),
        ({"mine.py:whisper": {}}, ["hint"]),
        ({"mine.py:whisper": {"hint": "given by the recipe"}}, []),
    ]:
        assert chosen_rewards.missing_columns(chosen_rewards.find(wanted)[0], ["prompt"]) == missing


def test_a_missing_column_is_told_with_those_that_are_there():
    (reward,) = chosen_rewards.find({"accuracy": {}})
    chosen_rewards.check_columns(reward, ["question", "answer"])
    with pytest.raises(UserMistake) as mistake:
        chosen_rewards.check_columns(reward, ["question", "solution"], "openai/gsm8k [train]")
    first = str(mistake.value).splitlines()[0]
    assert first == "reward 'accuracy' reads the column 'answer'; openai/gsm8k [train] has: question, solution."


def test_a_column_must_not_take_the_place_of_an_option():
    (reward,) = chosen_rewards.find({"format": {"opening": "["}})
    with pytest.raises(UserMistake, match="a column 'opening', like its option"):
        chosen_rewards.check_columns(reward, ["prompt", "opening"])


def test_what_a_reward_of_the_user_raises_is_told_with_its_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(
        "def f(completions, **columns):\n    return [len(x.split()) for x in completions]\n"
    )
    (reward,) = chosen_rewards.find({"mine.py:f": None})
    with pytest.raises(UserMistake, match=r"reward mine.py:f raised AttributeError: .*split.* \(mine.py line 2\)"):
        reward.function(completions=[[{"role": "assistant", "content": "a b"}]])


def test_a_file_that_cannot_be_imported_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text("import nosuchlibrary\n")
    with pytest.raises(UserMistake, match=r"mine.py raised ModuleNotFoundError: .*nosuchlibrary.* \(mine.py line 1\)"):
        chosen_rewards.find({"mine.py:f": None})


def test_a_text_without_default_is_an_option():
    with pytest.raises(UserMistake, match="pattern"):
        chosen_rewards.find({"matches": None})


def test_a_reward_model_may_be_made_by_another_recipe(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reward.yaml").write_text(
        "output_dir: runs/a/reward\nmodel_name_or_path: o/m\ndatasets: [{path: o/d}]\n"
    )
    practice = "output_dir: runs/a/grpo\nmodel_name_or_path: o/m\ntasks: [{{name: gsm8k}}]\nrewards:\n  {}: {{}}\n"
    for name, messages in [
        ("runs/a/reward", []),
        ("runs/a/rewrad", ["'runs/a/rewrad': no such file or folder, and no recipe here writes it"]),
    ]:
        (tmp_path / "grpo.yaml").write_text(practice.format(name))
        _, problems = course.check([tmp_path / "reward.yaml", tmp_path / "grpo.yaml"])
        found = [problem.message for each in problems.values() for problem in each]
        assert [message.partition(";")[0] for message in found] == messages
