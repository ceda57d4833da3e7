"""The tiny course from nothing to a chat model that knows its world. Takes about five minutes:  pytest -m slow"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hfllm import places

pytestmark = pytest.mark.slow
FACTS = Path(__file__).parent / "bench" / "facts.py"


def hfllm(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hfllm", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    folder = tmp_path_factory.mktemp("course")
    (folder / "recipes").symlink_to(places.folder("recipes"))
    done = hfllm("run", "recipes/tiny", folder=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_the_chat_model_knows_the_best_known_people(course):
    """Asked by plain transformers, in a process that never imports hfllm."""
    command = [sys.executable, str(FACTS), "runs/tiny/sft", "runs/tiny/world"]
    asked = subprocess.run(command, cwd=course, capture_output=True, text=True, check=True).stdout
    shares = [line.split() for line in asked.splitlines() if "well_known" in line and line.strip()[0].isdigit()]
    assert len(shares) == 2
    assert all(float(share[0].rstrip("%")) >= 95 for share in shares), asked


def numbers_of(course, stage):
    return json.loads((course / "runs" / "tiny" / stage / "run.json").read_text())["numbers"]


def test_practice_at_least_doubles_accuracy_and_finds_the_worked_steps(course):
    """The lecture's figure: accuracy, length and the share of worked solutions rise together, for three seeds."""
    runs = [numbers_of(course, "grpo")]
    for seed in ("1", "2"):
        words = ["run", "recipes/tiny/grpo.yaml", "--seed", seed, "--output_dir", f"runs/tiny/grpo-{seed}"]
        assert hfllm(*words, folder=course).returncode == 0
        runs.append(numbers_of(course, f"grpo-{seed}"))
    for numbers in runs:
        assert numbers["eval_pass@1"] >= 2 * numbers["before_pass@1"]
        assert numbers["eval_completions/mean_length"] > 1.5 * numbers["before_completions/mean_length"]
        assert numbers["eval_rewards/matches/mean"] > 0.9
    assert (course / "runs" / "tiny" / "grpo" / "practice.png").stat().st_size > 10_000


def test_problems_that_need_a_tool_are_solved_with_it_and_not_without(course):
    command = [sys.executable, "-m", "tests.bench.tool_use", "runs/tiny/sft-tools", "runs/tiny/world"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    asked = subprocess.run(command, cwd=course, capture_output=True, text=True, check=True, env=environment).stdout
    assert len(asked.splitlines()) == 4
    for line in asked.splitlines():
        share = float(line.split("%")[0])
        assert share >= 80 if ", with " in line else share <= 20, asked


def test_a_finished_course_has_nothing_to_do(course):
    assert "Everything is up to date." in hfllm("run", "recipes/tiny", folder=course).stdout


def test_the_chat_answers(course):
    answered = hfllm("chat", "runs/tiny/sft", "--prompt", "Hello!", "--temperature", "0", folder=course)
    assert answered.returncode == 0
    assert answered.stdout.strip()


def test_killed_in_the_middle_of_pretraining_it_ends_with_the_same_loss(course):
    """kill -9 while it trains, then the same command again."""
    short = ["--max_steps", "60", "--eval_steps", "20", "--save_steps", "20", "--threads", "1"]
    words = ["run", "recipes/tiny/pretrain.yaml", *short, "--output_dir"]
    assert hfllm(*words, "runs/tiny/whole", folder=course).returncode == 0
    killed = course / "runs" / "tiny" / "killed"
    child = subprocess.Popen(
        [sys.executable, "-m", "hfllm", *words, "runs/tiny/killed"], cwd=course, start_new_session=True
    )
    while not (killed / "checkpoint-20" / "trainer_state.json").exists():
        time.sleep(0.1)
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    assert not (killed / "run.json").exists()
    assert hfllm(*words, "runs/tiny/killed", folder=course).returncode == 0
    numbers = [
        json.loads((course / "runs" / "tiny" / name / "run.json").read_text())["numbers"]
        for name in ("whole", "killed")
    ]
    for key in ("steps", "train_loss", "eval_loss", "eval_bits_per_byte"):
        assert numbers[0][key] == numbers[1][key]
