"""The steps of a recipe as passes over the crawl, each with a folder whose name says all that its content depends on.

    url_lists, extract | language, gopher_quality, c4_quality, minhash | pii, decontaminate
    pass 1               pass 2, then near duplicates are found          pass 3

A pass ends behind `extract`, whose work is the dearest and is kept whatever thresholds come after it, and at `minhash`,
which has to see all pages. Within a pass every step measures every page; judging happens when the next pass reads.
So a threshold of pass 2 changes the names of what comes behind pass 2, and leaves its own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hfllm.web.reading.units import Unit
from hfllm.web.step import Step
from hfllm.web.steps.extract import Extract
from hfllm.web.steps.minhash import Minhash

LAYOUT = 2  # raised when the files of a pass change their layout, or the reader gives other pages


@dataclass(frozen=True)
class Deduplication:
    """What finds the near duplicates among the pages that a pass leaves."""

    key: str
    step: Minhash
    signatures: Path  # folder of a signature a page, made unit by unit
    groups: Path  # folder of the near duplicates among all units


@dataclass(frozen=True)
class Pass:
    """Steps that measure one after another, and the de-duplication behind them, if any."""

    folder: Path
    steps: dict[str, Step]
    deduplication: Deduplication | None = None

    @property
    def title(self) -> str:
        """For a progress bar: url_lists, extract."""
        return ", ".join(self.steps) or "reading"

    @property
    def all_steps(self) -> dict[str, Step]:
        """The steps and, as the last one, that of the de-duplication."""
        last: dict[str, Step] = {self.deduplication.key: self.deduplication.step} if self.deduplication else {}
        return self.steps | last


@dataclass(frozen=True)
class Plan:
    """All passes in order, and the folder for what is written at the end."""

    passes: list[Pass]
    final: Path

    @property
    def steps(self) -> dict[str, Step]:
        """All steps in the order of the recipe."""
        return {key: step for one in self.passes for key, step in one.all_steps.items()}


def cut(steps: dict[str, Step]) -> list[dict[str, Step]]:
    """Where the passes end: extract, language, minhash, pii are cut into {extract}, {language, minhash}, {pii}."""
    passes: list[dict[str, Step]] = [{}]
    for key, step in steps.items():
        passes[-1][key] = step
        if isinstance(step, Extract | Minhash):
            passes.append({})
    return passes if passes[-1] or len(passes) == 1 else passes[:-1]


def make(
    steps: dict[str, Step], units: Sequence[Unit], work: Path, *, columns: dict[str, str], final: Sequence[Any] = ()
) -> Plan:
    """The passes with their folders below `work`.

    `columns` decides what rows are read as; `final` is all that only what is written at the end depends on."""
    names = [unit.name for unit in units]
    fingerprint: Any = [LAYOUT, columns]
    passes = []
    for number, some in enumerate(cut(steps), start=1):
        measuring = {key: step for key, step in some.items() if not isinstance(step, Minhash)}
        fingerprint = [fingerprint, [[key, _measured(step)] for key, step in measuring.items()]]
        folder = work / f"{number}-{_short(fingerprint)}"
        fingerprint = [fingerprint, [_judged(step) for step in measuring.values()]]
        deduplication = None
        for key, step in some.items():
            if isinstance(step, Minhash):
                fingerprint = [fingerprint, step.measured_by()]
                signatures = work / f"{number}-signatures-{_short(fingerprint)}"
                fingerprint = [fingerprint, names]
                deduplication = Deduplication(key, step, signatures, work / f"{number}-groups-{_short(fingerprint)}")
        passes.append(Pass(folder, measuring, deduplication))
    return Plan(passes, work / f"final-{_short([fingerprint, names, list(final)])}")


def _measured(step: Step) -> Any:
    """What a kept measurement depends on; a step that stops later ones from measuring counts with its thresholds."""
    return [step.measured_by(), _judged(step) if step.STOPS else None]


def _judged(step: Step) -> Any:
    return [step.measured_by(), {name: value for name, value in asdict(step).items() if name != "max_lost"}]


def _short(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:12]
