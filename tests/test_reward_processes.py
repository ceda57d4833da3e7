"""Two processes that train a reward model together end with the weights and the report of one with twice the batch."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import torch
import yaml
from safetensors.torch import load_file

from hfllm import launch
from tests import stand_in


def test_two_gloo_processes_are_one_with_twice_the_batch(tmp_path):
    base = stand_in.make(tmp_path / "base")
    # rankings of unequal sizes, and a number of held-out ones that two processes cannot share evenly
    answers = [f"It is {'very ' * n}small." for n in range(5)]
    rows = [
        {"prompt": f"What is {n}?", "responses": answers[: 2 + n % 4], "rank": list(range(2 + n % 4))}
        for n in range(11)
    ]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows[:8]))
    (tmp_path / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows[8:]))
    config = str(launch.config_file("ddp_cpu"))
    launcher = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", config, "--main_process_port", "0"]
    for name, batch, start in (("one", 4, [sys.executable]), ("two", 2, launcher)):
        values = {
            "output_dir": str(tmp_path / name),
            "model_name_or_path": str(base),
            "datasets": [{"path": str(tmp_path / "train.jsonl")}],
            "eval_datasets": [{"path": str(tmp_path / "test.jsonl")}],
            **{"per_device_train_batch_size": batch, "per_device_eval_batch_size": 2, "max_steps": 2},
            **{"optim": "sgd", "learning_rate": 0.1, "max_length": 64},
        }
        recipe = tmp_path / f"reward-{name}.yaml"
        recipe.write_text(yaml.safe_dump(values))
        done = subprocess.run(
            [*start, "-m", "hfllm.stages.reward", str(recipe)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    weights = [load_file(tmp_path / name / "model.safetensors") for name in ("one", "two")]
    for key, tensor in weights[0].items():
        torch.testing.assert_close(tensor, weights[1][key], rtol=1e-4, atol=1e-6)
    told = [json.loads((tmp_path / name / "reward_model.json").read_text()) for name in ("one", "two")]
    assert told[0]["pairs"] == told[1]["pairs"] == 1 + 3 + 6
    for key in ("accuracy", "mean", "spread", "expected_calibration_error"):
        assert told[0][key] == pytest.approx(told[1][key], abs=1e-4)
