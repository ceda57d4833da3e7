"""The stage ppo on a stand-in model: what it leaves behind, what it refuses, plain text, a reward model, the watch."""

import json
import warnings

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer
from trl import ModelConfig

from hfllm import keys
from hfllm.data import DatasetConfig, DatasetMixtureConfig
from hfllm.errors import UserMistake
from hfllm.ppo import PPOConfig
from hfllm.practice import PracticeConfig
from hfllm.stages import ppo
from hfllm.watch import WatchConfig
from tests import stand_in

PROMPTS = [{"prompt": f"Tell me about town {number}."} for number in range(12)]
MINE = """
def even(completions, **columns):
    return [float(len(text_of(completion)) % 2 == 0) for completion in completions]

def brief(completions, **columns):
    return [-float(len(text_of(completion))) for completion in completions]

def text_of(completion):
    return completion if isinstance(completion, str) else completion[-1]["content"]
"""
SETTINGS = {
    **{"use_cpu": True, "bf16": False, "gradient_checkpointing": False, "dataloader_pin_memory": False},
    **{"max_steps": 2, "per_device_train_batch_size": 4, "num_ppo_epochs": 1, "max_completion_length": 8},
    **{"per_device_eval_batch_size": 8, "logging_steps": 1, "learning_rate": 1e-3, **ppo.DEFAULTS},
}


@pytest.fixture(scope="module")
def chat_model(tmp_path_factory):
    return str(stand_in.make(tmp_path_factory.mktemp("chat")))


@pytest.fixture
def run(tmp_path, chat_model, monkeypatch):
    """Run the stage for a few steps; returns its numbers and its folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in PROMPTS))

    def start(model=chat_model, folder="out", config=None, held_out=True, adapter=None, **values):
        data = DatasetMixtureConfig(
            [DatasetConfig("train.jsonl")], [DatasetConfig("train.jsonl", rows=8)] if held_out else []
        )
        with warnings.catch_warnings(action="ignore"):
            arguments = PPOConfig(folder, **(SETTINGS | values))
        practice = {"rewards": {"mine.py:even": None, "mine.py:brief": {"weight": 0}}, "audit_rewards": False}
        model_args = ModelConfig(model, **(adapter or {}))
        return ppo.main(PracticeConfig(**(practice | (config or {}))), data, arguments, model_args), tmp_path / folder

    return start


def entries(folder, key):
    log = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [entry for entry in log if key in entry]


def test_what_a_run_leaves_behind(run):
    numbers, folder = run()
    assert numbers["prompts"] == 12
    assert numbers["steps"] == 2
    assert {"before_reward", "eval_reward", "before_completions/mean_length", "eval_rewards/brief/mean"} <= set(numbers)
    assert not {"train_loss", "eval_loss"} & set(numbers)
    AutoModelForCausalLM.from_pretrained(folder)
    assert AutoTokenizer.from_pretrained(folder).eos_token == "<|im_end|>"
    assert not any("critic" in name for name in load_file(folder / "model.safetensors"))
    assert load_file(folder / "critic.safetensors")
    assert (folder / "practice.png").stat().st_size > 1000
    assert "## step 0" in (folder / "completions.md").read_text()
    assert [entry["step"] for entry in entries(folder, "objective/kl")] == [1, 2]
    assert entries(folder, "objective/kl")[0]["objective/kl"] == pytest.approx(0, abs=1e-4)


def test_a_base_model_goes_on_with_beginnings(run, tmp_path):
    base = str(stand_in.make(tmp_path / "base", template=False))
    numbers, folder = run(model=base, config={"continue_text": True, "prompt_tokens": 3})
    assert numbers["steps"] == 2
    assert "| Tel |" in (folder / "completions.md").read_text()
    assert AutoTokenizer.from_pretrained(folder).chat_template is None


def test_a_reward_model_judges(run, tmp_path):
    judge = stand_in.make(tmp_path / "judge", shape="llama")
    torch.manual_seed(0)
    AutoModelForSequenceClassification.from_pretrained(judge, num_labels=1).save_pretrained(judge)
    numbers, folder = run(config={"rewards": {str(judge): None}})
    assert numbers["before_reward"] != 0
    assert entries(folder, "rewards/judge/mean")


def test_the_watch_looks_on(run):
    watch = WatchConfig(action="observe", best_of=4)
    numbers, folder = run(config={"watch": watch}, eval_strategy="steps", eval_steps=1)
    assert numbers["steps"] == 2
    assert (folder / "watch.png").stat().st_size > 1000
    assert json.loads((folder / "watch.json").read_text())
    assert (folder / "adversarial.jsonl").exists()


LOOKED_AT = {"eval_strategy": "steps", "eval_steps": 1, "save_strategy": "steps", "save_steps": 1}


@pytest.mark.parametrize(
    ("values", "config", "message"),
    [
        ({}, {"rewards": {"mine.py:even": {"weight": 0}}}, "none has a weight"),
        ({}, {"prompt_tokens": 3}, "only with   continue_text: true"),
        ({}, {"continue_text": True, "tools": {"calculator": None}}, "need a conversation"),
        ({}, {"continue_text": True, "prompt_tokens": 500}, "no text has 500 tokens"),
        ({"per_device_train_batch_size": 64}, {}, "12 problems are too few"),
        ({"max_completion_length": 250}, {}, "does not fit into the model's 256 positions"),
        ({}, {"watch": WatchConfig()}, "eval_strategy: steps"),
        (LOOKED_AT | {"load_best_model_at_end": True}, {"watch": WatchConfig()}, "remove it"),
        (LOOKED_AT | {"kl_target": 6.0}, {"watch": WatchConfig(action="raise_kl")}, "would steer the coefficient back"),
    ],
)
def test_slips_are_told_before_the_model_loads(run, monkeypatch, values, config, message):
    monkeypatch.setattr("transformers.AutoModelForCausalLM.from_pretrained", lambda *a, **k: pytest.fail("loaded"))
    with pytest.raises(UserMistake) as told:
        run(config=config, **values)
    assert message in str(told.value)


@pytest.mark.parametrize(
    ("target", "message"), [("q_prj", "no module q_prj; did you mean q_proj"), ("lm_head", "cannot have an adapter")]
)
def test_an_adapter_where_none_can_be_is_told_before_the_model_loads(run, monkeypatch, target, message):
    monkeypatch.setattr("transformers.AutoModelForCausalLM.from_pretrained", lambda *a, **k: pytest.fail("loaded"))
    with pytest.raises(UserMistake, match=message):
        run(adapter={"use_peft": True, "lora_target_modules": ["v_proj", target]})


def test_its_keys_are_those_of_ppo():
    keys_of_stage = keys.schema_of_stage("ppo")["properties"]
    assert {"kl_coef", "critic", "watch", "continue_text", "num_ppo_epochs"} <= set(keys_of_stage)
    assert "loss_preset" not in keys_of_stage


def test_check_finds_the_slips_of_ppo_without_loading_anything():
    values = {"beta": 0.1, "kl_target": 6.0, "kl_coef": 0.0, "rewards": {"mine.py:even": {"weight": 0.0}}}
    found = {(key, message.partition(";")[0]) for key, message in ppo.CHECK(values)}
    assert ("beta", "the KL penalty of PPO is part of the reward") in found
    assert ("kl_target", "a kl_coef of 0 stays 0 whatever it is multiplied with") in found
    assert ("rewards", "none has a weight, so there is nothing to learn from") in found
    assert any(key == "model_name_or_path" for key, _ in found)
