"""What a PPO run leaves on disk: a plain model, the critic beside it, and checkpoints from which it goes on exactly."""

import json
import shutil
import subprocess
import sys

import pytest
import torch
from peft import LoraConfig
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from hfllm.ppo import critic
from tests import ppo_case, stand_in

# imports of hfllm fail here, as in an environment that does not have it
WITHOUT_HFLLM = """
import sys
sys.modules["hfllm"] = None
import torch
from transformers import AutoModelForCausalLM
model, info = AutoModelForCausalLM.from_pretrained(sys.argv[1], output_loading_info=True)
assert not any(info.values()), info
with torch.no_grad():
    print(model(torch.tensor([[20, 30, 40]])).logits.sum().item())
"""
# 2 epochs of 2 minibatches: a generation serves 4 steps, and a checkpoint of step 3 or 5 falls amid one
SETTINGS = {"num_ppo_epochs": 2, "num_mini_batches": 2, "max_steps": 7, "save_strategy": "steps", "kl_target": 0.5}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return stand_in.make(tmp_path_factory.mktemp("qwen3"))


# of the 4 steps that a generation serves, 3 falls amid the second epoch, 2 between the two, 4 between two generations
@pytest.mark.parametrize(("kind", "step"), [("head", 3), ("separate", 3), ("lora", 3), ("head", 2), ("head", 4)])
def test_a_resumed_run_is_the_uninterrupted_one(folder, tmp_path, kind, step):
    settings = SETTINGS | {"save_steps": step, "logging_steps": 2, "critic_learning_rate": 0.01}
    settings |= {"critic": "separate"} if kind == "separate" else {}
    lora = LoraConfig(r=2, target_modules=["q_proj"], lora_dropout=0.1, task_type="CAUSAL_LM")
    named = {"peft_config": lora} if kind == "lora" else {}
    whole = ppo_case.build(folder, tmp_path / "whole", named=named, **settings)
    whole.train()
    resumed = ppo_case.build(folder, tmp_path / "resumed", named=named, **settings)
    resumed.train(resume_from_checkpoint=str(tmp_path / "whole" / f"checkpoint-{step}"))
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, resumed.model.state_dict()[name]), name
    assert whole.kl_coef == resumed.kl_coef != 0.05
    # times, and the mean loss since the last log, which the Trainer itself does not keep in a checkpoint
    unstable = {
        "loss",
        "step_time",
        "train_runtime",
        "train_samples_per_second",
        "train_steps_per_second",
        "train_loss",
    }
    logs = [
        [{key: value for key, value in entry.items() if key not in unstable} for entry in run.state.log_history]
        for run in (whole, resumed)
    ]
    assert logs[0] == logs[1]


def test_between_two_generations_a_checkpoint_holds_no_completions(folder, tmp_path):
    trainer = ppo_case.build(folder, tmp_path, **SETTINGS | {"max_steps": 5, "save_steps": 1})
    trainer.train()
    held = [(tmp_path / f"checkpoint-{n}" / "ppo_completions_0.safetensors").exists() for n in range(1, 6)]
    assert held == [True, True, True, False, True]
    state = json.loads((tmp_path / "checkpoint-4" / "ppo_state.json").read_text())
    assert state["step"] == 4
    assert state["kl_coef"] != 0.05


def test_a_plain_model_is_saved_and_loads_without_hfllm(folder, tmp_path):
    trainer = ppo_case.build(folder, tmp_path / "out")
    trainer.train()
    trainer.save_model()
    saved = load_file(tmp_path / "out" / "model.safetensors")
    assert set(saved) == set(load_file(folder / "model.safetensors"))
    assert set(load_file(tmp_path / "out" / "critic.safetensors")) == {"score.weight", "offset"}
    # engines that read every *.safetensors of a folder without an index find the model's file only
    index = json.loads((tmp_path / "out" / "model.safetensors.index.json").read_text())
    assert index["weight_map"] == dict.fromkeys(saved, "model.safetensors")
    with torch.no_grad():
        expected = trainer.model(torch.tensor([[20, 30, 40]])).logits.sum().item()
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_HFLLM, str(tmp_path / "out")],
        **{"capture_output": True, "text": True, "check": False, "cwd": tmp_path},
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == pytest.approx(expected, rel=1e-5)


def test_an_adapter_is_saved_with_the_critic_beside_it(folder, tmp_path):
    lora = LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM")
    trainer = ppo_case.build(folder, tmp_path, named={"peft_config": lora})
    trainer.train()
    trainer.save_model()
    assert not any(critic.is_critics(name) for name in load_file(tmp_path / "adapter_model.safetensors"))
    found = load_file(tmp_path / "critic.safetensors")
    assert torch.equal(found["score.weight"], trainer.critic.score.weight)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path)
    ids = torch.tensor([[20, 30, 40]])
    with torch.no_grad():
        torch.testing.assert_close(loaded(ids).logits, trainer.model(ids).logits)


def test_the_best_checkpoint_brings_its_critic(folder, tmp_path):
    trainer = ppo_case.build(
        folder,
        tmp_path,
        **SETTINGS | {"max_steps": 3, "save_steps": 1, "eval_strategy": "steps", "eval_steps": 1},
        **{"load_best_model_at_end": True, "metric_for_best_model": "eval_value/mean", "greater_is_better": True},
    )
    trainer.train()
    best = load_file(f"{trainer.state.best_model_checkpoint}/critic.safetensors")
    assert torch.equal(best["score.weight"], trainer.critic.score.weight)


def test_a_checkpoint_without_a_critic_is_not_gone_on_from(folder, tmp_path):
    trainer = ppo_case.build(folder, tmp_path, **SETTINGS | {"max_steps": 4, "save_steps": 3})
    trainer.train()
    torn = shutil.copytree(tmp_path / "checkpoint-3", tmp_path / "torn")
    (torn / "critic.safetensors").unlink()
    with pytest.raises(FileNotFoundError):
        trainer._load_from_checkpoint(str(torn))
