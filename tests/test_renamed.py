"""Keys that moved: recipes copied from other projects get advice for every key, and the advice names keys that exist.

The recipes in recipes_of_others/ hold the keys of those projects with values of our own."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path

import pytest
import yaml

from hfllm import chosen_rewards, course, keys, refused, renamed, renamed_rewards, rewards
from hfllm.cli import main

FOLDER = Path(__file__).parent / "recipes_of_others"
RECIPES = sorted(FOLDER.glob("*/*.yaml"))
ALIVE = FOLDER / "trl" / "sft-alive.yaml"
WRITTEN = re.compile(r"(?:write|and|or|is|with|of)  (\w+):")


def existing_keys() -> set[str]:
    sft, pretrain, grpo = (keys.schema_of_stage(stage)["properties"] for stage in ("sft", "pretrain", "grpo"))
    return {*sft, *pretrain, *grpo, *sft["datasets"]["items"]["properties"]}


@pytest.mark.parametrize(
    "file", [file for file in RECIPES if file != ALIVE], ids=lambda file: f"{file.parent.name}/{file.name}"
)
def test_a_recipe_of_others_gets_advice_for_every_key(file, capsys):
    assert main(["check", str(file)]) == 2
    said = capsys.readouterr().err
    assert "no such key" not in said
    assert "Traceback" not in said
    _, problems = course.check([file])
    lines = [problem.line for problem in problems[file] if problem.line]
    assert lines == sorted(lines)
    assert len(lines) >= 2


def test_a_recipe_of_others_whose_keys_are_alive_passes(capsys):
    assert main(["check", str(ALIVE)]) == 0
    assert capsys.readouterr().out == "1 recipe(s), no mistake found\n"


@pytest.mark.parametrize("stage", ["grpo", "dpo", "reward"])
def test_a_stage_that_is_not_there_is_named(stage, capsys):
    (file,) = [file for file in RECIPES if file.parent.name in ("open-r1", "trl") and file.stem.startswith(stage)]
    if stage in keys.stages():
        pytest.skip("now there is one")
    main(["check", str(file)])
    said = capsys.readouterr().err.splitlines()
    there_are = "grpo, pretrain, rft, sft, tokenizer, world"
    assert said[1].strip().startswith(f"hfllm has no stage {stage}; there are {there_are}")
    assert any("write  datasets: [{path: example-org/" in line for line in said)


def test_what_moved_moved_to_a_key_that_exists():
    assert set(renamed.MOVED.values()) <= existing_keys()


@pytest.mark.parametrize(
    "value", ["x", "all", "lora", "qlora", 8, True, ["a"], {"a": 0.5}, {"datasets": [{"id": "a"}]}]
)
def test_advice_names_keys_that_exist(value):
    advice = [*renamed.GONE.values(), *(rewrite(value) for rewrite in renamed.REWRITTEN.values())]
    named = {key for text in advice for key in WRITTEN.findall(text)}
    assert named <= existing_keys()
    assert {"datasets", "attn_implementation"} <= named


def test_no_advice_hides_behind_a_key_that_is_alive():
    alive = set(keys.schema_of_stage("sft")["properties"]) - {"dataset_text_field"}
    assert alive & {*renamed.MOVED, *renamed.GONE, *renamed.REWRITTEN} == set()
    assert alive & {key for names in renamed.OF_STAGE.values() for key in names.split()} == set()


@pytest.mark.parametrize(
    ("key", "value", "advice"),
    [
        ("torch_dtype", "bfloat16", "now called dtype: write  dtype: bfloat16"),
        (
            "warmup_ratio",
            0.1,
            "gone since transformers 5: write  warmup_steps: 0.1  (below 1 it is a share of the steps)",
        ),
        ("dataset_mixer", {"o/a": 1.0, "o/b": 0.5}, "write  datasets: [{path: o/a}, {path: o/b, split: train[:50%]}]"),
        (
            "dataset_mixture",
            {"datasets": [{"id": "o/a", "config": "c", "split": "x", "weight": 0.25}, {"id": "o/b", "weight": 1.0}]},
            "write  datasets: [{path: o/a, name: c, split: x[:25%]}, {path: o/b}]",
        ),
        ("dataset", "a, b", "write  datasets: [{path: a}, {path: b}]"),
        ("eval_dataset", "a", "write  eval_datasets: [{path: a}]"),
        ("lora_target", "all", "write  lora_target_modules: [all-linear]"),
        ("lora_target", "q_proj,v_proj", "write  lora_target_modules: [q_proj, v_proj]"),
        ("adapter", "qlora", "write  use_peft: true  and  load_in_4bit: true"),
        ("quantization_bit", 8, "write  load_in_8bit: true"),
        ("flash_attn", "sdpa", "write  attn_implementation: sdpa"),
        ("group_by_length", True, "write  train_sampling_strategy: group_by_length"),
        ("group_by_length", False, "gone, and off here: remove it"),
        ("num_generations", 8, "a key of another stage (grpo"),
        ("sample_packing", True, "now called packing: write  packing: true"),
    ],
)
def test_advice_repeats_the_value(key, value, advice):
    assert advice in str(renamed.advice(key, value, keys.schema_of_stage("sft")["properties"]))


def test_what_was_never_a_key_gets_no_advice():
    known = keys.schema_of_stage("sft")["properties"]
    assert renamed.advice("learning_rat", 1, known) is None
    assert renamed.advice("torch_dtype", "auto", {"seed": {}}) is None  # a stage without dtype
    assert json.dumps(renamed.MOVED)  # plain names only


@pytest.mark.parametrize(
    ("key", "value", "advice"),
    [
        ("reward_funcs", ["accuracy", "tag_count"], "write  rewards: {accuracy: {}, tags: {}}"),
        ("cosine_max_value_correct", 1.0, "write  rewards: {cosine: {correct_short: 1.0}}"),
        ("vllm_max_model_len", 2048, "write  vllm_max_model_length: 2048"),
        ("e2b_router_url", "x:1", "hfllm's own sandbox"),
    ],
)
def test_keys_of_open_r1s_rewards(key, value, advice):
    assert advice in str(renamed.advice(key, value, keys.schema_of_stage("grpo")["properties"]))


def test_rewards_and_options_that_advice_names_exist():
    for name in renamed_rewards.REWARDS.values():
        assert name in chosen_rewards.names()
    for text in renamed_rewards.OPTIONS.values():
        ((name, options),) = yaml.safe_load(text.format(1))["rewards"].items()
        assert set(options) <= set(inspect.signature(vars(rewards)[name]).parameters)


def test_scale_rewards_was_true_or_false():
    assert refused.forbidden("scale_rewards", False) == "now a word: write  scale_rewards: none"
    assert refused.forbidden("scale_rewards", "batch") is None
