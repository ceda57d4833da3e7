"""Who runs the blocks: datatrove's executors, on this machine, on a Slurm cluster or on Ray; never a scheduler of ours.

runner = Runner("slurm", workers=200, logs=Path("runs/x.work/logs"), options={"partition": "cpu", "time": "9:00:00"})
runner.run("extract", blocks, tasks=9000, done=lambda: len(finished_units()))"""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datatrove.executor.base import PipelineExecutor
from datatrove.executor.local import LocalPipelineExecutor
from datatrove.executor.slurm import SlurmPipelineExecutor
from datatrove.pipeline.base import PipelineStep
from datatrove.utils.stats import PipelineStats

from hfllm import progress
from hfllm.errors import UserMistake

SECONDS_BETWEEN = 0.5
SECONDS_BETWEEN_QUESTIONS = 10  # to Slurm


class QuietLocalExecutor(LocalPipelineExecutor):
    """Runs tasks on this machine; what they tell goes to their log files, and only errors to the terminal."""

    def _run_for_rank(self, rank: int, local_rank: int = 0, node_rank: int = -1) -> PipelineStats:
        return super()._run_for_rank(rank, local_rank + 1, node_rank)  # the task of local rank 0 would be the loud one


@dataclass(frozen=True)
class Runner:
    """One way to run tasks. `options` are those of datatrove's executor: partition and time, cpus_per_task, ..."""

    executor: str
    workers: int
    logs: Path
    options: dict[str, Any] = field(default_factory=dict)

    def run(self, name: str, blocks: Sequence[PipelineStep], tasks: int, done: Callable[[], int]) -> None:
        """Run `tasks` tasks and wait for their end; `done` says how many have left their output behind."""
        logs = self.logs / name.replace(" ", "-")
        shutil.rmtree(logs, ignore_errors=True)  # datatrove would pass over tasks that an earlier run marked there
        executor = self.make(name, list(blocks), tasks, logs)
        with showing(done, tasks, name):
            executor.run()
            if isinstance(executor, SlurmPipelineExecutor):
                wait_for_slurm(str(executor.job_id), logs)

    def make(self, name: str, blocks: list[PipelineStep], tasks: int, logs: Path) -> PipelineExecutor:
        """The executor of datatrove. Raises `UserMistake` for an option that it does not have."""
        common = {"tasks": tasks, "workers": min(self.workers, tasks), "logging_dir": str(logs), **self.options}
        try:
            match self.executor:
                case "slurm":
                    return SlurmPipelineExecutor(blocks, job_name=f"hfllm {name}".replace(" ", "-"), **common)
                case "ray":
                    from datatrove.executor.ray import RayPipelineExecutor

                    start_ray(self.workers)
                    return RayPipelineExecutor(blocks, **common)
            return QuietLocalExecutor(blocks, **common)
        except TypeError as error:
            whose = f"they are those of datatrove's {self.executor} executor"
            raise UserMistake(f"executor_options: {error}; {whose}") from None


def start_ray(workers: int) -> None:
    """Join the cluster that RAY_ADDRESS names, or make one of this machine."""
    import ray

    if not ray.is_initialized():
        address = os.environ.get("RAY_ADDRESS")
        here = {} if address else {"num_cpus": workers, "include_dashboard": False}
        ray.init(address=address, log_to_driver=False, logging_level="ERROR", **here)


def wait_for_slurm(job: str, logs: Path) -> None:
    """Until the queue does not know the job any more. Raises `UserMistake` when the queue cannot be asked."""
    while True:
        found = subprocess.run(["squeue", "--noheader", "--jobs", job], capture_output=True, text=True, check=False)
        if found.returncode != 0 or not found.stdout.strip():  # squeue fails on a job that it has forgotten
            return
        time.sleep(SECONDS_BETWEEN_QUESTIONS)


@contextmanager
def showing(done: Callable[[], int], total: int, note: str) -> Iterator[None]:
    """A bar that follows the files which the workers leave behind."""
    ended = threading.Event()

    def follow() -> None:
        while not ended.wait(SECONDS_BETWEEN):
            progress.report(done(), total, note)

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
