"""Do our multiple-choice numbers agree with lm-eval's? The same model and rows, once by each, without a network.

    pip install lm-eval
    python -m tests.bench.lm_eval_agreement MODEL DATA [--rows 300] [--tasks hellaswag arc_easy] [--threads 1]

DATA holds TASK/hf/validation.parquet, files of Rowan/hellaswag, allenai/ai2_arc (ARC-Easy), baber/piqa. lm-eval runs
its own task definition; only where it reads from is another. Prints acc and acc_norm of both in percent, their
difference in points, how many rows they judge differently, the largest difference of a choice's log-probability, and
the time of each; exit status 1 when a difference is above half a point."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("HF_UPDATE_DOWNLOAD_COUNTS", "0")  # of `evaluate`, which lm-eval imports

import torch
import yaml

from hfllm import tasks
from hfllm.evaluating import choices
from hfllm.tasks import TaskConfig

OURS = {"hellaswag": "hellaswag", "arc_easy": "arc", "arc_challenge": "arc", "piqa": "piqa"}
BATCH = 8
TOLERANCE = 0.5  # points
VISIBLE = 1e-3  # nats; below it is rounding
METRICS = ("acc", "acc_norm")

Judged = dict[str, Any]  # acc, acc_norm, logps


def ours(talker: Any, task: str, file: str, rows: list[int]) -> list[Judged]:
    problems = tasks.load(TaskConfig(OURS[task], path=file, split="validation"))
    chosen = [problems[row] for row in rows]
    return [one._asdict() for one in choices.judged(talker.model, talker.tokenizer, chosen, BATCH)]


def theirs(talker: Any, task: str, file: str, rows: list[int]) -> list[Judged]:
    from lm_eval import simple_evaluate
    from lm_eval.models.huggingface import HFLM

    with tempfile.TemporaryDirectory() as folder:
        results = simple_evaluate(
            HFLM(pretrained=talker.model, tokenizer=talker.tokenizer, batch_size=BATCH),
            tasks=[str(definition(Path(folder), task, file))],
            samples={task: rows},
            bootstrap_iters=0,
        )
    samples = sorted(results["samples"][task], key=lambda sample: rows.index(sample["doc_id"]))
    return [
        {**{name: sample[name] for name in METRICS}, "logps": [logp for logp, _ in sample["filtered_resps"]]}
        for sample in samples
    ]


def definition(folder: Path, task: str, file: str) -> Path:
    """lm-eval's own definition of the task, which reads the local file."""
    import lm_eval

    [shipped] = (Path(lm_eval.__file__).parent / "tasks").glob(f"*/{task}.yaml")
    changed = {
        "include": str(shipped),
        "task": task,
        **{"dataset_path": "parquet", "dataset_name": None, "dataset_kwargs": {"data_files": {"validation": file}}},
        **{"training_split": None, "validation_split": "validation", "test_split": None},
    }
    (folder / f"{task}.yaml").write_text(yaml.safe_dump(changed))
    return folder / f"{task}.yaml"


def compare(one: list[Judged], other: list[Judged]) -> bool:
    """Print the table; whether all is within the tolerance."""
    good = True
    for name in METRICS:
        first, second = (100 * sum(row[name] for row in rows) / len(rows) for rows in (one, other))
        differ = sum(a[name] != b[name] for a, b in zip(one, other, strict=True))
        numbers = f"hfllm {first:6.2f}   lm-eval {second:6.2f}   {first - second:+.2f} points"
        print(f"{name:9} {numbers}   {differ} rows differ")
        good &= abs(first - second) <= TOLERANCE
    gaps = [gap(a, b) for a, b in zip(one, other, strict=True)]
    print(f"largest difference of a log-probability: {max(gaps):.2e} nats")
    for place in [place for place, size in enumerate(gaps) if size > VISIBLE]:
        print(f"  row {place}: hfllm {one[place]['logps']}, lm-eval {other[place]['logps']}")
    return good


def gap(one: Judged, other: Judged) -> float:
    return max(abs(x - y) for x, y in zip(one["logps"], other["logps"], strict=True))


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("data", type=Path)
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--tasks", nargs="+", default=["hellaswag", "arc_easy"], choices=list(OURS))
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(words)
    torch.set_num_threads(options.threads)

    from datasets import load_dataset

    from hfllm.chat.model import load

    talker = load(options.model, base=True)
    good = True
    for task in options.tasks:
        file = str(options.data / task / "hf" / "validation.parquet")
        count = len(load_dataset("parquet", data_files=file, split="train"))
        step = max(1, count // options.rows)
        rows = list(range(0, count, step))[: options.rows]  # spread over the file, which is sorted by source
        begun = time.monotonic()
        mine = ours(talker, task, file, rows)
        between = time.monotonic()
        other = theirs(talker, task, file, rows)
        seconds = between - begun, time.monotonic() - between
        print(f"\n{task}: {len(rows)} of {count} rows; hfllm {seconds[0]:.0f} s, lm-eval {seconds[1]:.0f} s")
        good &= compare(mine, other)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
