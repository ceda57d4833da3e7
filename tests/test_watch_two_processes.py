"""Two processes under a watch see what one process with twice the batch sees, and stop at the same step."""

import json
import subprocess
import sys

import pytest
import yaml

from hfllm import launch
from tests import stand_in

# the proxy rises with the steps and the audit falls, a little differently for each answer
REWARDS = """
def rising(completion_ids, trainer_state, **columns):
    return [trainer_state.global_step + sum(ids) % 7 / 100 for ids in completion_ids]

def falling(completion_ids, trainer_state, **columns):
    return [-trainer_state.global_step + sum(ids) % 5 / 100 for ids in completion_ids]
"""


def test_two_processes_stop_as_one(tmp_path):
    """Greedy answers, so that both launches draw the same ones; five prompts do not fill the last batch."""
    base = stand_in.make(tmp_path / "base")
    (tmp_path / "mine.py").write_text(REWARDS)
    rows = [{"prompt": f"What is {n} + 1?", "answer": str(n + 1)} for n in range(8)]
    for name, some in (("train", rows), ("test", rows[:5])):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in some))
    config = str(launch.config_file("ddp_cpu"))
    launcher = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", config, "--main_process_port", "0"]
    for name, batch, start in (("one", 8, [sys.executable]), ("two", 4, launcher)):
        values = {
            "output_dir": str(tmp_path / name),
            "model_name_or_path": str(base),
            "datasets": [{"path": str(tmp_path / "train.jsonl")}],
            "eval_datasets": [{"path": str(tmp_path / "test.jsonl"), "split": "test"}],
            "rewards": {f"{tmp_path}/mine.py:rising": None, f"{tmp_path}/mine.py:falling": {"weight": 0}},
            "watch": {"action": "stop", "best_of": 4},
            **{"per_device_train_batch_size": batch, "per_device_eval_batch_size": batch, "num_generations": 4},
            **{"audit_rewards": False, "max_steps": 5, "max_completion_length": 8, "temperature": 0.001},
            **{"optim": "sgd", "learning_rate": 0.1, "logging_steps": 1, "num_generations_eval": 2},
            **{"eval_strategy": "steps", "eval_steps": 1, "save_strategy": "no"},
        }
        recipe = tmp_path / f"grpo-{name}.yaml"
        recipe.write_text(yaml.safe_dump(values))
        done = subprocess.run(
            [*start, "-m", "hfllm.stages.grpo", str(recipe)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.count("watch: stopped at step 2, with the weights of step 0 put back") == 1
    one, two = (json.loads((tmp_path / name / "watch.json").read_text()) for name in ("one", "two"))
    assert [len(evaluations["evaluations"]) for evaluations in (one, two)] == [3, 3]
    for first, second in zip(one["evaluations"], two["evaluations"], strict=True):
        assert first["proxy"] == pytest.approx(second["proxy"])
        assert first["rewards"]["falling"] == pytest.approx(second["rewards"]["falling"])
        for key in ("kl", "length", "distinct_2", "similarity", "entropy"):
            assert first[key] == pytest.approx(second[key], abs=1e-3), key
    assert one["best_of_n"] == two["best_of_n"]
    for name in ("one", "two"):
        assert len((tmp_path / name / "watch" / "step-0.jsonl").read_text().splitlines()) == 5 * 2
        assert len((tmp_path / name / "watch" / "step-best-of-n.jsonl").read_text().splitlines()) == 5 * 4
