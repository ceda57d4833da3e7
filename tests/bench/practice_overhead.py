"""What does the stage grpo cost? Completions a CPU-second against a bare GRPOTrainer script, step by step.

    python -m tests.bench.practice_overhead runs/tiny/sft runs/tiny/world [--steps 30]

Same model, problems, seed and settings (recipes/tiny/grpo.yaml); the bare script judges with five lines of its own, the
stage with its task, its log, progress bar and positions. The two take turns at every step, each in its own process, and
draw the same completions, so that whatever else the machine does meets both. Without evaluations and checkpoints. The
first steps do not count. The project's own limit is 0.98."""

from __future__ import annotations

import argparse
import multiprocessing
import re
import statistics
import tempfile
import time
import warnings
from multiprocessing.synchronize import Semaphore
from pathlib import Path
from typing import Any

import torch
import yaml
from datasets import load_dataset
from transformers import AutoTokenizer, PrinterCallback, TrainerCallback
from trl import GRPOTrainer

from hfllm import practice, recipe, training
from hfllm.grpo.trainer import PracticeTrainer
from hfllm.stages import grpo

RECIPE = Path(__file__).parents[2] / "recipes/tiny/grpo.yaml"
WARM_STEPS = 3


class Turns(TrainerCallback):
    """Runs while it holds the token; hands it to the other one after each of its steps."""

    def __init__(self, mine: Semaphore, other: Semaphore) -> None:
        self.mine, self.other = mine, other
        self.seconds: list[float] = []
        self.lengths: list[float] = []  # mean tokens a completion, to see that both do the same work

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == 0:
            self.mine.acquire()
            torch.manual_seed(0)
            self.started = time.process_time()

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float], **_: Any) -> None:
        if "completions/mean_length" in logs:
            self.lengths.append(logs["completions/mean_length"])

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.seconds.append(time.process_time() - self.started)
        self.other.release()
        if state.global_step < state.max_steps:
            self.mine.acquire()
        self.started = time.process_time()


def accuracy(completions: list[Any], answer: list[str], **_: Any) -> list[float]:
    """The reward that everybody writes first."""
    numbers = [re.findall(r"\d+", completion[0]["content"]) for completion in completions]
    return [float(bool(found) and found[-1] == gold) for found, gold in zip(numbers, answer, strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("world")
    parser.add_argument("--steps", type=int, default=30)
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    turns, results = (context.Semaphore(1), context.Semaphore(0)), context.Queue()
    processes = [
        context.Process(target=run, args=(name, options, mine, other, results))
        for name, mine, other in (("stage", *turns), ("bare", *reversed(turns)))
    ]
    for process in processes:
        process.start()
    measured = dict(results.get() for _ in processes)
    for process in processes:
        process.join()
    report(measured["stage"], measured["bare"])


def run(name: str, options: argparse.Namespace, mine: Semaphore, other: Semaphore, results: Any) -> None:
    """One of the two in its process; gives its name, the seconds and mean completion length of each step."""
    torch.set_num_threads(1)
    turns = Turns(mine, other)
    with tempfile.TemporaryDirectory() as folder:
        if name == "stage":
            training.train(stage_trainer(options, folder, turns))
        else:
            bare_trainer(options, folder, turns).train()
    results.put((name, (turns.seconds, turns.lengths)))


def arguments(options: argparse.Namespace, output_dir: str) -> dict[str, Any]:
    words = ["--output_dir", output_dir, "--model_name_or_path", options.model, "--max_steps", str(options.steps)]
    words += ["--eval_tasks", "[]", "--eval_strategy", "no", "--save_strategy", "no", "--logging_steps", "1"]
    words += ["--tasks", f"[{{name: arithmetic, path: {options.world}/problems}}]"]
    words += ["--rewards", "{accuracy: {}}", "--disable_tqdm"]
    one = recipe.read(RECIPE, words)
    one.complain()
    with warnings.catch_warnings(action="ignore"):
        return recipe.arguments(grpo.main, one)


def stage_trainer(options: argparse.Namespace, output_dir: str, turns: Turns) -> Any:
    """What `main` of the stage builds."""
    parts = arguments(options, output_dir)
    practised = practice.prepare("grpo", **parts)
    trainer = practice.build(PracticeTrainer, practised, parts["config"], parts["training_args"], parts["model_args"])
    trainer.add_callback(turns)
    return trainer


def bare_trainer(options: argparse.Namespace, output_dir: str, turns: Turns) -> GRPOTrainer:
    args = arguments(options, output_dir)["training_args"]
    args.reward_weights = None
    trainer = GRPOTrainer(
        model=options.model,
        args=args,
        reward_funcs=accuracy,
        train_dataset=load_dataset(f"{options.world}/problems", split="train"),
        processing_class=AutoTokenizer.from_pretrained(options.model),
        callbacks=[turns],
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def report(stage: tuple[list[float], list[float]], bare: tuple[list[float], list[float]]) -> None:
    completions = yaml.safe_load(RECIPE.read_text())["per_device_train_batch_size"]
    ours, theirs = stage[0][WARM_STEPS:], bare[0][WARM_STEPS:]
    for name, seconds in (("stage", ours), ("bare", theirs)):
        print(f"{name}: {completions / statistics.mean(seconds):.1f} completions a CPU-second")
    same = sum(abs(one - other) < 1e-6 for one, other in zip(stage[1], bare[1], strict=True))
    print(f"steps in which both drew completions of the same mean length: {same} of {len(stage[1])}")
    ratios = [other / one for one, other in zip(ours, theirs, strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4)
    steps = f"of single steps: {middle:.3f}, half of them in {low:.3f} to {high:.3f}"
    print(f"stage / bare, completions a CPU-second: {sum(theirs) / sum(ours):.3f} ({steps})")


if __name__ == "__main__":
    main()
