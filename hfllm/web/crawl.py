"""The stage `data` from its first pass to its last: what is finished is kept, what is missing is run.

result = run(steps, units, reading, runner, work)       # Result.plan says where everything lies"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("LOGURU_LEVEL", "ERROR")  # before datatrove is imported: it would tell of every task

from datatrove.pipeline.base import PipelineStep

from hfllm.errors import UserMistake
from hfllm.web import blocks, groups, store
from hfllm.web.executors import Runner
from hfllm.web.finish import Finish
from hfllm.web.plan import Pass, Plan
from hfllm.web.units import Unit


def run(plan: Plan, units: Sequence[Unit], reading: Mapping[str, Any], runner: Runner, *, fates: bool) -> None:
    """All passes in order. Raises `UserMistake` when a worker met a mistake of the user's."""
    before: Pass | None = None
    for one in plan.passes:
        measure(one, before, units, reading, runner)
        if one.minhash is not None:
            deduplicate(one, units, runner)
        before = one

    def finish(some: blocks.Ranked) -> list[PipelineStep]:
        return [Finish(plan, some, tokens=reading["tokenizer"] is not None, fates=fates)]

    over_units(plan.final, "writing", units, runner, finish)


def measure(one: Pass, before: Pass | None, units: Sequence[Unit], reading: Mapping[str, Any], runner: Runner) -> None:
    over_units(one.folder, one.name, units, runner, lambda some: blocks.chain(one, before, some, reading))


def deduplicate(one: Pass, units: Sequence[Unit], runner: Runner) -> None:
    """Signatures unit by unit; then all units together, in a few quick tasks that are done again when units change."""
    assert one.minhash is not None
    assert one.signatures is not None
    if groups.are_known(one):
        return
    over_units(one.signatures, "minhash", units, runner, lambda some: [blocks.Signatures(one, some)])
    groups.gather(one, units)
    buckets = one.minhash.buckets
    runner.run("minhash buckets", groups.pairs(one), buckets, lambda: groups.bucket_count(one))
    runner.run("minhash groups", groups.clusters(one), 1, lambda: int(groups.are_known(one)))
    if not groups.are_known(one):
        raise RuntimeError(f"near duplicates: not finished; see {runner.logs}")


def over_units(
    folder: Path,
    name: str,
    units: Sequence[Unit],
    runner: Runner,
    make: Callable[[blocks.Ranked], list[PipelineStep]],
) -> None:
    """Run a chain of blocks over the units whose output is not in `folder` yet."""

    def waiting() -> list[tuple[int, Unit]]:
        return [(number, unit) for number, unit in enumerate(units) if not store.is_finished(folder, unit.name)]

    if not (some := waiting()):
        return
    folder.mkdir(parents=True, exist_ok=True)
    for _, unit in some:
        blocks.mistake_file(folder, unit.name).unlink(missing_ok=True)
    runner.run(name, make(some), len(some), lambda: len(some) - len(waiting()))
    complain(folder, [unit for _, unit in waiting()], runner.logs)


def complain(folder: Path, missing: Sequence[Unit], logs: Path) -> None:
    """Raises what kept a worker from its output: `UserMistake`, or `RuntimeError` with the place of the log files."""
    for unit in missing:
        if (file := blocks.mistake_file(folder, unit.name)).exists():
            raise UserMistake(store.read_json(file))
    if missing:
        names = ", ".join(unit.path for unit in missing[:3])
        raise RuntimeError(f"{len(missing)} of the files were not finished ({names}, ...); see {logs}")
