"""Two processes that train together with PPO are one with twice the batch, with DDP and with FSDP2."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests import ppo_case, stand_in


def test_two_gloo_processes_are_one_with_twice_the_batch(tmp_path):
    folder = stand_in.make(tmp_path / "model")
    script = Path(__file__).with_name("ppo_two_processes.py")
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]
    root = str(Path(__file__).parents[1])
    done = subprocess.run(
        [*launch, str(folder), str(tmp_path / "two")],
        **{"capture_output": True, "text": True, "check": False, "cwd": root, "env": os.environ | {"PYTHONPATH": root}},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    trainer = ppo_case.build(folder, tmp_path / "one", **ppo_case.same_for_any_launch(batch=8))
    trainer.train()
    trainer.save_model()
    start = load_file(folder / "model.safetensors")
    for file in ("model.safetensors", "critic.safetensors"):
        one, two = (load_file(tmp_path / name / file) for name in ("one", "two"))
        assert set(one) == set(two)
        for key, tensor in one.items():
            torch.testing.assert_close(tensor, two[key], rtol=1e-4, atol=1e-6)
            assert not (key in start and "proj" in key and torch.equal(tensor, start[key])), f"{key} has not moved"
    logs = [
        json.loads((tmp_path / name / "checkpoint-4" / "trainer_state.json").read_text())["log_history"]
        for name in ("one", "two")
    ]
    for key in ("objective/kl", "objective/score", "value/mean", "value/explained_variance", "value/loss", "entropy"):
        values = [[entry[key] for entry in log if key in entry] for log in logs]
        assert len(values[0]) in (2, 4)
        assert values[0] == pytest.approx(values[1], rel=1e-3, abs=1e-5), key
