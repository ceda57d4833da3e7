"""The parts of the stage grpo that need no model: batch arithmetic, the picture, the table of completions."""

import json
from types import SimpleNamespace

import pytest

from hfllm.errors import UserMistake
from hfllm.grpo import batches, completions, picture


def arguments(**changed):
    values = {
        **{"per_device_train_batch_size": 8, "world_size": 2, "num_generations": 4, "steps_per_generation": 2},
        **{"num_iterations": 1, "gradient_accumulation_steps": 2, "max_steps": -1, "num_train_epochs": 1},
        **{"max_completion_length": 50, "num_generations_eval": None, "per_device_eval_batch_size": 2},
    } | changed
    size = values["per_device_train_batch_size"] * values["world_size"] * values["steps_per_generation"]
    return SimpleNamespace(**values, generation_batch_size=size)


def test_the_arithmetic_of_a_generation():
    # 8 a device x 2 devices x 2 steps = 32 completions = 8 problems x 4; 100 problems fill 12 generations, 96 of them
    sizes = batches.Batches.of(100, arguments())
    assert (sizes.problems_at_once, sizes.completions, sizes.optimizer_steps, sizes.steps) == (8, 4, 1, 12)
    assert "8 problems x 4 completions = 32 completions of at most 50 tokens, for 1 optimizer steps" in sizes.summary()
    assert "12 steps, 96 problems asked = 0.96 epochs over 100 problems" in sizes.summary()


def test_a_generation_used_for_several_steps():
    sizes = batches.Batches.of(100, arguments(num_iterations=2, gradient_accumulation_steps=1, max_steps=40))
    assert sizes.optimizer_steps == 4
    assert "40 steps, 80 problems asked" in sizes.summary()


def test_steps_are_rounded_up_in_each_epoch_as_the_trainer_does():
    # 10 problems, 4 at once: 2 generations an epoch, half a step each; 3 epochs
    changed = {"world_size": 1, "per_device_train_batch_size": 16, "steps_per_generation": 1, "num_train_epochs": 3}
    assert batches.Batches.of(10, arguments(**changed)).steps == 3
    # 12 problems: 3 generations, one step and a half, which the trainer makes two
    assert batches.Batches.of(12, arguments(**changed)).steps == 6


def test_too_few_problems_are_told_before_anything_loads():
    with pytest.raises(UserMistake, match="7 problems are too few for one generation, which takes 8 at once"):
        batches.Batches.of(7, arguments())


def test_an_evaluation_must_not_cut_a_group():
    batches.check_evaluation(arguments(per_device_eval_batch_size=2), 4)  # 2 x 2 devices: one problem of 4 completions
    with pytest.raises(UserMistake, match="per_device_eval_batch_size: 2"):
        batches.check_evaluation(arguments(per_device_eval_batch_size=3), 4)


@pytest.mark.parametrize(
    ("longest", "advice"), [(60, "max_completion_length: 40"), (100, "leave out the problems with long prompts")]
)
def test_answers_must_fit_into_the_context(longest, advice):
    batches.check_room(longest, 50, None)  # a model without a limit
    with pytest.raises(UserMistake, match=advice):
        batches.check_room(longest, 50, 100)


LOG = [
    {"step": 0, "eval_pass@1": 0.2, "eval_completions/mean_length": 10.0},
    {"step": 5, "rewards/accuracy/mean": 0.3, "rewards/worked/mean": 0.5, "reward": 0.3, "completions/mean_length": 12},
    {"step": 9, "rewards/accuracy/mean": 0.7, "rewards/worked/mean": 0.9, "reward": 0.7, "completions/mean_length": 20},
    {"step": 9, "eval_pass@1": 0.8, "eval_completions/mean_length": 21.0},
    {"step": 9, "rewards/length/mean": 4.2, "rewards/none/mean": None},
]


def test_the_picture_shows_accuracy_length_and_every_other_share(tmp_path):
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in LOG))
    picture.draw(tmp_path)
    assert (tmp_path / "practice.png").read_bytes().startswith(b"\x89PNG")
    assert picture.curve(LOG, "eval_pass@1") == [(0, 0.2), (9, 0.8)]
    assert picture._shares(LOG, "rewards/accuracy/mean") == ["rewards/worked/mean"]  # a length is no share


def row(text, reward):
    return {"prompt": "1+1?", "completion": text, "rewards": {"accuracy": reward}}


def test_the_table_shows_a_best_and_a_worst_completion_of_each_problem():
    groups = [row("a", 0.0), row("b", 1.0), row("c", 0.5), row("d", 0.5)]
    assert [one["completion"] for one in completions.best_and_worst(groups, 2, [1.0])] == ["d", "c", "b", "a"]


def test_what_is_only_measured_makes_no_answer_the_best():
    wrong = {"prompt": "?", "completion": "long", "rewards": {"accuracy": 0.0, "length": 300.0}}
    right = {"prompt": "?", "completion": "short", "rewards": {"accuracy": 1.0, "length": None}}
    shown = completions.best_and_worst([wrong, right], 2, [1.0, 0.0])
    assert [row["completion"] for row in shown] == ["short", "long"]
    assert "| 1.00 |  |" in completions.page([{"step": 0, "completions": shown}])
    assert completions.judged(["a", "b"], [1.0, float("nan")]) == {"a": 1.0, "b": None}


def test_a_table_cell_cannot_break_the_page():
    shown = completions.page([{"step": 3, "completions": [row("a | b\n<script>" + "x" * 1000, 1.0)]}])
    assert "## step 3" in shown
    assert "a \\| b ⏎ &lt;script>" in shown
    assert "(1,014 characters)" in shown


def test_tool_calls_and_results_are_told_apart_in_the_table():
    call = {"type": "function", "function": {"name": "calculator", "arguments": {"expression": "6*7"}}}
    said = [
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": "42"},
        {"role": "assistant", "content": "The answer is 42."},
    ]
    assert completions.text_of(said) == "[calls calculator {'expression': '6*7'}] [result: 42] The answer is 42."
