"""Who runs the blocks? datatrove's executors, on this machine, on a Slurm cluster or on Ray; no scheduler of ours.

runner = Runner("slurm", workers=200, logs=Path("runs/x.work/logs"), options={"partition": "cpu", "time": "9:00:00"})
runner.run(blocks, tasks=9000, label="1-3f9c21d07ab4", note="extract", done=lambda: 17)"""

from __future__ import annotations

import inspect
import multiprocessing
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datatrove.executor.base import PipelineExecutor
from datatrove.executor.local import LocalPipelineExecutor
from datatrove.executor.ray import RayPipelineExecutor
from datatrove.executor.slurm import SlurmPipelineExecutor
from datatrove.pipeline.base import PipelineStep

from hfllm import progress
from hfllm.errors import UserMistake

SECONDS_BETWEEN = 1
SECONDS_BETWEEN_QUESTIONS = 10  # to Slurm
UNANSWERED_QUESTIONS = 60  # in a row: the controller of a cluster may be away for minutes


class LocalExecutor(LocalPipelineExecutor):
    """datatrove's local executor, with a pool that notices when a worker is killed; datatrove's waits for ever.

    What the tasks tell goes to their log files, and only errors to the terminal."""

    def run(self) -> None:
        ranks = self.get_incomplete_ranks()
        if self.workers == 1:
            for rank in ranks:
                deepcopy(self).quietly(rank)
            return
        context = multiprocessing.get_context("forkserver")  # not a copy of this process, threads and all
        try:
            with ProcessPoolExecutor(self.workers, mp_context=context, initializer=end_with_parent) as pool:
                list(pool.map(self.quietly, ranks))
        except BrokenProcessPool as error:
            raise UserMistake(
                "a worker was killed; by the system, if memory ran out: then write fewer  workers:  in the recipe.\n"
                "  what was finished is kept, the same command goes on from there"
            ) from error

    def quietly(self, rank: int) -> None:
        self._run_for_rank(rank, local_rank=1)  # the task of local rank 0 would be the loud one


def end_with_parent() -> None:
    """A worker whose run is killed would wait for its next task for ever, and hold the terminal of the run."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@dataclass(frozen=True)
class Runner:
    """One way to run tasks. `options` are those of datatrove's executor: partition and time, cpus_per_task, ..."""

    executor: str
    workers: int
    logs: Path
    options: dict[str, Any] = field(default_factory=dict)

    def run(
        self, blocks: Sequence[PipelineStep], *, tasks: int, label: str, note: str, done: Callable[[], int]
    ) -> Path:
        """Run `tasks` tasks and wait for their end; `done` says how many have left their output behind.

        Returns the folder of their logs, a new one each time: tasks of an earlier start may still run on a cluster."""
        logs = self.logs / f"{label}-{time.time_ns()}"
        ours = {"tasks": tasks, "workers": min(self.workers, tasks), "logging_dir": str(logs)}
        ours |= {"job_name": f"hfllm-{label}"} if self.executor == "slurm" else {}
        if self.executor == "ray":
            start_ray(self.workers)
        executor = KINDS[self.executor](list(blocks), **ours, **self.options)
        with showing(done, tasks, note):
            executor.run()
            if isinstance(executor, SlurmPipelineExecutor):
                wait_for_slurm(str(executor.job_id))
        return logs


KINDS: dict[str, type[PipelineExecutor]] = {
    "local": LocalExecutor,
    "slurm": SlurmPipelineExecutor,
    "ray": RayPipelineExecutor,
}
OURS = {"pipeline", "tasks", "workers", "logging_dir", "job_name", "skip_completed", "depends", "local_tasks"}


def check_options(executor: str, options: Mapping[str, Any]) -> None:
    """Raises `UserMistake` for an option that datatrove's executor does not have, or that the stage sets itself."""
    known = [name for name in inspect.signature(KINDS[executor].__init__).parameters if name not in OURS | {"self"}]
    for name in options:
        if name not in known:
            raise UserMistake(f"{name}: no such option; {executor} has {', '.join(known)}")


def unfinished(logs: Path, tasks: int) -> int:
    """Tasks that datatrove has not marked as completed."""
    return sum(not (logs / "completions" / f"{rank:05d}").exists() for rank in range(tasks))


def start_ray(workers: int) -> None:
    """Join the cluster that RAY_ADDRESS names, or make one of this machine."""
    import ray

    if not ray.is_initialized():
        address = os.environ.get("RAY_ADDRESS")
        here = {} if address else {"num_cpus": workers, "include_dashboard": False}
        ray.init(address=address, log_to_driver=False, logging_level="ERROR", **here)


def wait_for_slurm(job: str) -> None:
    """Until the queue does not know the job any more.

    Raises `UserMistake` when the queue gives no answer for ten minutes; the job may run on meanwhile."""
    unanswered = 0
    while unanswered < UNANSWERED_QUESTIONS:
        found = subprocess.run(["squeue", "--noheader", "--jobs", job], capture_output=True, text=True, check=False)
        if "Invalid job id" in found.stderr or (found.returncode == 0 and not found.stdout.strip()):
            return
        unanswered = unanswered + 1 if found.returncode else 0
        time.sleep(SECONDS_BETWEEN_QUESTIONS)
    raise UserMistake(
        f"squeue gives no answer ({found.stderr.strip()}); job {job} may still run.\n"
        "  start the same command again when the queue answers: what is finished by then is kept"
    )


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
