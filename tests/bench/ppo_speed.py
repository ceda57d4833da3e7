"""Our PPOTrainer against the last one TRL had (1.12): completions a second, memory and reward, taking turns.

    nice python -m tests.bench.ppo_speed [--shape small | vocabulary | llama] [--rounds 3]

Same weights, prompts, reward, completions, epochs, minibatches and settings; one process each, one thread. Ours runs
with a critic of its own, as the peer's always is, and with a value head on the policy's trunk, which is the default.
    small       0.23 M parameters: who learns more? The reward is the share of even token ids.
    vocabulary   12 M, two thirds of them embeddings of 32,000 tokens: the cost of logits
    llama        26 M, half of them, which is nearer to larger models
The peer lives in an environment of its own, made by pip at the first call, with the torch and transformers that are
installed here. Times are of `train()` alone; memory is the peak of the process, and what that adds to the peak after
the imports. The reward is the mean of the last third of the completions. The project's own limits: 1.3 times the
completions, 0.7 times the memory, no lower reward."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import venv
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.bench.ppo_job import Job

HERE = Path(__file__).parent
ENVIRONMENT = Path(tempfile.gettempdir()) / "hfllm-trl-1.12"
SHAPES = {
    "small": Job(
        *("", 512, 96, 192, 2),
        prompt_tokens=8,
        new_tokens=16,
        rollouts=15,
        completions=64,
        mini_batches=4,
        epochs=4,
        learning_rate=3e-3,
    ),
    "vocabulary": Job(
        *("", 32_000, 256, 512, 6),
        prompt_tokens=64,
        new_tokens=64,
        rollouts=1,
        completions=32,
        mini_batches=4,
        epochs=2,
        learning_rate=3e-4,
    ),
    "llama": Job(
        *("", 32_000, 384, 1024, 8),
        prompt_tokens=64,
        new_tokens=64,
        rollouts=5,
        completions=32,
        mini_batches=4,
        epochs=4,
        learning_rate=1e-3,
        common=512,
    ),
}
OURS, PEER = HERE / "hfllm_ppo.py", HERE / "trl_1_12_ppo.py"
SIDES = {"separate": OURS, "head": OURS, "peer": PEER}  # ours by the kind of critic


@dataclass(frozen=True)
class Run:
    """What one process measured."""

    cpu_seconds: float
    wall_seconds: float
    peak_bytes: int
    imports_bytes: int
    rewards: list[float]  # of all completions, in order
    lengths: list[int]

    def figures(self) -> dict[str, float]:
        made = len(self.rewards)
        return {
            "completions a CPU-second": made / self.cpu_seconds,
            "completions a second": made / self.wall_seconds,
            "peak memory, MB": self.peak_bytes / 1e6,
            "of it above the imports, MB": (self.peak_bytes - self.imports_bytes) / 1e6,
            "final reward": statistics.mean(self.rewards[-made // 3 :]),
            "tokens a completion": statistics.mean(self.lengths),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", choices=SHAPES, default="small")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--critics", nargs="+", choices=["separate", "head"], default=["separate", "head"])
    parser.add_argument(
        "--environment", type=Path, default=ENVIRONMENT, help="where the peer lives (default: %(default)s)"
    )
    options = parser.parse_args()
    peer = peer_python(options.environment)
    sides = [*options.critics, "peer"]
    runs: dict[str, list[Run]] = {side: [] for side in sides}
    with tempfile.TemporaryDirectory() as folder:
        job = replace(SHAPES[options.shape], folder=folder)
        job.write(Path(folder, "job.json"))
        quietly([sys.executable, HERE / "ppo_job.py", Path(folder, "job.json")])
        for seed in range(options.rounds):
            for side in sides:
                script = SIDES[side]
                python = peer if script is PEER else sys.executable
                runs[side].append(run(python, script, replace(job, seed=seed, critic=side)))
                figures = ", ".join(f"{key}: {figure:.4g}" for key, figure in runs[side][-1].figures().items())
                print(f"{side}, {figures}", flush=True)
    report(runs)


def peer_python(environment: Path) -> Path:
    """The interpreter of the peer's environment, made where there is none. It must import what it is there for."""
    python = environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        print(f"making {environment}", flush=True)
        venv.create(environment, with_pip=True)
        same = [f"{name}=={version(name).split('+')[0]}" for name in ("torch", "transformers", "accelerate")]
        quietly([python, "-m", "pip", "install", "trl==1.12.0", "requests", *same])
    quietly([python, "-c", "from trl.experimental.ppo import PPOTrainer"])
    return python


def run(python: str | Path, script: Path, job: Job) -> Run:
    words, result = Path(job.folder, "job.json"), Path(job.folder, "result.json")
    job.write(words)
    quietly([python, script, words, result])
    return Run(**json.loads(result.read_text(encoding="utf-8")))


def quietly(command: list[Any]) -> None:
    """Run it on one thread; show what it said only if it fails."""
    one_thread = {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    found = {"PYTHONPATH": str(HERE.parents[1])}
    done = subprocess.run(command, env=os.environ | one_thread | found, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{command} failed:\n{done.stdout}{done.stderr}")


def report(runs: dict[str, list[Run]]) -> None:
    """Means over the rounds, and ours / the peer's with the smallest and the largest ratio of a round."""
    figures = {side: [one.figures() for one in some] for side, some in runs.items()}
    critics = [side for side in runs if side != "peer"]
    heads = "".join(f"{critic:>10}{'/ peer':>7}{'':16}" for critic in critics)
    print(f"\n{'mean of the rounds':30}{'peer':>10}{heads}".rstrip())
    for key in figures["peer"][0]:
        peers = [one[key] for one in figures["peer"]]
        line = f"{key:30}{statistics.mean(peers):10.3f}"
        for side in critics:
            ours = [one[key] for one in figures[side]]
            ratios = [one / other for one, other in zip(ours, peers, strict=True)]
            spread = f"({min(ratios):.2f} to {max(ratios):.2f})"
            line += f"{statistics.mean(ours):10.3f}{statistics.mean(ours) / statistics.mean(peers):7.2f} {spread:15}"
        print(line)


if __name__ == "__main__":
    main()
