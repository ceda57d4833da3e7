"""The stage `data` from its first pass to its last: what is finished is kept, what is missing is run.

with alone_in(work):
    Crawl(plan, units, runner, columns={}, strict=False).run(finish)"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("LOGURU_LEVEL", "ERROR")  # before datatrove is imported: it would tell of every task

from datatrove.pipeline.base import PipelineStep
from filelock import FileLock, Timeout

from hfllm.errors import UserMistake
from hfllm.web.reading.units import Unit
from hfllm.web.run import blocks, executors, groups, store
from hfllm.web.run.executors import Runner
from hfllm.web.run.plan import Deduplication, Pass, Plan

MakeBlocks = Callable[[blocks.Ranked], list[PipelineStep]]


@contextmanager
def alone_in(work: Path) -> Iterator[None]:
    """Two runs must not work in one folder. The lock falls with its process, however that ends."""
    try:
        work.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise UserMistake(f"work_dir: {work} is a file, or lies in one") from None
    lock = FileLock(work / "lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        advice = "wait for it, or write another  work_dir:"
        raise UserMistake(f"{work}: another run works in this folder; {advice}") from None
    try:
        yield
    finally:
        lock.release()


@dataclass(frozen=True)
class Crawl:
    """All passes over all units."""

    plan: Plan
    units: Sequence[Unit]
    runner: Runner
    columns: Mapping[str, str]
    strict: bool

    def run(self, finish: MakeBlocks) -> None:
        """All passes in order, then `finish`. Raises `UserMistake` when a worker met a mistake of the user's."""
        before: Pass | None = None
        for one in self.plan.passes:
            self.measure(one, before)
            if before is None and self.strict:
                self.refuse_broken(one)
            if one.deduplication is not None:
                self.deduplicate(one, one.deduplication)
            before = one
        self.over_units(self.plan.final, "writing", finish)

    def measure(self, one: Pass, before: Pass | None) -> None:
        def make(units: blocks.Ranked) -> list[PipelineStep]:
            return blocks.chain(one, before, units, columns=self.columns, strict=self.strict)

        self.over_units(one.folder, one.title, make)

    def deduplicate(self, one: Pass, deduplication: Deduplication) -> None:
        """Signatures unit by unit; then all units together, in quick tasks that are done again for other units."""
        if groups.are_known(deduplication):
            return
        self.over_units(
            deduplication.signatures, "minhash", lambda units: [blocks.Signatures(one, deduplication, units)]
        )
        groups.gather(deduplication, self.units)
        self.at_once(groups.pairs(deduplication), deduplication.step.buckets, f"{deduplication.groups.name}-pairs")
        self.at_once(groups.clusters(deduplication), 1, deduplication.groups.name)
        groups.mark_as_known(deduplication)

    def at_once(self, some: list[PipelineStep], tasks: int, label: str) -> None:
        """Tasks that are over in moments, or have no output of their own to count."""
        logs = self.runner.run(some, tasks=tasks, label=label, note="near duplicates", done=lambda: 0)
        refuse_unfinished(logs, tasks)

    def over_units(self, folder: Path, note: str, make: MakeBlocks) -> None:
        """Run a chain of blocks over the units whose output is not in `folder` yet."""
        before = store.finished(folder)
        some = [(number, unit) for number, unit in enumerate(self.units) if unit.name not in before]
        if not some:
            return
        folder.mkdir(parents=True, exist_ok=True)
        mistake = folder / blocks.MISTAKE
        mistake.unlink(missing_ok=True)
        logs = self.runner.run(
            make(some),
            tasks=len(some),
            label=folder.name,
            note=note,
            done=lambda: len(store.finished(folder)) - len(before),
        )
        if mistake.exists():
            raise UserMistake(store.read_json(mistake))
        refuse_unfinished(logs, len(some))

    def refuse_broken(self, first: Pass) -> None:
        """Raises `UserMistake` for a broken file, read now or by an earlier run that was not strict."""
        for unit in self.units:
            if broken := store.read_json(store.counts_file(first.folder, unit.name))["read"]["broken"]:
                raise UserMistake(broken)


def refuse_unfinished(logs: Path, tasks: int) -> None:
    """Raises `UserMistake` when tasks did not come to their end: killed by a cluster's limits, or by an error."""
    if missing := executors.unfinished(logs, tasks):
        raise UserMistake(
            f"{missing} of {tasks} tasks did not come to their end; {logs / 'logs'} tells why.\n"
            "  what was finished is kept, the same command goes on from there"
        )
