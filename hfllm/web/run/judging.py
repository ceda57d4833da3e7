"""Which pages of a pass are kept? Its rows say: the scores against today's thresholds, then the near duplicates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hfllm.web.run import store
from hfllm.web.run.plan import Pass
from hfllm.web.step import Step

if TYPE_CHECKING:
    from datatrove.data import Document

Row = dict[str, Any]


@dataclass(frozen=True)
class Fate:
    """The step that drops a page, and why."""

    step: str
    reason: str


@dataclass(frozen=True)
class Duplicates:
    """Of the kept pages of one unit, by their number: which are dropped as duplicates, and the group of each."""

    dropped: frozenset[int]
    group: Mapping[int, int]  # only pages that have a duplicate
    size: Mapping[int, int]


def fate(steps: Mapping[str, Step], row: Row) -> Fate | None:
    """The first step that drops the page; None when all keep it."""
    for key, step in steps.items():
        if (reason := step.judge(row["tags"][key])) is not None:
            return Fate(key, reason)
    return None


def fates(one: Pass, unit: str, rank: int) -> Iterator[tuple[Row, Fate | None]]:
    """Every row of a unit with what becomes of it; pages that have duplicates say their group: row["group"]."""
    if one.deduplication is None:
        yield from ((row, fate(one.steps, row)) for row in store.rows(one.folder, unit))
        return
    duplicates = duplicates_of(one.deduplication.groups, rank)
    number = 0
    for row in store.rows(one.folder, unit):
        found = fate(one.steps, row)
        if found is None:
            row["group"] = duplicates.group.get(number)
            row["copies"] = duplicates.size.get(number, row["copies"])
            if number in duplicates.dropped:
                found = Fate(one.deduplication.key, "duplicate")
            number += 1
        yield row, found


def kept(one: Pass, unit: str, rank: int) -> Iterator[Document]:
    """The pages of a unit that the next pass reads."""
    return (document_of(row) for row, found in fates(one, unit, rank) if found is None)


def kept_before_minhash(one: Pass, unit: str) -> Iterator[Document]:
    """The pages of a unit among which near duplicates are looked for."""
    return (document_of(row) for row in store.rows(one.folder, unit) if fate(one.steps, row) is None)


def document_of(row: Row) -> Document:
    from datatrove.data import Document

    metadata = {name: row[name] for name in (*store.METADATA, "tags")}
    for scores in row["tags"].values():
        metadata |= {name: scores[name] for name in ("language", "language_score") if name in scores}
    return Document(text=row["text"], id=row["id"], metadata=metadata)


@lru_cache(maxsize=1)
def duplicates_of(groups: Path, rank: int) -> Duplicates:
    """What datatrove's MinhashDedupCluster wrote of one unit: little-endian uint32, pairs but for the dropped ones."""
    dropped = _numbers(groups / f"{rank:06d}.remove")
    pairs = _numbers(groups / f"{rank:06d}.clusters").reshape(-1, 2)
    sizes = _numbers(groups / f"{rank:06d}.sizes").reshape(-1, 2)
    return Duplicates(frozenset(dropped.tolist()), dict(pairs.tolist()), dict(sizes.tolist()))


def _numbers(file: Path) -> np.ndarray:
    return np.fromfile(file, dtype="<u4") if file.exists() else np.zeros(0, dtype="<u4")
