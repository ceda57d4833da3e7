"""What does it cost to start? CPU-seconds of `hfllm --help`, a check with a warm key cache, and each stage's imports.

    python tests/bench/start_up.py

Each line is the best of three fresh processes, user and system time together (`getrusage` of the children)."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
HFLLM = ["-m", "hfllm"]
RUNS = 3
IMPORTS = {  # the stage's module, then what its `main` imports before its work begins
    "world": "import hfllm.stages.world",
    "tokenizer": "import hfllm.stages.tokenizer, datasets, tokenizers; from transformers import AutoTokenizer",
    "pretrain": "import hfllm.stages.pretrain, torch, datasets; from transformers import AutoTokenizer, Trainer",
    "sft": "import hfllm.stages.sft, datasets; from transformers import AutoTokenizer; from trl import SFTTrainer",
}


def cpu_seconds(words: list[str]) -> float:
    """The cheapest of three runs of `python WORDS`."""
    return min(one_run(words) for _ in range(RUNS))


def one_run(words: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *words], cwd=ROOT, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def show(what: str, seconds: float, target: str = "") -> None:
    print(f"{what:<36} {seconds:6.2f} s of CPU  {target}", flush=True)


def main() -> None:
    subprocess.run([sys.executable, *HFLLM, "check", "recipes/tiny"], cwd=ROOT, check=True)  # fills the key cache
    show("hfllm --help", cpu_seconds([*HFLLM, "--help"]), "target 0.3")
    show("hfllm check recipes/tiny", cpu_seconds([*HFLLM, "check", "recipes/tiny"]), "target 1.0")
    for stage, imports in IMPORTS.items():
        show(f"import hfllm.stages.{stage}", cpu_seconds(["-c", f"import hfllm.stages.{stage}"]))
        show(f"stage {stage} with what it imports", cpu_seconds(["-c", imports]))


if __name__ == "__main__":
    main()
