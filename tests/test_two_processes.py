"""Two processes that train together end with the weights of one process with twice the batch."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file

from hfllm import launch
from tests import stand_in

ROWS = [
    {"messages": [{"role": "user", "content": f"What is {n} + 1?"}, {"role": "assistant", "content": f"{n + 1}"}]}
    for n in range(8)
]


def write_recipe(folder: Path, base: Path, name: str, batch: int) -> Path:
    recipe = folder / f"sft-{name}.yaml"
    values = {
        "output_dir": str(folder / name),
        "model_name_or_path": str(base),
        "datasets": [{"path": str(folder / "train.jsonl")}],
        "per_device_train_batch_size": batch,
        "max_steps": 2,
        "optim": "sgd",  # AdamW's first steps only show the sign of a gradient
        "learning_rate": 0.1,
        "max_length": 64,
    }
    recipe.write_text(yaml.safe_dump(values))
    return recipe


def test_two_gloo_processes_are_one_with_twice_the_batch(tmp_path):
    base = stand_in.make(tmp_path / "base")
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    one = [sys.executable, "-m", "hfllm.stages.sft", str(write_recipe(tmp_path, base, "one", batch=4))]
    config = str(launch.config_file("ddp_cpu"))
    launcher = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", config, "--main_process_port", "0"]
    two = [*launcher, "-m", "hfllm.stages.sft", str(write_recipe(tmp_path, base, "two", batch=2))]
    for command in (one, two):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    receipts = [json.loads((tmp_path / name / "run.json").read_text()) for name in ("one", "two")]
    assert [receipt["num_processes"] for receipt in receipts] == [1, 2]
    weights = [load_file(tmp_path / name / "model.safetensors") for name in ("one", "two")]
    for key, tensor in weights[0].items():
        torch.testing.assert_close(tensor, weights[1][key], rtol=1e-4, atol=1e-6)


def test_two_gloo_processes_practise_as_one_with_twice_the_batch(tmp_path):
    """Greedy answers, so that both launches draw the same ones; each group of four lies on both processes."""
    base = stand_in.make(tmp_path / "base")
    (tmp_path / "mine.py").write_text(
        "def length(completions, **columns):\n"
        "    return [len(completion[-1]['content']) + n % 4 for n, completion in enumerate(completions)]\n"
    )
    rows = [{"prompt": f"What is {n} + 1?", "answer": str(n + 1)} for n in range(8)]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = str(launch.config_file("ddp_cpu"))
    launcher = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", config, "--main_process_port", "0"]
    for name, batch, start in (("one", 8, [sys.executable]), ("two", 4, launcher)):
        values = {
            "output_dir": str(tmp_path / name),
            "model_name_or_path": str(base),
            "datasets": [{"path": str(tmp_path / "train.jsonl")}],
            "eval_datasets": [{"path": str(tmp_path / "train.jsonl")}],
            "rewards": {f"{tmp_path}/mine.py:length": None, "accuracy": {"weight": 0}},
            **{"per_device_train_batch_size": batch, "per_device_eval_batch_size": batch, "num_generations": 4},
            **{"audit_rewards": False, "max_steps": 2, "max_completion_length": 8, "temperature": 0.001},
            **{"optim": "sgd", "learning_rate": 0.1, "logging_steps": 1, "num_generations_eval": 4},
        }
        recipe = tmp_path / f"grpo-{name}.yaml"
        recipe.write_text(yaml.safe_dump(values))
        done = subprocess.run(
            [*start, "-m", "hfllm.stages.grpo", str(recipe)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    logs = [[json.loads(line) for line in (tmp_path / name / "log.jsonl").open()] for name in ("one", "two")]
    for key in ("reward", "completions/mean_length", "eval_pass@1", "eval_pass@4"):
        values = [[entry[key] for entry in log if key in entry] for log in logs]
        assert len(values[0]) == 2
        assert values[0] == pytest.approx(values[1]), key
