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
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from hfllm.web.step import Step
from hfllm.web.units import Unit

if TYPE_CHECKING:
    from hfllm.web.steps.minhash import Minhash

LAYOUT = 1  # raised when the files of a pass change their layout


@dataclass(frozen=True)
class Pass:
    """Steps that measure one after another, and the de-duplication behind them, if any."""

    number: int
    folder: Path
    steps: dict[str, Step]
    minhash_key: str | None = None
    minhash: Minhash | None = None
    signatures: Path | None = None  # folder of a signature a kept page, made unit by unit
    groups: Path | None = None  # folder of the near duplicates among all units

    @property
    def name(self) -> str:
        """For a progress bar: url_lists, extract."""
        return ", ".join(self.steps) or "reading"


@dataclass(frozen=True)
class Plan:
    """All passes in order, and the folder for what is written at the end."""

    passes: list[Pass]
    final: Path

    @property
    def steps(self) -> dict[str, Step]:
        """All steps in the order of the recipe."""
        found: dict[str, Step] = {}
        for one in self.passes:
            found |= one.steps
            if one.minhash_key is not None and one.minhash is not None:
                found[one.minhash_key] = one.minhash
        return found


def cut(steps: dict[str, Step]) -> list[list[str]]:
    """Where the passes end: extract, language, minhash, pii are cut into [[extract], [language, minhash], [pii]]."""
    passes: list[list[str]] = [[]]
    for key in steps:
        passes[-1].append(key)
        if key.partition("-")[0] in ("extract", "minhash"):
            passes.append([])
    return passes if passes[-1] or len(passes) == 1 else passes[:-1]


def make(steps: dict[str, Step], units: Sequence[Unit], reading: dict[str, Any], work: Path) -> Plan:
    """The passes with their folders below `work`; `reading` is all that decides what the files are read as."""
    names = [unit.name for unit in units]
    fingerprint: Any = [LAYOUT, reading]
    passes = []
    for number, keys in enumerate(cut(steps), start=1):
        measuring = {key: steps[key] for key in keys if not is_minhash(key)}
        fingerprint = [fingerprint, [[key, _measured(step)] for key, step in measuring.items()]]
        folder = work / f"{number}-{_short(fingerprint)}"
        fingerprint = [fingerprint, [_judged(step) for step in measuring.values()]]
        one = Pass(number, folder, measuring)
        if is_minhash(keys[-1]):
            minhash = cast("Minhash", steps[keys[-1]])
            fingerprint = [fingerprint, minhash.measured_by()]
            signatures = work / f"{number}-signatures-{_short(fingerprint)}"
            fingerprint = [fingerprint, names]
            groups = work / f"{number}-groups-{_short(fingerprint)}"
            one = replace(one, minhash_key=keys[-1], minhash=minhash, signatures=signatures, groups=groups)
        passes.append(one)
    return Plan(passes, work / f"final-{_short([fingerprint, names])}")


def is_minhash(key: str) -> bool:
    return key.partition("-")[0] == "minhash"


def _measured(step: Step) -> Any:
    """What a kept measurement depends on; a step that stops later ones from measuring counts with its thresholds."""
    return [step.measured_by(), _judged(step) if step.STOPS else None]


def _judged(step: Step) -> Any:
    return [step.measured_by(), {name: value for name, value in asdict(step).items() if name != "max_lost"}]


def _short(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:12]
